"""What is kept no longer goes: in batches, past what is locked, and never what somebody may still ask for."""

from __future__ import annotations

import threading

import psycopg
import pytest
from queue_client import Db

MACHINES = """
module m

machine plain(n: int) {
  keep done 30d
  keep failure 365d
  initial state open {
    on GO   -> done
    on LOSE -> lost
    on QUIT -> gone
  }
  final state done { on RERUN_TASK -> open }
  final state gone
  failure state lost
}

machine told(n: int) {
  keep history 90d
  var total: int = 0
  initial state open {
    on ADD { set total = total + 1 }
    on MOVE -> other
    on GO   -> done
  }
  state other { on BACK -> open }
  final state done
}

machine job(n: int) is task {
  keep final 1h
  keep history 2h
  state running { run "m:work" }
}

machine tree(depth_left: int) {
  keep final 1d
  initial state open {
    on SPLIT when depth_left > 0 { spawn tree(depth_left: depth_left - 1) }
    on END -> done
  }
  final state done
}
"""


def sweep(db: Db, most: int = 100) -> int:
    """All that is due now."""
    done = 0
    while found := db.value("select jet.tick(%s)", most):
        done += found
    return done


def later(db: Db, by: str) -> int:
    """What is removed when so much time has passed."""
    db.shift(by)
    return sweep(db)


def ids(db: Db, machine: str) -> list[int]:
    return [row.id for row in db.rows(f"select id from m.{machine} order by id")]


def ended(db: Db, machine: str, count: int, event: str = "GO") -> list[int]:
    found = [db.create(machine, n=n) for n in range(count)]
    for id in found:
        assert db.send(machine, id, event).applied
    return found


def test_a_task_goes_when_its_final_state_is_old_enough(db: Db) -> None:
    done, lost, gone = (ended(db, "plain", 1, event)[0] for event in ("GO", "LOSE", "QUIT"))
    live = db.create("plain", n=9)
    later(db, "30 d 1 min")
    assert ids(db, "plain") == [lost, gone, live]
    assert db.value("select count(*) from m._plain_hops where id = %s", done) == 0
    later(db, "335 d")
    assert ids(db, "plain") == [gone, live]
    assert db.rows("select distinct id from m.plain_history order by 1") == [(gone,), (live,)]


def test_one_that_left_its_final_state_counts_anew(db: Db) -> None:
    (id,) = ended(db, "plain", 1)
    db.shift("20 d")
    assert db.send("plain", id, "RERUN_TASK").applied
    later(db, "20 d")
    assert db.send("plain", id, "GO").applied
    later(db, "20 d")
    assert ids(db, "plain") == [id]
    later(db, "11 d")
    assert ids(db, "plain") == []


def test_what_was_removed_is_no_task_any_more(db: Db) -> None:
    (id,) = ended(db, "plain", 1)
    first = db.create("plain", n=1, _key="k")
    db.send("plain", first, "GO")
    later(db, "31 d")
    with pytest.raises(psycopg.errors.NoDataFound):
        db.send("plain", id, "GO")
    assert db.create("plain", n=1, _key="k") > first


def test_more_than_a_batch_goes_batch_by_batch(db: Db) -> None:
    db.create_many("plain", [{"n": n} for n in range(250)])
    db.run("update m.plain set _event = 'GO', _payload = '{}', _at = jet.now(), _actor = 'test'")
    db.shift("31 d")
    assert db.value("select jet.tick(10)") == 100
    assert len(ids(db, "plain")) == 150
    assert sweep(db, 10) == 150


def test_a_locked_task_is_passed_and_goes_within_the_next_hours(dsn: str, db: Db) -> None:
    first, _ = ended(db, "plain", 2)
    with Db(dsn) as other:
        other.begin()
        other.run("select from m.plain where id = %s for update", first)
        assert later(db, "31 d") == 1
        later(db, "2 min")
        assert ids(db, "plain") == [first]
        other.rollback()
    later(db, "10 min")
    assert ids(db, "plain") == [first]
    for _ in range(3):
        later(db, "61 min")
    assert ids(db, "plain") == []


def test_a_child_stays_while_an_ancestor_lives(db: Db) -> None:
    root = db.create("tree", depth_left=2)
    db.send("tree", root, "SPLIT")
    child = db.value("select id from m.tree where parent = %s", root)
    db.send("tree", child, "SPLIT")
    grandchild = db.value("select id from m.tree where parent = %s", child)
    for id in (child, grandchild):
        assert db.send("tree", id, "END").applied
    for _ in range(5):
        later(db, "1 d")
    assert ids(db, "tree") == [root, child, grandchild]
    db.send("tree", root, "END")
    for _ in range(3):
        later(db, "62 min")
    assert ids(db, "tree") == [root]
    for _ in range(3):
        later(db, "1 d")
    assert ids(db, "tree") == []


# ---------------------------------------------------------------- history


