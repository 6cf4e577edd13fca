"""Creating tasks and sending them events from SQL: arguments, defaults, what is refused and how, repeatable calls."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from queue_client import Db, Sent
from sessions import in_thread, waiting

MACHINES = """\
module m

enum tier { free, pro }

event PAID(amount: numeric, method: text, note: text?, tier: tier?)
event TYPED(
  b: bool, i: int, l: bigint, f: float, n: numeric, t: text,
  u: uuid, at: timestamptz, d: date, v: interval, x: bytes,
)
event CANCEL

machine checkout(
  order_id: bigint, email: text, tier: tier = free, discount: numeric = 0.5, note: text?, wait: interval = 90m,
) {
  var charged: numeric = 0
  var total: numeric = discount * 2
  var seen: text?
  initial state cart {
    on PAID when amount > 0 -> charged { set charged = charged + amount  set seen = method ++ (note ?? "-") }
    on CANCEL -> cancelled
  }
  state charged { on CANCEL -> cancelled  on PAID { set charged = charged + amount } }
  final state cancelled
}

machine copier {
  var b: bool = false
  var i: int = 0
  var l: bigint = 0
  var f: float = 0.0
  var n: numeric = 0
  var t: text = ""
  var u: uuid?
  var at: timestamptz?
  var d: date?
  var v: interval = 0s
  var x: bytes?
  initial state a {
    on TYPED {
      set b = event.b  set i = event.i  set l = event.l  set f = event.f  set n = event.n  set t = event.t
      set u = event.u  set at = event.at  set d = event.d  set v = event.v  set x = event.x
    }
    on CANCEL -> z
  }
  final state z
}

