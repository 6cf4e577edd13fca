"""`unique`: at most one live task, or return, or error, also when two sessions create at once."""

from __future__ import annotations

import threading
from functools import partial

import psycopg
import pytest
from queue_client import Db, Sent
from sessions import in_thread, waiting

MACHINES = """\
module m

event CANCEL
event AGAIN
event GO

machine returns(order_id: bigint, note: text = "") {
  unique (order_id) or return
  initial state a { on CANCEL -> z }
  final state z { on AGAIN -> a }
}

machine errors(order_id: bigint, kind: text?) {
  unique (order_id, kind) or error
  initial state a { on CANCEL -> z }
  final state z { on AGAIN -> a }
}

machine either(a: int, b: int) {
  unique (a) or error
  unique (b) or return
  initial state one { on CANCEL -> z }
  final state z
}

machine moves(name: text) {
  var at: text = name
  unique (at)
  initial state a {
    on MOVE(to: text) { set at = event.to }
    on CANCEL -> z { spawn either(a: 1, b: 1) }
  }
  final state z
}

machine works(queue: text) {
  unique (queue) while in (waiting, busy)
  initial state idle { on GO -> waiting }
  state waiting { on LOCKED_BY_WORKER -> busy { increment attempts } }
  state busy {
    run "app:work"
    on SUCCESS(more: bool = false) when more -> waiting
    on SUCCESS -> resting
    on ERROR   -> resting
  }
  state resting {
    on AGAIN -> next
    on GO    -> waiting
  }
  state next { on LOCKED_BY_WORKER -> counting { increment attempts } }
  state counting {
    run "app:count"
    on SUCCESS -> waiting
    on ERROR   -> resting
  }
  on CANCEL -> z
  final state z
}

machine one_runs(queue: text) {
  unique (queue) while in (busy) or error
  initial state waiting { on GO -> busy }
  state busy { on CANCEL -> z }
  final state z
}
"""


def test_or_return_gives_the_live_task(db: Db) -> None:
    first = db.create("returns", order_id=1)
    assert db.create("returns", order_id=1, note="x") == first
    assert db.create("returns", order_id=2) != first
    assert db.task("returns", first).note == ""


def test_when_it_has_ended_there_may_be_another(db: Db) -> None:
    first = db.create("returns", order_id=1)
    db.send("returns", first, "CANCEL")
    second = db.create("returns", order_id=1)
    assert second != first
    assert db.create("returns", order_id=1) == second


def test_or_error_names_the_values_and_the_task_in_the_way(db: Db) -> None:
    first = db.create("errors", order_id=1, kind="x")
    with pytest.raises(psycopg.errors.UniqueViolation, match=f"order_id = 1, kind = x, task {first}") as raised:
        db.create("errors", order_id=1, kind="x")
    assert raised.value.diag.constraint_name == "errors_unique_1"
    assert "until that task ends" in (raised.value.diag.message_hint or "")
    db.send("errors", first, "CANCEL")
    assert db.create("errors", order_id=1, kind="x") != first


def test_null_is_one_value_like_any_other(db: Db) -> None:
    db.create("errors", order_id=1, kind=None)
    db.create("errors", order_id=1, kind="")
    with pytest.raises(psycopg.errors.UniqueViolation, match="kind = null"):
        db.create("errors", order_id=1, kind=None)


def test_each_of_several_is_kept(db: Db) -> None:
    first = db.create("either", a=1, b=1)
    assert db.create("either", a=2, b=1) == first
    with pytest.raises(psycopg.errors.UniqueViolation, match="a = 1"):
        db.create("either", a=1, b=2)


def test_leaving_a_final_state_is_checked_again(db: Db) -> None:
    first = db.create("errors", order_id=1, kind="x")
    db.send("errors", first, "CANCEL")
    second = db.create("errors", order_id=1, kind="x")
    refused = db.send("errors", first, "AGAIN", key="k")
    assert refused == Sent(False, "z", "unique (order_id, kind): there is another such task")
    assert db.path("errors", first)[-1] == ("refused", "z", None)
    assert db.hops("errors", first)[-1].payload == {"event": "AGAIN", "payload": None, "reason": refused.reason}
    db.send("errors", second, "CANCEL")
    assert db.send("errors", first, "AGAIN", key="k") == refused
    assert db.send("errors", first, "AGAIN").state == "a"


