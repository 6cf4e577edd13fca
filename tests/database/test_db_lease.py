"""Leases, heartbeats, sweeps and timeouts, with leases short enough to watch them end."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from queue_client import Db, outcome

MACHINES = """\
module m

machine job(n: int = 0) is task(max_attempts: 3) { state running { run "x:y" } }

machine listens {
  var why: text = ""
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    timeout 1h
    on SUCCESS -> done
    on ERROR -> failed { set why = type }
    on LEASE_EXPIRED -> ready
    on TIMEOUT -> late
  }
  final state done
  failure state failed, late
}

machine unheard {
  var why: text = ""
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    timeout 10m
    on SUCCESS -> done
    on ERROR -> failed { set why = type ++ ": " ++ message }
    on TIMEOUT when why == "never" -> done
  }
  final state done
  failure state failed
}
"""

MOMENT = "10 ms"


def silent(db: Db, *workers: int) -> None:
    """As if these workers had not been heard of for an hour. (No lease ends before the server has run that long.)"""
    query = "update jet.worker set seen_at = seen_at - interval '1 h', beating_since = beating_since - interval '1 h'"
    db.run(f"{query} where id = any(%s)", list(workers))


def steady(db: Db) -> int:
    """A worker that has kept its heartbeat for longer than its lease, so that it may sweep."""
    worker = db.worker("steady", "30 min")
    db.run("update jet.worker set beating_since = beating_since - interval '1 h' where id = %s", worker)
    return worker


def beat(db: Db, worker: int) -> bool:
    found: bool = db.value("select jet.heartbeat(%s)", worker)
    return found


def held(db: Db, machine: str, worker: int) -> Any:
    db.create(machine)
    return db.claim_one(machine, worker)


def test_an_expired_lease_comes_back_as_lease_expired(db: Db) -> None:
    dead = db.worker("dead", MOMENT)
    task = held(db, "listens", dead)
    silent(db, dead)
    assert db.value("select jet.tick()") == 1
    assert db.path("listens", task.id)[-1] == ("LEASE_EXPIRED", "running", "ready")
    assert db.hops("listens", task.id)[-1].actor == "jet.tick"
    assert db.task("listens", task.id)._worker is None
    assert db.resolve("listens", dead, task, "SUCCESS") == "lost"


def test_where_lease_expired_is_not_handled_it_is_an_error(db: Db) -> None:
    dead = db.worker("dead", MOMENT)
    task, other = held(db, "unheard", dead), held(db, "job", dead)
    silent(db, dead)
    assert db.value("select jet.tick()") == 2
    assert db.task("unheard", task.id).why.startswith("LEASE_EXPIRED: ")
    assert (db.state("job", other.id), db.task("job", other.id).attempts) == ("ready", 1)


def test_heartbeats_keep_a_lease_alive(db: Db) -> None:
    worker = db.worker("w", "5 s")
    task = held(db, "listens", worker)
    silent(db, worker)
    assert beat(db, worker)
    assert db.value("select clock_timestamp() - seen_at < lease from jet.worker where id = %s", worker)
    assert db.value("select jet.tick()") == 0
    assert db.resolve("listens", worker, task, "SUCCESS") == "applied"


def test_a_workers_heartbeat_sweeps_what_others_left_behind(db: Db) -> None:
    dead = db.worker("dead", MOMENT)
    task = held(db, "listens", dead)
    silent(db, dead)
    assert beat(db, steady(db))
    assert db.state("listens", task.id) == "ready"


def test_a_worker_that_just_came_back_does_not_sweep_before_a_whole_lease(db: Db) -> None:
    """All were cut off; the first to come back must not end the leases of the others."""
    first, other = steady(db), db.worker("o", MOMENT)
    task = held(db, "listens", other)
    silent(db, first, other)
    assert beat(db, first)
    assert beat(db, first)
    assert db.state("listens", task.id) == "running"
    assert beat(db, other)
    assert db.resolve("listens", other, task, "SUCCESS") == "applied"


def test_a_worker_that_just_started_does_not_sweep_before_a_whole_lease(db: Db) -> None:
    other = db.worker("o", MOMENT)
    task = held(db, "listens", other)
    silent(db, other)
    assert beat(db, db.worker("new", "30 s"))
    assert db.state("listens", task.id) == "running"


def test_worker_stop_gives_everything_back_at_once(db: Db) -> None:
    worker = db.worker("w", "1 h")
    task = held(db, "listens", worker)
    db.run("select jet.worker_stop(%s)", worker)
    assert db.value("select jet.heartbeat(%s)", worker) is False
    try:
        db.claim("listens", worker)
    except psycopg.errors.ObjectNotInPrerequisiteState:
        pass
    else:
        raise AssertionError("a worker that has stopped may not claim")
    assert db.value("select jet.tick()") == 1
    assert db.state("listens", task.id) == "ready"


def test_an_unknown_workers_heartbeat_says_so(db: Db) -> None:
    assert db.value("select jet.heartbeat(99)") is False


def test_a_sweep_is_done_in_portions(db: Db) -> None:
    worker = db.worker("w", "1 h")
    db.create_many("listens", [{} for _ in range(25)])
    db.claim("listens", worker, 25)
    db.run("select jet.worker_stop(%s)", worker)
    assert [db.value("select jet.tick(10)") for _ in range(4)] == [10, 10, 5, 0]


def test_a_sweep_spans_modules_and_machines_and_leaves_the_living_alone(db: Db) -> None:
    dead, living = db.worker("dead", MOMENT), db.worker("living", "1 h")
    lost = [held(db, machine, dead) for machine in ("listens", "unheard", "job")]
    kept = [held(db, machine, living) for machine in ("listens", "unheard", "job")]
    silent(db, dead)
    assert db.value("select jet.tick()") == 3
    for machine, task in zip(("listens", "unheard", "job"), lost, strict=True):
        assert db.task(machine, task.id)._worker is None
    for machine, task in zip(("listens", "unheard", "job"), kept, strict=True):
        assert db.task(machine, task.id)._worker == living


def test_two_sweeps_at_once_do_each_thing_once(dsn: str, db: Db) -> None:
    dead = db.worker("dead", "1 h")
    task = held(db, "job", dead)
    db.run("select jet.worker_stop(%s)", dead)
    with Db(dsn) as other:
        other.begin()
        assert other.value("select jet.tick()") == 1
        assert db.value("select jet.tick()") == 0
        other.commit()
    assert [hop[0] for hop in db.path("job", task.id)].count("ERROR") == 1


def test_a_run_past_its_timeout_is_ended_though_its_worker_lives(db: Db) -> None:
    worker = db.worker("w", "1 h")
    task, unheard = held(db, "listens", worker), held(db, "unheard", worker)
    db.shift("30 min")
    db.run("update jet.pulse set late_at = '-infinity'")
    assert db.value("select jet.tick()") == 1
    assert db.task("unheard", unheard.id).why.startswith("TIMEOUT: ")
    db.shift("31 min")
    db.run("update jet.pulse set late_at = '-infinity'")
    assert db.value("select jet.tick()") == 1
    assert db.path("listens", task.id)[-1] == ("TIMEOUT", "running", "late")


def test_when_lease_and_timeout_are_both_over_it_is_a_timeout(db: Db) -> None:
    dead = db.worker("dead", "1 h")
    task = held(db, "listens", dead)
    db.run("select jet.worker_stop(%s)", dead)
    db.shift("2 h")
    assert db.value("select jet.tick()") == 1
    assert db.state("listens", task.id) == "late"


def test_the_clock_that_tests_move_ends_no_lease(db: Db) -> None:
    worker = db.worker("w", "1 min")
    task = held(db, "job", worker)
    db.shift("1 d")
    assert db.value("select jet.tick()") == 0
    assert db.resolve("job", worker, task, "SUCCESS") == "applied"


def test_an_outcome_committed_before_beats_the_sweep(db: Db) -> None:
    dead = db.worker("dead", MOMENT)
    task = held(db, "job", dead)
    silent(db, dead)
    assert db.resolve("job", dead, task, "SUCCESS") == "applied"
    assert db.value("select jet.tick()") == 0
    assert db.state("job", task.id) == "done"


def test_a_rolled_back_claim_leaves_no_trace(dsn: str, db: Db) -> None:
    id = db.create("job")
    with Db(dsn) as worker:
        worker.begin()
        assert worker.claim("job", worker.worker()).ids == [id]
        worker.rollback()
    assert (db.state("job", id), db.task("job", id).attempts, db.task("job", id)._worker) == ("ready", 0, None)
    assert db.path("job", id) == [(None, None, "ready")]


def test_writers_notify_only_while_a_worker_is_idle(dsn: str, db: Db) -> None:
    worker = db.worker()

    def heard(act: str, *params: object) -> list[str]:
        with Db(dsn) as listener:
            listener.run("listen jet")
            db.run(act, *params)
            db.run("select pg_notify('jet', 'end')")
            found = []
            for note in listener.connection.notifies():
                if note.payload == "end":
                    break
                found.append(note.payload)
            return found

    assert heard("select m.job_create()") == []
    db.run("select jet.worker_idle(%s, true)", worker)
    assert heard("select m.job_create()") == ["m.job"]
    assert heard("select m.job_create_many('[{}, {}]')") == ["m.job"]
    assert heard("select m.job_create(_delay => '1 h')") == []
    db.run("select jet.worker_idle(%s, false)", worker)
    assert heard("select m.job_create()") == []
    task = db.claim_one("job", worker)
    db.run("select jet.worker_idle(%s, true)", worker)
    assert heard("select m.job_resolve(%s, %s)", worker, Jsonb([outcome(task, "ERROR")])) == ["m.job"]


def test_a_running_task_that_is_taken_away_tells_its_worker(dsn: str, db: Db) -> None:
    worker = db.worker("w", "1 h")
    task = held(db, "listens", worker)
    with Db(dsn) as listener:
        listener.run("listen jet")
        db.run("select jet.worker_stop(%s)", worker)
        db.run("select jet.tick()")
        db.run("select pg_notify('jet', 'end')")
        note = next(listener.connection.notifies())
    assert note.payload == "m.listens lost"
    assert db.value("select m.listens_lost(%s, array[%s], array[%s])", worker, task.id, task.token) == task.id
