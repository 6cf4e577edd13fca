"""What random trees of tasks found where Postgres and the reference interpreter did not agree: each once more."""

from __future__ import annotations

from queue_client import Db

MACHINES = """\
module m

event EARLY

machine rests(n: int) {
  var k: int = 0
  initial state waiting {
    enter { set k = 5 }
    on SUBTREE_FLUSHED when n == 1 { set k = k + 1 }
    on GO -> again
  }
  state again {
    enter { increment k }
    on SUBTREE_FLUSHED { set k = k + 3 }
    on GO -> done
  }
  final state done
}

machine busy {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    defer EARLY
    on SUCCESS -> done
    on ERROR -> failed
  }
  final state done { on EARLY -> done }
  failure state failed
}
"""


def test_a_task_that_rests_when_it_is_made_tells_the_event_and_what_it_set(db: Db) -> None:
    id = db.create("rests", n=1)
    assert [(hop.event, hop.changed) for hop in db.hops("rests", id)] == [(None, None), ("SUBTREE_FLUSHED", {"k": 6})]


def test_what_is_set_when_nothing_is_left_below_stands_in_that_hop_and_not_the_one_before(db: Db) -> None:
    id = db.create("rests", n=2)
    db.send("rests", id, "GO")
    hops = [(hop.event, hop.changed) for hop in db.hops("rests", id)]
    assert hops[1:] == [("GO", {"k": 6}), ("SUBTREE_FLUSHED", {"k": 9})]


def test_an_outcome_is_not_put_off_though_its_state_defers_that_event(db: Db) -> None:
    id = db.create("busy")
    worker = db.worker()
    assert db.resolve("busy", worker, db.claim_one("busy", worker), "EARLY") == "failed"
    assert db.state("busy", id) == "failed"
