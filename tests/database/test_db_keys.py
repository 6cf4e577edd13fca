"""Idempotency keys: a repeated call gives the first result again, for as long as the task's row is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psycopg
import pytest
from queue_client import Db, Sent
from sessions import in_thread, waiting

MACHINES = """\
module m

event ADD(by: int)
event FAIL_ONCE

machine job(n: int) {
  var total: int = 0
  initial state open {
    on ADD when by > 0 { set total = total + by }
    on CLOSE -> done
    on FAIL_ONCE when n > 0 { fail "no" }
  }
  final state done
}

machine single(n: int) {
  unique (n)
  initial state open { on CLOSE -> done }
  final state done
}

machine shared(n: int) {
  unique (n) or return
  initial state open { on CLOSE -> done }
  final state done
}

machine brief(n: int) {
  keep history 1h
  initial state open {
    on ADD { when n > 0 -> open }
    on CLOSE -> done
  }
  final state done
}

machine other(n: int) {
  initial state open { on CLOSE -> done }
  final state done
}
"""


def test_a_create_with_the_same_key_gives_the_same_task(db: Db) -> None:
    first = db.create("job", n=1, _key="k")
    assert db.create("job", n=2, _key="k") == first
    assert db.task("job", first).n == 1
    assert db.create("job", n=1, _key="l") != first
    assert db.create("other", n=1, _key="k") != first


def test_also_when_it_has_ended(db: Db) -> None:
    for machine in ("job", "single"):
        first = db.create(machine, n=1, _key="k")
        db.send(machine, first, "CLOSE")
        assert db.create(machine, n=1, _key="k") == first


def test_a_key_goes_before_unique(db: Db) -> None:
    first = db.create("single", n=1, _key="k")
    assert db.create("single", n=1, _key="k") == first
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.create("single", n=1, _key="l")


@pytest.mark.parametrize("machine", ["job", "single", "shared"])
def test_create_many_knows_the_keys_of_earlier_calls_and_of_its_own(db: Db, machine: str) -> None:
    first = db.create(machine, n=1, _key="a")
    tasks = [{"n": n, "_key": key} for n, key in ((5, "b"), (6, "a"), (7, "b"), (8, None))]
    ids = db.create_many(machine, tasks)
    assert ids[1] == first
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3
    assert db.create_many(machine, tasks[:3]) == ids[:3]
    assert db.create(machine, n=9, _key="b") == ids[0]


def test_a_key_that_was_answered_with_a_task_that_was_there_stays_with_it(db: Db) -> None:
    first = db.create("shared", n=1)
    assert db.create("shared", n=1, _key="k") == first
    assert db.create_many("shared", [{"n": 1, "_key": "l"}, {"n": 1, "_key": "l"}]) == [first, first]
    db.send("shared", first, "CLOSE")
    second = db.create("shared", n=1)
    assert second != first
    assert db.create("shared", n=1, _key="k") == db.create("shared", n=5, _key="l") == first
    third = db.create("shared", n=7, _key="m")
    assert db.create_many("shared", [{"n": 1, "_key": "k"}, {"n": 1}, {"n": 8, "_key": "m"}]) == [first, second, third]
    assert db.value("select count(*) from m.shared") == 3


def test_the_history_may_be_forgotten_and_the_keys_of_what_was_sent_are_not(db: Db) -> None:
    id = db.create("brief", n=1)
    sent = db.send("brief", id, "ADD", {"by": 1}, key="k")
    db.send("brief", id, "ADD", {"by": 1})
    db.shift("3 h")
    db.run("select jet.tick(1000)")
    assert db.value("select count(*) from m._brief_hops where send_key is null") == 0
    assert db.send("brief", id, "CLOSE", key="k") == sent
    assert db.state("brief", id) == "open"


def at_once(dsn: str, db: Db, call: Callable[[Db], object], *, commit: bool) -> tuple[object, object]:
    """Do it twice, the second while the first is not committed yet: both answers."""
    found: list[object] = []

    def again() -> None:
        with Db(dsn) as own:
            found.append(call(own))

    with Db(dsn) as first:
        first.begin()
        answer = call(first)
        thread = in_thread(again)
        while waiting(db) < 1:
            pass
        first.commit() if commit else first.rollback()
        thread.join()
    return answer, found[0]


def create(db: Db, machine: str) -> object:
    return db.create(machine, n=1, _key="k")


def create_many(db: Db, machine: str) -> object:
    return db.create_many(machine, [{"n": 1, "_key": "k"}, {"n": 2, "_key": "l"}])


@pytest.mark.parametrize("machine", ["job", "single", "shared"])
@pytest.mark.parametrize("call", [create, create_many])
@pytest.mark.parametrize("commit", [True, False])
def test_two_creates_at_once_make_one_task(
    dsn: str, db: Db, call: Callable[[Db, str], object], machine: str, commit: bool
) -> None:
    first, second = at_once(dsn, db, partial(call, machine=machine), commit=commit)
    assert (first == second) == commit
    assert db.value(f"select count(*) from m.{machine} where _key = 'k'") == 1


def test_a_send_with_the_same_key_gives_the_first_answer(db: Db) -> None:
    id = db.create("job", n=0)
    sent = db.send("job", id, "ADD", {"by": 2}, key="k")
    assert db.send("job", id, "ADD", {"by": 2}, key="k") == sent == Sent(True, "open", None)
    db.send("job", id, "CLOSE")
    assert db.send("job", id, "ADD", {"by": 2}, key="k") == sent
    assert db.task("job", id).total == 2


def test_an_answer_of_no_is_the_first_answer_too(db: Db) -> None:
    id = db.create("job", n=0)
    sent = db.send("job", id, "ADD", {"by": 0}, key="k")
    assert sent == Sent(False, "open", "state open does not take ADD")
    assert db.send("job", id, "ADD", {"by": 5}, key="k") == sent
    assert db.send("job", id, "CLOSE", key="k") == sent
    assert db.task("job", id).total == 0


def test_a_key_is_one_task_s(db: Db) -> None:
    ids = [db.create("job", n=0) for _ in range(2)]
    for id in ids:
        assert db.send("job", id, "ADD", {"by": 2}, key="k").applied
    assert [db.task("job", id).total for id in ids] == [2, 2]


def test_what_failed_may_be_tried_again(db: Db) -> None:
    id = db.create("job", n=1)
    for _ in range(2):
        with pytest.raises(psycopg.errors.RaiseException, match="no"):
            db.send("job", id, "FAIL_ONCE", key="k")
    assert db.send("job", id, "ADD", {"by": 1}, key="k").applied


@pytest.mark.parametrize("commit", [True, False])
def test_two_sends_at_once_are_one(dsn: str, db: Db, commit: bool) -> None:
    id = db.create("job", n=0)
    first, second = at_once(dsn, db, lambda own: own.send("job", id, "ADD", {"by": 3}, key="k"), commit=commit)
    assert first == second
    assert db.task("job", id).total == 3


def test_above_read_committed_the_second_has_to_begin_anew(dsn: str, db: Db) -> None:
    id = db.create("job", n=0)
    with Db(dsn) as own:
        own.begin("repeatable read")
        own.value("select count(*) from m.job")
        db.send("job", id, "ADD", {"by": 3}, key="k")
        with pytest.raises(psycopg.errors.SerializationFailure):
            own.send("job", id, "ADD", {"by": 3}, key="k")
        own.rollback()
        own.begin("repeatable read")
        assert own.send("job", id, "ADD", {"by": 3}, key="k").applied
        own.commit()
    assert db.task("job", id).total == 3
