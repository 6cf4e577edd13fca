"""`spawn`: sub tasks and free ones, in the transaction of the transition that makes them."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db
from sessions import in_thread

MACHINES = """\
module m

event GO
event STOP
event BAD

machine top(n: int) {
  initial state a {
    on GO -> b {
      spawn middle(n: n, label: "one")
      spawn root free(of: n)
      spawn middle(n: n + 1, label: "two")
      when n > 1 { spawn leaf(at: now(), note: null) }
    }
    on STOP { spawn single(key: n) }
    on BAD  { spawn middle(n: n, label: "x")  fail "no" }
  }
  final state b { enter { spawn free(of: 100) } }
}

machine middle(n: int, label: text, wait: interval = 2m) {
  var doubled: int = n * 2
  initial state a { enter { spawn leaf(at: created_at, note: label) }  on STOP -> z }
  final state z
}

machine leaf(at: timestamptz, note: text?) {
  initial state a { on STOP -> z }
  final state z
}

machine free(of: int) { initial state a { on STOP -> z } final state z }

machine single(key: int) {
  unique (key) or return
  initial state a { on STOP -> z }
  final state z
}

machine only(n: int) {
  unique (n) or error
  initial state a { on STOP -> z }
  final state z
}

machine maker(n: int) is task {
  state running { run "x:y" }
  state done { enter { spawn only(n: n) } }
}

machine pair(key: int) {
  unique (key) or return
  initial state a { on STOP -> z }
  final state z
}

machine there {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running { run "x:y" on SUCCESS -> z on ERROR -> z }
  state z { enter { spawn single(key: 1) spawn pair(key: 1) } on GO -> ready }
}

machine back {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running { run "x:y" on SUCCESS -> z on ERROR -> z }
  state z { enter { spawn pair(key: 1) spawn single(key: 1) } on GO -> ready }
}

machine later(n: int) {
  initial state a { on GO -> b { spawn job(n: n) in 1h } }
  final state b
}

machine job(n: int) is task {
  state running { run "x:y" }
  state done { enter { when n > 0 { spawn job(n: n - 1) } } }
}

machine strict(n: int) {
  initial state a { on GO -> b { spawn checked(n: n) } }
  final state b
}

