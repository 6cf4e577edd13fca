"""Under `unique … or return` a spawn meets what its dispatch, or one before it in the same update, is about to make."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db

MACHINES = """\
module m

event GO(a: text, b: text)
event TELL

machine child(key: text, n: int = 1) {
  unique (key, n) or return
  initial state open { on TELL -> done }
  final state done
}

/// Two keys: a task may meet one by the first, another by the second.
machine either(a: text, b: text?) {
  unique (a) or return
  unique (b) or return
  initial state open { on TELL -> done }
  final state done
}

machine named {
  initial state open {
    on GO -> done {
      spawn child(key: a) as one
      spawn child(key: b, n: 1) as two
    }
  }
  final state done
}

machine half_named {
  initial state open { on GO -> done { spawn root child(key: a)  spawn child(key: b) as two  spawn child(key: a) } }
  final state done
}

machine counting(keys: text[]) {
  initial state open {
    on TELL -> waiting { spawn child(key: key) for key in keys  spawn child(key: "last") }
  }
  state waiting { on SUBTREE_FLUSHED -> done }
  final state done
}

machine two_ways(keys: text[]) {
  var first: bigint?
  initial state open {
    on TELL -> waiting { spawn either(a: key, b: "b") for key in keys  spawn either(a: "z", b: "b") as last }
  }
  state waiting { on SUBTREE_FLUSHED when last is not null -> done }
  final state done
}

machine hearing {
  var told: int = 0
  initial state open {
    on GO { spawn child(key: a) as one  spawn child(key: b) as two  increment told }
    on TELL when children.count(open) > 9 -> done
  }
  final state done
}

machine telling(to: bigint) {
  initial state open {
    on GO -> done { send to GO(a: a, b: b)  send to GO(a: b, b: a) }
  }
  final state done
}
"""


def works(db: Db, machine: str, id: int, payload: dict[str, str]) -> bool:
    try:
        return db.send(machine, id, "GO", payload).applied
    except psycopg.errors.UniqueViolation:
        return False


def children(db: Db, machine: str = "child") -> list[int]:
    return [row.id for row in db.rows(f"select id from m.{machine} order by id")]


@pytest.mark.parametrize("there", [False, True])
def test_the_second_of_two_names_is_the_first_s_task(db: Db, there: bool) -> None:
    if there:
        db.create("child", key="x")
    id = db.create("named")
    assert works(db, "named", id, {"a": "x", "b": "x"})
    task = db.task("named", id)
    assert [task.one, task.two] == children(db) * 2


def test_others_are_made_apart(db: Db) -> None:
    id = db.create("named")
    db.send("named", id, "GO", {"a": "x", "b": "y"})
    task = db.task("named", id)
    assert [task.one, task.two] == children(db)


def test_one_that_is_named_meets_one_that_is_not(db: Db) -> None:
    id = db.create("half_named")
    assert db.send("half_named", id, "GO", {"a": "x", "b": "x"}).applied
    assert [db.task("half_named", id).two] == children(db)


def test_of_several_that_meet_one_is_counted(db: Db) -> None:
    id = db.create("counting", keys=["x", "y", "x", "last", "x"])
    assert db.send("counting", id, "TELL").applied
    assert len(children(db)) == 3
    assert db.task("counting", id)._subtree == {"m.child open": 3}
    for child in children(db):
        assert db.state("counting", id) == "waiting"
        db.send("child", child, "TELL")
        db.value("select m.counting_pump()")
    assert db.state("counting", id) == "done"


def test_one_that_is_met_by_another_key_is_counted_once(db: Db) -> None:
    id = db.create("two_ways", keys=["x", "y", "z"])
    assert db.send("two_ways", id, "TELL").applied
    (only,) = children(db, "either")
    task = db.task("two_ways", id)
    assert (task.last, task._subtree) == (only, {"m.either": 1})


def test_what_an_event_before_it_in_the_same_update_makes_is_met(db: Db) -> None:
    id = db.create("hearing")
    db.send("telling", db.create("telling", to=id), "GO", {"a": "x", "b": "y"})
    assert db.value("select m.hearing_pump()") == 2
    task = db.task("hearing", id)
    assert (task.told, task._children) == (2, {"m.child open": 2})
    assert [task.two, task.one] == children(db)


def test_parents_of_one_batch_meet_in_one_task(db: Db) -> None:
    ids = [db.create("hearing") for _ in range(3)]
    for id in ids:
        db.send("telling", db.create("telling", to=id), "GO", {"a": "x", "b": "x"})
    assert db.value("select m.hearing_pump()") == 6
    (only,) = children(db)
    assert [(db.task("hearing", id).one, db.task("hearing", id).told) for id in ids] == [(only, 2)] * 3
    assert [db.task("hearing", id)._children for id in ids] == [{"m.child open": 1}, None, None]