machine work(n: int) is task(max_attempts: 2) { state running { run "x:y" } }
"""


def test_create_fills_in_defaults(db: Db) -> None:
    task = db.task("checkout", db.create("checkout", order_id=7, email="a@b.c"))
    assert (task.order_id, task.email, task.tier, task.discount, task.note) == (
        7,
        "a@b.c",
        "free",
        Decimal("0.5"),
        None,
    )
    assert task.wait.total_seconds() == 5400
    assert (task.charged, task.total, task.seen) == (0, 1, None)
    assert (task.state, task.attempts, task.depth, task.parent, task.root) == ("cart", 0, 0, None, task.id)
    assert task.created_at == task.entered_at


def test_create_takes_every_param_by_name(db: Db) -> None:
    id = db.create("checkout", note="n", tier="pro", discount=Decimal("1.25"), email="e", order_id=1)
    task = db.task("checkout", id)
    assert (task.note, task.tier, task.discount, task.total) == ("n", "pro", Decimal("1.25"), Decimal("2.50"))


def test_ids_are_unique_in_the_database(db: Db) -> None:
    ids = [db.create("checkout", order_id=1, email="e"), db.create("copier"), db.create("work", n=1)]
    ids += db.create_many("work", [{"n": 1}, {"n": 2}])
    assert sorted(set(ids)) == ids


def test_a_required_param_that_is_null_is_named(db: Db) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"m\.checkout needs email"):
        db.create("checkout", order_id=7, email=None)


def test_a_value_outside_of_an_enum_is_refused(db: Db) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="tier"):
        db.create("checkout", order_id=7, email="e", tier="gold")


def test_a_delay_a_moment_or_a_priority_hold_a_task_back(db: Db) -> None:
    delayed = db.task("work", db.create("work", n=1, _delay="2 h"))
    assert (delayed.run_at - delayed.created_at).total_seconds() == 7200
    moment = db.value("select jet.now() + interval '1 d'")
    assert db.task("work", db.create("work", n=1, _run_at=moment)).run_at == moment
    past = db.task("work", db.create("work", n=1, _run_at="2001-01-01"))
    assert past.run_at == past.created_at


def test_a_machine_that_waits_for_no_worker_takes_no_delay(db: Db) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="starts in cart, where no worker takes it"):
        db.create("checkout", order_id=1, email="e", _delay="1 h")


def test_a_repeated_key_gives_the_first_task(db: Db) -> None:
    first = db.create("checkout", order_id=1, email="e", _key="k")
    assert db.create("checkout", order_id=2, email="f", _key="k") == first
    assert db.create("checkout", order_id=2, email="f", _key="l") != first
    assert db.value("select count(*) from m.checkout") == 2


def test_a_key_still_gives_the_first_task_when_it_has_ended(db: Db) -> None:
    first = db.create("checkout", order_id=1, email="e", _key="k")
    db.send("checkout", first, "CANCEL")
    assert db.create("checkout", order_id=1, email="e", _key="k") == first


def test_concurrent_creates_with_one_key_make_one_task(dsn: str, db: Db) -> None:
    found: list[int] = []

    def create() -> None:
        with Db(dsn) as own:
            found.append(own.create("checkout", order_id=1, email="a", _key="k"))

    with Db(dsn) as first:
        first.begin()
        id = first.create("checkout", order_id=1, email="a", _key="k")
        threads = [threading.Thread(target=create) for _ in range(4)]
        for thread in threads:
            thread.start()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        while db.value(waiting) < 4 and any(thread.is_alive() for thread in threads):
            pass
        first.commit()
        for thread in threads:
            thread.join()
    assert found == [id] * 4
    assert db.value("select count(*) from m.checkout") == 1


# ---------------------------------------------------------------- many at once


def test_create_many_answers_in_the_order_of_its_input(db: Db) -> None:
    ids = db.create_many("work", [{"n": n} for n in range(10_000)])
    rows = db.rows("select id, n from m.work")
    assert {row.id: row.n for row in rows} == {id: n for n, id in enumerate(ids)}
    assert len(set(ids)) == 10_000


def test_create_many_with_keys_answers_in_order_and_makes_each_once(db: Db) -> None:
    old = db.create("work", n=0, _key="b")
    tasks = [{"n": n, "_key": key} for n, key in enumerate(["c", "a", "b", "a", None, "c"])]
    ids = db.create_many("work", tasks)
    assert ids[2] == old
    assert ids[1] == ids[3]
    assert ids[0] == ids[5]
    assert len(set(ids)) == 4
    assert db.create_many("work", tasks)[:4] == ids[:4]
    assert db.value("select count(*) from m.work") == 5


def test_create_many_takes_defaults_and_control_members(db: Db) -> None:
    tasks = [
        {"order_id": 1, "email": "a"},
        {"order_id": 2, "email": "b", "tier": "pro", "discount": 2, "wait": "1 min", "note": "x"},
    ]
    first, second = (db.task("checkout", id) for id in db.create_many("checkout", tasks))
    assert (first.tier, first.discount, first.total, first.note) == ("free", Decimal("0.5"), 1, None)
    assert (second.tier, second.discount, second.total, second.note) == ("pro", 2, 4, "x")
    assert second.wait.total_seconds() == 60
    ids = db.create_many(
        "work", [{"n": 1, "_delay": "1 h"}, {"n": 2, "_priority": 5}, {"n": 3, "_run_at": "2001-01-01T00:00:00Z"}]
    )
    delayed, later, past = (db.task("work", id) for id in ids)
    assert (delayed.run_at - delayed.created_at).total_seconds() == 3600
    assert (later._priority, past.run_at) == (5, past.created_at)


def test_create_many_of_nothing_makes_nothing(db: Db) -> None:
    assert db.create_many("work", []) == []


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([{"n": 1}, {"n": 2, "foo": 1}], r"task 2 of m\.work.*no field 'foo'"),
        ([{"n": 1}, {}], r"task 2 of m\.work.*needs field 'n'"),
        ([{"n": "x"}], r"task 1 of m\.work.*'n' as int"),
        ([{"n": 1}, 5], r"task 2 of m\.work.*an object"),
        ({"n": 1}, "an array of objects, not object"),
        ([{"n": 1, "_root": 3}], "no field '_root'"),
    ],
)
def test_create_many_says_which_field_of_which_task_is_wrong(db: Db, tasks: Any, message: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
        db.create_many("work", tasks)
    assert db.value("select count(*) from m.work") == 0


def test_create_many_names_the_field_whose_value_is_no_member_of_its_enum(db: Db) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"task 1 of m\.checkout.*'tier'.*gold"):
        db.create_many("checkout", [{"order_id": 1, "email": "e", "tier": "gold"}])


# ---------------------------------------------------------------- send


def test_send_says_whether_the_event_was_taken_and_where_that_led(db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    assert db.send("checkout", id, "PAID", {"amount": -1, "method": "x"}) == Sent(
        False, "cart", "state cart does not take PAID"
    )
    assert db.send("checkout", id, "PAID", {"amount": 5.25, "method": "card"}) == Sent(True, "charged", None)
    assert db.task("checkout", id).charged == Decimal("5.25")
    assert db.task("checkout", id).seen == "card-"
    assert db.send("checkout", id, "CANCEL") == Sent(True, "cancelled", None)


def test_the_payload_is_in_the_history(db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    db.send("checkout", id, "PAID", {"amount": 5, "method": "card"})
    last = db.hops("checkout", id)[-1]
    assert (last.event, last.payload) == ("PAID", {"amount": 5, "method": "card"})
    assert last.changed == {"charged": 5, "seen": "card-"}


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"amount": 5}, "PAID needs field 'method'"),
        ({"amount": 5, "method": None}, "PAID needs field 'method'"),
        ({"amount": "x", "method": "card"}, "PAID takes field 'amount' as numeric"),
        ({"amount": 5, "method": 5}, "PAID takes field 'method' as text"),
        ({"amount": 5, "methud": "card"}, "PAID has no field 'methud'"),
        ({"amount": 5, "method": "card", "tier": "gold"}, "PAID takes field 'tier'.*free.*pro.*gold"),
        ([5], "PAID takes an object of fields, not array"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_and_the_field_named(db: Db, payload: Any, message: str) -> None:
    id = db.create("checkout", order_id=1, email="e")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message) as raised:
        db.send("checkout", id, "PAID", payload)
    assert "amount: numeric, method: text, note: text?, tier: tier?" in (raised.value.diag.message_hint or "")
    assert db.path("checkout", id) == [(None, None, "cart")]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("b", "maybe"),
        ("i", 2**31),
        ("i", 1.5),
        ("l", 2**63),
        ("f", "one"),
        ("n", True),
        ("t", {"a": 1}),
        ("u", "no-uuid"),
        ("at", "yesterday-ish"),
        ("d", "2026-13-01"),
        ("v", "some time"),
    ],
)
def test_each_type_refuses_what_is_none_of_its_values(db: Db, field: str, wrong: object) -> None:
    id = db.create("copier")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"TYPED takes field '{field}' as "):
        db.send("copier", id, "TYPED", {**TYPED, field: wrong})


TYPED = {
    "b": True,
    "i": -5,
    "l": 2**62,
    "f": 0.1,
    "n": 12345678901234567890,
    "t": "'; -- \\ % \u00e9\u4e16 \"",
    "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "at": "2026-01-02T03:04:05.678901+02:00",
    "d": "2026-02-28",
    "v": "1 day 02:03:04",
    "x": "\\x00ff",
}


def test_each_type_goes_through_a_payload_into_its_column(db: Db) -> None:
    id = db.create("copier")
    assert db.send("copier", id, "TYPED", TYPED).applied
    task = db.task("copier", id)
    assert (task.b, task.i, task.l, task.f, task.n, task.t) == tuple(TYPED[key] for key in "bilfnt")
    assert str(task.u) == TYPED["u"]
    assert task.at.timestamp() == 1767315845.678901
    assert (task.d.isoformat(), task.v.total_seconds(), bytes(task.x)) == ("2026-02-28", 86400 + 7384, b"\x00\xff")


def test_an_event_that_no_state_knows_is_refused_with_those_it_takes(db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"m\.checkout does not take event PIAD") as raised:
        db.send("checkout", id, "PIAD")
    assert raised.value.diag.message_hint == "it takes PAID, CANCEL"
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        db.rows("select * from m.checkout_send(%s, null)", id)


@pytest.mark.parametrize(
    "event", ["LOCKED_BY_WORKER", "SUCCESS", "ERROR", "RELEASED", "LEASE_EXPIRED", "TIMEOUT", "stuck", "late"]
)
def test_lifecycle_events_cannot_be_sent_from_outside(db: Db, event: str) -> None:
    id = db.create("work", n=1)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not take event"):
        db.send("work", id, event)


def test_a_task_that_does_not_exist_is_an_error_with_a_way_out(db: Db) -> None:
    for call in (
        "m.checkout_send(77, 'CANCEL')",
        "m.checkout_send_cancel(77)",
        "m.checkout_retry(77)",
        "m.checkout_send(null, 'CANCEL')",
    ):
        with pytest.raises(psycopg.errors.NoDataFound, match=r"m\.checkout has no task (77|null)") as raised:
            db.rows(f"select {call}")
        assert "select id from m.checkout" in (raised.value.diag.message_hint or "")


def test_each_event_has_a_typed_function(db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    query = (
        "select * from m.checkout_send_paid(%s, amount => 3, method => 'card', note => '!', tier => 'pro', _key => 'k')"
    )
    assert Sent(*db.one(query, id)) == Sent(True, "charged", None)
    assert Sent(*db.one(query, id)) == Sent(True, "charged", None)
    assert (db.task("checkout", id).charged, db.task("checkout", id).seen) == (3, "card!")
    assert Sent(*db.one("select * from m.checkout_send_cancel(%s)", id)).state == "cancelled"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="PAID needs field 'method'"):
        db.rows("select m.checkout_send_paid(%s, 3, null)", id)


def test_a_send_with_a_repeated_key_is_done_once_and_answers_as_before(db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    paid = {"amount": 5, "method": "card"}
    first = db.send("checkout", id, "PAID", paid, key="k")
    db.send("checkout", id, "CANCEL")
    assert db.send("checkout", id, "PAID", paid, key="k") == first
    assert db.task("checkout", id).charged == 5
    assert len(db.hops("checkout", id)) == 3
    ignored = db.send("checkout", id, "PAID", paid, key="l")
    assert (ignored.applied, ignored.state) == (False, "cancelled")
    assert db.send("checkout", id, "PAID", paid, key="l") == ignored
    assert len(db.hops("checkout", id)) == 4


def test_the_same_key_for_another_task_is_another_send(db: Db) -> None:
    ids = [db.create("checkout", order_id=n, email="e") for n in (1, 2)]
    assert [db.send("checkout", id, "CANCEL", key="k").applied for id in ids] == [True, True]


def test_concurrent_sends_with_one_key_are_applied_once(dsn: str, db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    db.send("checkout", id, "PAID", {"amount": 1, "method": "x"})
    found: list[Sent] = []

    def send() -> None:
        with Db(dsn) as own:
            found.append(own.send("checkout", id, "PAID", {"amount": 10, "method": "x"}, key="k"))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Sent(True, "charged", None)] * 6
    assert db.task("checkout", id).charged == 11


def test_a_send_waits_for_another_of_its_key_and_answers_as_that_one(dsn: str, db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    paid = {"amount": 10, "method": "x"}
    found: list[object] = []

    def send() -> None:
        with Db(dsn) as own:
            try:
                found.append(own.send("checkout", id, "PAID", paid, key="k"))
            except psycopg.Error as error:
                found.append(error)

    with Db(dsn) as first:
        first.begin()
        answer = first.send("checkout", id, "PAID", paid, key="k")
        thread = in_thread(send)
        while not waiting(db):
            pass
        first.commit()
        thread.join()
    assert found == [answer]


def test_finished_tasks_take_rerun_and_abandoned_ones_retry(db: Db) -> None:
    worker = db.worker()
    id = db.create("work", n=1)
    assert db.send("work", id, "RERUN_TASK").applied is False
    db.resolve("work", worker, db.claim_one("work", worker), "SUCCESS")
    assert db.send("work", id, "RETRY_TASK").applied is False
    assert db.send("work", id, "RERUN_TASK") == Sent(True, "ready", None)
    for _ in range(2):
        db.error("work", worker, db.claim_one("work", worker))
    assert (db.state("work", id), db.task("work", id).attempts) == ("abandoned", 2)
    assert db.send("work", id, "RETRY_TASK") == Sent(True, "ready", None)
    assert db.task("work", id).attempts == 0


def test_psql_alone_can_do_it_all(db: Db) -> None:
    """The words of the README, with literals of unknown type and nothing cast."""
    id = db.value("select m.checkout_create(order_id => 7, email => 'a@b.c')")
    assert db.one(f'select * from m.checkout_send({id}, \'PAID\', \'{{"amount": 5, "method": "card"}}\')') == (
        True,
        "charged",
        None,
    )
    assert db.value(f"select count(*) from m.checkout_history where id = {id}") == 2
    assert db.value(f"select state from m.checkout_at(now() - interval '0 s') where id = {id}") == "charged"
    assert db.rows(f"select state from m.checkout_at(now() - interval '1 min') where id = {id}") == []
    assert db.value('select m.checkout_create_many(\'[{"order_id": 1, "email": "x"}]\')') > id


def test_a_null_payload_is_an_empty_one(db: Db) -> None:
    id = db.create("checkout", order_id=1, email="e")
    assert Sent(*db.one("select * from m.checkout_send(%s, 'CANCEL', null)", id)).applied
    other = db.create("checkout", order_id=1, email="e")
    assert Sent(*db.one("select * from m.checkout_send(%s, 'CANCEL', %s)", other, Jsonb(None))).applied