def test_unique_while_in_some_states_counts_there_only(db: Db) -> None:
    ids = [db.create("one_runs", queue="q") for _ in range(2)]
    db.send("one_runs", ids[0], "GO")
    refused = db.send("one_runs", ids[1], "GO")
    assert refused == Sent(False, "waiting", "unique (queue) while in (busy): there is another such task")
    db.send("one_runs", ids[0], "CANCEL")
    assert db.send("one_runs", ids[1], "GO").state == "busy"


def test_create_many_minds_unique(db: Db) -> None:
    old = db.create("returns", order_id=2)
    ids = db.create_many("returns", [{"order_id": n} for n in (3, 2, 1, 3, 2)])
    assert ids[1] == ids[4] == old
    assert ids[0] == ids[3]
    assert [db.task("returns", id).order_id for id in ids] == [3, 2, 1, 3, 2]
    with pytest.raises(psycopg.errors.UniqueViolation, match="order_id = 5"):
        db.create_many("errors", [{"order_id": 5}, {"order_id": 6}, {"order_id": 5}])
    assert db.value("select count(*) from m.errors") == 0


def two_at_once(dsn: str, db: Db, machine: str, *, commit: bool) -> tuple[int, object]:
    """Create twice, the second while the first is uncommitted: both answers."""
    found: list[object] = []

    def create() -> None:
        with Db(dsn) as own:
            try:
                found.append(own.create(machine, order_id=1))
            except psycopg.Error as error:
                found.append(error)

    with Db(dsn) as first:
        first.begin()
        id = first.create(machine, order_id=1)
        thread = threading.Thread(target=create)
        thread.start()
        while not db.value("select exists (select from pg_stat_activity where wait_event_type = 'Lock')"):
            pass
        first.commit() if commit else first.rollback()
        thread.join()
    return id, found[0]


def test_two_concurrent_creates_make_one_task_and_the_second_waits_for_the_first(dsn: str, db: Db) -> None:
    id, second = two_at_once(dsn, db, "returns", commit=True)
    assert second == id
    assert db.value("select count(*) from m.returns") == 1


def test_when_the_first_of_two_is_rolled_back_the_second_makes_the_task(dsn: str, db: Db) -> None:
    id, second = two_at_once(dsn, db, "returns", commit=False)
    assert second != id
    assert [row.id for row in db.rows("select id from m.returns")] == [second]


def test_the_second_of_two_concurrent_creates_gets_the_error(dsn: str, db: Db) -> None:
    _, second = two_at_once(dsn, db, "errors", commit=True)
    assert isinstance(second, psycopg.errors.UniqueViolation)


