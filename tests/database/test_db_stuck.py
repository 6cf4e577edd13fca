"""Poison: a task whose transition raises is set aside, and the rest of its batch goes through."""

from __future__ import annotations

from typing import Any

import pytest
from queue_client import Db, Sent, outcome

MACHINES = """\
module m

event CANCEL
event GO

/// Bad tasks cannot even be claimed.
machine claims(bad: bool) {
  var broken: bool = bad
  var n: int = 0
  initial state ready {
    on LOCKED_BY_WORKER -> running { when broken { fail "cannot begin" } set n = n + 1 }
    on CANCEL -> z
  }
  state running {
    run "x:y"
    on SUCCESS -> z
    on ERROR -> z
  }
  final state z
  on GO { set broken = false }
}

/// A bad claim that the state handles.
machine handled(bad: bool) {
  var why: text = ""
  initial state ready {
    on LOCKED_BY_WORKER -> running { when bad { fail "cannot begin" } }
    on ERROR -> z { set why = type ++ ": " ++ message }
  }
  state running { run "x:y"  on SUCCESS -> z  on ERROR -> z }
  final state z
}

/// A bad result whose ERROR can be taken.
machine falls(n: int) {
  var x: int = 0
  var why: text = ""
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    on SUCCESS(by: int) -> done { set x = 100 / event.by }
    on ERROR -> failed { set why = type ++ ": " ++ message }
  }
  final state done
  failure state failed
}

/// A bad result whose ERROR is no better.
machine sticks(n: int) {
  var open: bool = false
  var got: int = 0
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    on SUCCESS(by: int) -> done { when not open { fail "shut" } set got = event.by + got }
    on ERROR -> failed { when not open { fail "shut for errors too" } }
    on GO { set open = true }
    on CANCEL -> done
  }
  final state done
  failure state failed
}

/// It takes every ERROR but that of its own handler.
machine touchy {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    on SUCCESS -> done
    on ERROR when type == "E" { fail "not that one" }
    on ERROR -> failed
  }
  final state done
  failure state failed
}
"""


def claim_all(db: Db, machine: str, worker: int) -> dict[int, Any]:
    return {task.id: task for task in db.claim(machine, worker, 100).tasks}


def test_a_claim_that_raises_sets_its_task_aside_and_hands_out_the_others(db: Db) -> None:
    ids = db.create_many("claims", [{"bad": n in (1, 3)} for n in range(5)])
    worker = db.worker()
    assert sorted(claim_all(db, "claims", worker)) == [ids[0], ids[2], ids[4]]
    for id in (ids[1], ids[3]):
        row = db.task("claims", id)
        assert (row.state, row.n, row._worker, row._token, row.run_at) == ("ready", 0, None, None, None)
        stuck = row._stuck
        assert (stuck["event"], stuck["error"], stuck["state"]) == ("LOCKED_BY_WORKER", "cannot begin", "ready")
    assert db.claim("claims", worker).ids == []


def test_a_stuck_task_is_told_in_the_history(db: Db) -> None:
    id = db.create("claims", bad=True)
    assert db.claim("claims", db.worker()).ids == []
    last = db.hops("claims", id)[-1]
    assert (last.event, last.from_state, last.to_state) == ("stuck", "ready", None)
    assert last.payload["error"] == "cannot begin"


def test_retry_frees_a_stuck_claim(db: Db) -> None:
    id = db.create("claims", bad=True)
    worker = db.worker()
    db.claim("claims", worker)
    assert db.send("claims", id, "GO").applied
    assert db.claim("claims", worker).ids == []
    assert db.retry("claims", id) == Sent(True, "ready", None)
    assert db.task("claims", id)._stuck is None
    assert db.claim("claims", worker).ids == [id]


def test_retry_of_a_task_that_is_still_poison_makes_it_stuck_again(db: Db) -> None:
    id = db.create("claims", bad=True)
    worker = db.worker()
    db.claim("claims", worker)
    db.retry("claims", id)
    assert db.claim("claims", worker).ids == []
    assert db.task("claims", id)._stuck["error"] == "cannot begin"


def test_a_stuck_task_that_moves_on_is_stuck_no_more(db: Db) -> None:
    id = db.create("claims", bad=True)
    db.claim("claims", db.worker())
    assert db.send("claims", id, "CANCEL").state == "z"
    assert db.task("claims", id)._stuck is None


def test_retry_of_a_task_that_is_not_stuck_does_nothing(db: Db) -> None:
    id = db.create("claims", bad=False)
    assert db.retry("claims", id) == Sent(False, "ready", "it is not stuck")
    assert len(db.hops("claims", id)) == 1


def test_a_claim_that_raises_dispatches_error_where_that_is_handled(db: Db) -> None:
    ids = db.create_many("handled", [{"bad": True}, {"bad": False}])
    assert sorted(claim_all(db, "handled", db.worker())) == [ids[1]]
    row = db.task("handled", ids[0])
    assert (row.state, row.why, row._stuck) == ("z", "transition: cannot begin", None)