machine checked(n: int) {
  initial state a { enter when n > 5 { fail "too many" } on STOP -> z }
  final state z
}
"""


def family(db: Db, machine: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.rows(f"select parent, root, depth from m.{machine} order by id")]


def test_a_spawned_task_knows_its_parent_root_and_depth(db: Db) -> None:
    id = db.create("top", n=1)
    db.send("top", id, "GO")
    middles = db.rows("select * from m.middle order by id")
    assert [(row.n, row.label, row.doubled, row.wait.total_seconds()) for row in middles] == [
        (1, "one", 2, 120),
        (2, "two", 4, 120),
    ]
    assert family(db, "middle") == [(id, id, 1)] * 2
    assert family(db, "leaf") == [(row.id, id, 2) for row in middles]
    assert [row.note for row in db.rows("select note from m.leaf order by id")] == ["one", "two"]


def test_a_root_spawn_is_free_of_its_maker(db: Db) -> None:
    id = db.create("top", n=1)
    db.send("top", id, "GO")
    free = db.rows("select id, of, parent, root, depth from m.free order by of")
    assert [(row.of, row.parent, row.root, row.depth) for row in free] == [(1, None, free[0].id, 0), (100, id, id, 1)]


def test_a_moment_reaches_a_sub_task_unchanged(db: Db) -> None:
    id = db.create("top", n=2)
    db.send("top", id, "GO")
    row = db.one("select at, parent, note from m.leaf where parent = %s", id)
    assert row.at == db.hops("top", id)[-1].at
    assert row.note is None


def test_sub_tasks_are_undone_with_the_dispatch_that_made_them(db: Db) -> None:
    id = db.create("top", n=1)
    with pytest.raises(psycopg.errors.RaiseException):
        db.send("top", id, "BAD")
    assert db.value("select count(*) from m.middle") == 0


def test_a_sub_task_that_cannot_begin_undoes_the_dispatch_that_made_it(db: Db) -> None:
    good, bad = db.create("strict", n=1), db.create("strict", n=6)
    assert db.send("strict", good, "GO").state == "b"
    with pytest.raises(psycopg.errors.RaiseException, match="too many"):
        db.send("strict", bad, "GO")
    assert db.state("strict", bad) == "a"


def test_a_spawn_under_unique_or_return_that_meets_a_live_one_makes_none(db: Db) -> None:
    old = db.create("single", key=4)
    id = db.create("top", n=4)
    assert db.send("top", id, "STOP").applied
    assert [row.id for row in db.rows("select id from m.single")] == [old]
    db.send("single", old, "STOP")
    db.send("top", id, "STOP")
    assert family(db, "single") == [(None, old, 0), (id, id, 1)]


def test_a_spawn_that_breaks_unique_fails_its_own_task_and_no_other_of_the_batch(db: Db) -> None:
    db.create("only", n=2)
    ids = db.create_many("maker", [{"n": n} for n in (1, 2, 3)])
    worker = db.worker()
    tasks = db.claim("maker", worker).tasks
    outcomes = [{"id": task.id, "token": task.token, "event": "SUCCESS"} for task in tasks]
    results = db.resolve_many("maker", worker, outcomes)
    assert results == {ids[0]: "applied", ids[1]: "failed", ids[2]: "applied"}
    assert [db.state("maker", id) for id in ids] == ["done", "abandoned", "done"]
    error = db.hops("maker", ids[1])[2]
    assert (error.event, error.payload["type"]) == ("ERROR", "transition")
    assert "m.only already has a live task with n = 2" in error.payload["message"]
    assert [row.n for row in db.rows("select n from m.only order by n")] == [1, 2, 3]


def test_two_batches_that_spawn_the_same_do_not_deadlock(dsn: str, db: Db) -> None:
    """Each makes live tasks of two machines, all of the same keys, and would wait for the other crosswise."""
    ids = [[db.create(machine) for _ in range(40)] for machine in ("there", "back")]
    failed: list[Exception] = []

    def work(machine: str) -> None:
        with Db(dsn) as own:
            worker = own.worker()
            tasks = own.claim(machine, worker, 100).tasks
            try:
                for start in range(0, 40, 10):
                    batch = [{"id": t.id, "token": t.token, "event": "SUCCESS"} for t in tasks[start : start + 10]]
                    assert set(own.resolve_many(machine, worker, batch).values()) == {"applied"}
            except psycopg.Error as error:
                failed.append(error)

    for _ in range(5):
        threads = [in_thread(lambda machine=machine: work(machine)) for machine in ("there", "back")]  # type: ignore[misc]
        for thread in threads:
            thread.join()
        assert failed == []
        for machine, own in zip(("there", "back"), ids, strict=True):
            for id in own:
                db.send(machine, id, "GO")
        for table in ("single", "pair"):
            for row in db.rows(f"select id from m.{table} where not _ended"):
                db.send(table, row.id, "STOP")


def test_a_spawn_with_a_delay_waits(db: Db) -> None:
    id = db.create("later", n=0)
    db.send("later", id, "GO")
    assert db.claim("job", worker := db.worker()).ids == []
    db.shift("61 min")
    assert len(db.claim("job", worker).ids) == 1


def test_a_machine_spawns_itself_as_often_as_it_says(db: Db) -> None:
    worker = db.worker()
    first = db.create("job", n=3)
    for _ in range(4):
        db.resolve("job", worker, db.claim_one("job", worker), "SUCCESS")
    assert db.claim("job", worker).ids == []
    assert [(row.n, row.depth, row.root) for row in db.rows("select * from m.job order by id")] == [
        (3 - depth, depth, first) for depth in range(4)
    ]


def test_a_batch_of_transitions_spawns_for_each_task_its_own(db: Db) -> None:
    worker = db.worker()
    ids = db.create_many("job", [{"n": 1} for _ in range(50)])
    claimed = db.claim("job", worker, 50)
    db.resolve_many("job", worker, [{"id": t.id, "token": t.token, "event": "SUCCESS"} for t in claimed.tasks])
    rows = db.rows("select parent from m.job where parent is not null order by parent")
    assert [row.parent for row in rows] == sorted(ids)


def test_a_child_begins_at_the_moment_of_the_dispatch_that_spawned_it(db: Db) -> None:
    """So the past shows the parent moved and its children there, or neither."""
    id = db.create("top", n=2)
    db.send("top", id, "GO")
    at = db.value("select at from m.top_history where id = %s and event = 'GO'", id)
    for machine, count in (("middle", 2), ("free", 2), ("leaf", 3)):
        assert db.rows(f"select distinct created_at, entered_at from m.{machine}") == [(at, at)]
        assert db.value(f"select count(*) from m.{machine}_at(%s)", at) == count
        assert db.value(f"select count(*) from m.{machine}_at(%s - interval '1 us')", at) == 0
    assert db.value("select state from m.top_at(%s)", at) == "b"
    assert db.value("select state from m.top_at(%s - interval '1 us')", at) == "a"