def test_two_create_many_in_opposite_order_do_not_deadlock(dsn: str, db: Db) -> None:
    failed: list[Exception] = []
    orders = list(range(60))

    def create(ids: list[int]) -> None:
        with Db(dsn) as own:
            try:
                for _ in range(10):
                    own.create_many("returns", [{"order_id": n} for n in ids])
            except psycopg.Error as error:
                failed.append(error)

    threads = [threading.Thread(target=create, args=(ids,)) for ids in (orders, orders[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert db.value("select count(*) from m.returns") == 60


def test_two_create_many_that_wait_for_a_third_go_on_without_a_deadlock(dsn: str, db: Db) -> None:
    """The one in the middle is held: in the order of their input, each would hold what the other needs next."""
    failed: list[Exception] = []

    def create(orders: list[int]) -> None:
        with Db(dsn) as own:
            try:
                own.create_many("returns", [{"order_id": n} for n in orders])
            except psycopg.Error as error:
                failed.append(error)

    with Db(dsn) as third:
        third.begin()
        third.create("returns", order_id=2)
        threads = []
        for number, orders in enumerate(([1, 2, 3], [3, 2, 1]), 1):
            threads.append(in_thread(partial(create, orders)))
            while waiting(db) < number:
                pass
        third.rollback()
        for thread in threads:
            thread.join()
    assert failed == []
    assert db.value("select count(*) from m.returns") == 3


@pytest.mark.parametrize("machine", ["returns", "errors"])
def test_two_create_many_whose_keys_run_against_what_is_unique_do_not_deadlock(dsn: str, db: Db, machine: str) -> None:
    """Each is held in the middle: in the order of what is unique alone, it would have the key that the other needs."""
    failed: list[Exception] = []

    def create(tasks: list[tuple[int, str]]) -> None:
        with Db(dsn) as own:
            try:
                own.create_many(machine, [{"order_id": n, "_key": key} for n, key in tasks])
            except psycopg.Error as error:
                failed.append(error)

    with Db(dsn) as third:
        third.begin()
        third.create_many(machine, [{"order_id": 2}, {"order_id": 12}])
        threads = []
        for number, tasks in enumerate(([(1, "b"), (2, "x"), (3, "a")], [(11, "a"), (12, "y"), (13, "b")]), 1):
            threads.append(in_thread(partial(create, tasks)))
            while waiting(db) < number:
                pass
        third.rollback()
        for thread in threads:
            thread.join()
    assert failed == []
    assert db.value(f"select count(*) from m.{machine}") == 4


def test_a_var_that_must_be_unique_is_not_set_to_what_is_taken(db: Db) -> None:
    first, second = db.create("moves", name="x"), db.create("moves", name="y")
    refused = db.send("moves", second, "MOVE", {"to": "x"})
    assert refused == Sent(False, "a", "unique (at): there is another such task")
    assert db.task("moves", second).at == "y"
    assert db.send("moves", first, "MOVE", {"to": "z"}).applied
    assert db.send("moves", second, "MOVE", {"to": "x"}).applied
    assert db.task("moves", second).at == "x"


def test_a_conflict_of_what_is_spawned_is_the_sender_s(db: Db) -> None:
    db.create("either", a=1, b=2)
    id = db.create("moves", name="x")
    with pytest.raises(psycopg.errors.UniqueViolation, match="either already has a live task"):
        db.send("moves", id, "CANCEL")
    assert db.state("moves", id) == "a"


def test_a_worker_s_outcome_that_would_break_it_is_an_error(db: Db) -> None:
    first, second, worker = db.create("works", queue="q"), db.create("works", queue="q"), db.worker()
    db.send("works", first, "GO")
    assert not db.send("works", second, "GO").applied
    db.resolve("works", worker, db.claim_one("works", worker), "SUCCESS")
    assert db.send("works", first, "AGAIN").applied
    assert db.send("works", second, "GO").applied
    tasks = {task.id: task for task in db.claim("works", worker).tasks}
    assert db.resolve("works", worker, tasks[first], "SUCCESS") == "failed"
    assert db.state("works", first) == "resting"
    assert db.hops("works", first)[-1].payload["type"] == "transition"
    assert db.resolve("works", worker, tasks[second], "SUCCESS", {"more": True}) == "applied"
    assert db.state("works", second) == "waiting"


def test_one_that_may_come_back_waits_for_a_create_that_is_under_way(dsn: str, db: Db) -> None:
    first = db.create("errors", order_id=1, kind="x")
    db.send("errors", first, "CANCEL")
    found: list[Sent] = []

    def send() -> None:
        with Db(dsn) as own:
            found.append(own.send("errors", first, "AGAIN"))

    with Db(dsn) as other:
        other.begin()
        other.create("errors", order_id=1, kind="x")
        thread = in_thread(send)
        while waiting(db) < 1:
            pass
        other.commit()
        thread.join()
    assert [one.applied for one in found] == [False]


@pytest.mark.parametrize("machine", ["works", "errors"])
def test_a_claim_changes_no_index_of_what_is_unique(db: Db, machine: str) -> None:
    """What a claim changes stands in no index: not in its columns, and not in its predicate."""
    columns = db.rows(
        """select a.attname from pg_index i, unnest(i.indkey) k join pg_attribute a on a.attnum = k
        where i.indrelid = %s::regclass and a.attrelid = i.indrelid""",
        f"m.{machine}",
    )
    predicates = db.rows(
        "select pg_get_expr(indpred, indrelid) from pg_index where indrelid = %s::regclass and indpred is not null",
        f"m.{machine}",
    )
    assert not {"state", "_worker", "_token"}.intersection(row[0] for row in columns)
    assert not any("state" in row[0] for row in predicates)


def test_a_claim_of_such_a_machine_is_a_hot_update(db: Db) -> None:
    for number in range(50):
        db.send("works", db.create("works", queue=f"q{number}"), "GO")
    db.run("select pg_stat_force_next_flush()")
    before = db.one("select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relid = 'm.works'::regclass")
    db.begin()
    assert len(db.claim("works", db.worker(), 50).tasks) == 50
    after = db.one("select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relid = 'm.works'::regclass")
    db.commit()
    assert after.n_tup_upd - before.n_tup_upd == after.n_tup_hot_upd - before.n_tup_hot_upd == 50