def test_old_history_goes_and_what_is_left_is_its_end(db: Db) -> None:
    id = db.create("told", n=1)
    for event in ("ADD", "MOVE"):
        db.send("told", id, event)
    db.shift("60 d")
    db.send("told", id, "BACK")
    assert [hop.event for hop in db.hops("told", id)] == [None, "ADD", "MOVE", "BACK"]
    assert db.hops("told", id)[0].to_state == "open"
    later(db, "31 d")
    assert [(hop.seq, hop.event, hop.from_state, hop.to_state) for hop in db.hops("told", id)] == [
        (4, "BACK", "other", "open")
    ]
    later(db, "61 d")
    assert db.hops("told", id) == []
    db.send("told", id, "MOVE")
    assert [(hop.seq, hop.event) for hop in db.hops("told", id)] == [(5, "MOVE")]
    assert db.task("told", id)["total"] == 1


def test_a_task_that_never_moved_keeps_its_creation(db: Db) -> None:
    id = db.create("told", n=1)
    later(db, "100 d")
    assert [(hop.seq, hop.to_state) for hop in db.hops("told", id)] == [(1, "open")]


def test_a_moment_without_history_is_refused(db: Db) -> None:
    id = db.create("told", n=1)
    db.send("told", id, "ADD")
    later(db, "91 d")
    db.send("told", id, "ADD")
    assert db.value("select total from m.told_at(jet.now() - interval '1 h')") == 1
    assert db.value("select total from m.told_at('infinity')") == 2
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"the history of m\.told is kept for"):
        db.rows("select * from m.told_at(jet.now() - interval '90 d 1 min')")


def test_the_history_of_work_goes_by_runs(db: Db) -> None:
    worker = db.worker()
    db.create("job", n=1)
    task = db.claim_one("job", worker)
    assert [hop.event for hop in db.hops("job", task.id)] == [None, "LOCKED_BY_WORKER"]
    db.shift("3 h")
    assert sweep(db) == 0
    assert [hop.event for hop in db.hops("job", task.id)] == [None, "LOCKED_BY_WORKER"]
    assert db.resolve("job", worker, task, "SUCCESS") == "applied"
    assert len(db.hops("job", task.id)) == 3
    later(db, "61 min")
    assert ids(db, "job") == []


# ---------------------------------------------------------------- beside work


def test_claims_stay_heap_only(db: Db) -> None:
    """An index that a claim would have to write costs a third of the throughput."""
    worker = db.worker()
    db.create_many("job", [{"n": n} for n in range(20)])
    before = db.value("select pg_stat_get_xact_tuples_hot_updated('m.job'::regclass)")
    assert before == 0
    db.begin()
    claimed = db.claim("job", worker, 20)
    assert len(claimed.tasks) == 20
    assert db.value("select pg_stat_get_xact_tuples_hot_updated('m.job'::regclass)") == 20
    db.commit()


def test_workers_claim_and_finish_while_much_is_removed(dsn: str, db: Db) -> None:
    """No error, no deadlock, nothing lost."""
    db.create_many("job", [{"n": n} for n in range(1000)])
    worker = db.worker()
    for _ in range(10):
        tasks = db.claim("job", worker, 100).tasks
        db.resolve_many(
            "job",
            worker,
            [{"id": t.id, "token": t.token, "event": "SUCCESS", "payload": None, "set": None} for t in tasks],
        )
    db.shift("90 min")
    new = db.create_many("job", [{"n": n} for n in range(300)])
    trouble: list[Exception] = []

    def work() -> None:
        try:
            with Db(dsn) as own:
                me = own.worker()
                while tasks := own.claim("job", me, 7).tasks:
                    own.resolve_many(
                        "job",
                        me,
                        [
                            {"id": t.id, "token": t.token, "event": "SUCCESS", "payload": None, "set": None}
                            for t in tasks
                        ],
                    )
        except psycopg.Error as error:
            trouble.append(error)

    def remove() -> None:
        with Db(dsn) as own:
            while own.value("select jet.tick(3)"):
                pass

    threads = [threading.Thread(target=call) for call in (work, work, remove, work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep(db)
    assert trouble == []
    assert ids(db, "job") == new
    assert {row.state for row in db.rows("select state from m.job")} == {"done"}
    assert db.value("select deadlocks from pg_stat_database where datname = current_database()") == 0


def test_what_is_to_be_removed_is_found_by_its_index(db: Db) -> None:
    for query in (
        "select id from m.job where _ended_in = 'done' and (_ended_at, id) > ('-infinity', 0) and _ended_at < now()"
        " order by _ended_at, id limit 10",
        "select ctid from m._told_hops where at >= '-infinity' and at < now() order by at limit 10",
    ):
        db.run("set enable_seqscan = off")
        plan = "\n".join(row[0] for row in db.rows(f"explain {query}"))
        assert "Sort" not in plan
        assert "job_ended" in plan or "_told_hops_at" in plan


def test_a_machine_that_keeps_all_has_nothing_of_it(db: Db) -> None:
    assert db.value("select count(*) from jet.retention") == 7
    columns = "select count(*) from pg_attribute where attrelid = 'm.told'::regclass and attname = '_ended_in'"
    assert db.value(columns) == 0