def test_an_outcome_that_raises_dispatches_error_once_and_the_rest_of_the_batch_goes_through(db: Db) -> None:
    ids = db.create_many("falls", [{"n": n} for n in range(5)])
    worker = db.worker()
    tasks = claim_all(db, "falls", worker)
    results = db.resolve_many(
        "falls", worker, [outcome(tasks[id], "SUCCESS", {"by": n - 2}) for n, id in enumerate(ids)]
    )
    assert results == {id: "failed" if n == 2 else "applied" for n, id in enumerate(ids)}
    row = db.task("falls", ids[2])
    assert (row.state, row.why) == ("failed", "transition: division by zero")
    assert [hop[0] for hop in db.path("falls", ids[2])] == [None, "LOCKED_BY_WORKER", "ERROR"]
    assert [db.task("falls", id).x for id in ids] == [-50, -100, 0, 100, 50]


def test_an_outcome_whose_error_raises_too_is_stuck_and_holds_no_lease(db: Db) -> None:
    good, bad = db.create_many("sticks", [{"n": 1}, {"n": 2}])
    worker = db.worker()
    tasks = claim_all(db, "sticks", worker)
    db.send("sticks", good, "GO")
    results = db.resolve_many("sticks", worker, [outcome(tasks[id], "SUCCESS", {"by": 1}) for id in (good, bad)])
    assert results == {good: "applied", bad: "stuck"}
    row = db.task("sticks", bad)
    assert (row.state, row._worker, row._token) == ("running", None, None)
    assert (row._stuck["event"], row._stuck["payload"]) == ("SUCCESS", {"by": 1})
    assert "shut" in row._stuck["error"]
    assert db.path("sticks", bad)[-1] == ("stuck", "running", None)


def stick(db: Db, event: str, payload: Any, set: Any = None) -> int:
    id = db.create("sticks", n=1)
    worker = db.worker()
    assert db.resolve("sticks", worker, db.claim_one("sticks", worker), event, payload, set) == "stuck"
    return id


def test_retry_dispatches_again_what_a_task_was_stuck_on(db: Db) -> None:
    id = stick(db, "SUCCESS", {"by": 7}, {"got": 100})
    db.send("sticks", id, "GO")
    assert db.task("sticks", id).got == 0
    assert db.retry("sticks", id) == Sent(True, "done", None)
    assert (db.task("sticks", id).got, db.task("sticks", id)._stuck) == (107, None)


def test_retry_of_an_outcome_that_nothing_takes_falls_to_error_again(db: Db) -> None:
    id = stick(db, "NONSENSE", None)
    db.send("sticks", id, "GO")
    assert db.retry("sticks", id).state == "failed"


@pytest.mark.parametrize("event", ["ERROR", "RELEASED", "TIMEOUT"])
def test_an_error_that_raises_is_stuck_at_once(db: Db, event: str) -> None:
    id = stick(db, event, None)
    assert "shut for errors too" in db.task("sticks", id)._stuck["error"]
    db.send("sticks", id, "GO")
    assert db.retry("sticks", id).state == "failed"


def test_an_error_that_raises_is_not_sent_as_an_error_again(db: Db) -> None:
    db.create("touchy")
    worker = db.worker()
    task = db.claim_one("touchy", worker)
    assert db.error("touchy", worker, task) == "stuck"
    assert db.state("touchy", task.id) == "running"


def test_a_retry_that_fails_again_reaches_the_caller_and_changes_nothing(db: Db) -> None:
    id = stick(db, "SUCCESS", {"by": 7})
    before = db.task("sticks", id)
    with pytest.raises(Exception, match="shut"):
        db.retry("sticks", id)
    assert db.task("sticks", id) == before


def test_a_repeated_result_of_a_stuck_task_is_a_duplicate(db: Db) -> None:
    db.create("sticks", n=1)
    worker = db.worker()
    task = db.claim_one("sticks", worker)
    assert db.resolve("sticks", worker, task, "SUCCESS", {"by": 1}) == "stuck"
    assert db.resolve("sticks", worker, task, "SUCCESS", {"by": 1}) == "duplicate"


def test_an_expired_lease_that_cannot_be_dispatched_does_not_stop_the_sweep(db: Db) -> None:
    bad, good = db.create_many("sticks", [{"n": 1}, {"n": 2}])
    worker = db.worker()
    claim_all(db, "sticks", worker)
    db.send("sticks", good, "GO")
    db.run("select jet.worker_stop(%s)", worker)
    assert db.value("select jet.tick()") == 2
    assert db.state("sticks", good) == "failed"
    assert db.task("sticks", bad)._stuck["event"] == "LEASE_EXPIRED"
    assert db.value("select jet.tick()") == 0


def test_stuck_tasks_are_found_by_their_index(db: Db) -> None:
    db.create_many("claims", [{"bad": False} for _ in range(2000)])
    id = db.create("claims", bad=True, _priority=-1)
    db.claim("claims", db.worker(), 1)
    db.run("analyze m.claims")
    plan = "\n".join(row[0] for row in db.rows("explain select id from m.claims where _stuck is not null"))
    assert "claims_stuck" in plan
    assert [row.id for row in db.rows("select id from m.claims where _stuck is not null")] == [id]
