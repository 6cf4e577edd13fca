"""`priority`: in which order tasks are claimed."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db

MACHINES = """\
module m

event GO

machine parcel(urgency: int = 0, weight: int?) {
  priority 10 - urgency * (weight ?? 1)
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running {
    run "app:carry"
    on SUCCESS, ERROR -> done
    on AGAIN -> ready
  }
  final state done
}

machine order {
  initial state open { on GO -> done }
  final state done {
    enter {
      spawn parcel(urgency: 1)
      spawn parcel(urgency: 3, weight: 2)
    }
  }
}
"""


def claimed(db: Db) -> list[int]:
    return db.claim("parcel", db.worker(), 100).ids


def test_tasks_are_claimed_by_the_machine_s_priority(db: Db) -> None:
    plain, urgent, heavy = (db.create("parcel", **one) for one in ({}, {"urgency": 2}, {"urgency": 2, "weight": 9}))
    assert [db.task("parcel", id)._priority for id in (plain, urgent, heavy)] == [10, 8, -8]
    assert claimed(db) == [heavy, urgent, plain]


def test_the_creator_may_say_otherwise(db: Db) -> None:
    ids = db.create_many("parcel", [{"urgency": 5}, {"urgency": 5, "_priority": 0}, {"urgency": 1, "_key": "k"}])
    assert [db.task("parcel", id)._priority for id in ids] == [5, 0, 9]
    assert db.task("parcel", db.create("parcel", urgency=5, _priority=3))._priority == 3


def test_spawned_tasks_have_it_too(db: Db) -> None:
    order = db.create("order")
    db.send("order", order, "GO")
    assert [row[0] for row in db.rows("select _priority from m.parcel order by id")] == [9, 4]


def test_it_stays_when_the_task_comes_back(db: Db) -> None:
    id, worker = db.create("parcel", urgency=4), db.worker()
    db.resolve("parcel", worker, db.claim_one("parcel", worker), "AGAIN")
    assert db.task("parcel", id)._priority == 6


def test_one_that_no_int_holds_makes_no_task(db: Db) -> None:
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        db.create("parcel", urgency=2147483647, weight=2)
    assert db.value("select count(*) from m.parcel") == 0
