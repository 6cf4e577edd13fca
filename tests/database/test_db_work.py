"""Claims, outcomes, attempts, fences: what a worker sees, whatever language it is written in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from queue_client import Claimed, Db, outcome

MACHINES = """\
module m

enum tier { free, pro }
event CANCEL
event GO
event PING(n: int)

machine job(
  n: int, max: numeric = 1.5, at: timestamptz?, tier: tier = pro, pause: interval = 90s,
) is task(max_attempts: 3) {
  var note: text?
  state running { run "app:work"  timeout 2m }
}

machine rich {
  var x: int = 0
  var y: text?
  var seen: text = ""
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "app:rich"
    on SUCCESS(url: text, size: int?) when x > 10 -> big { set y = url }
    on SUCCESS -> small { set y = event.url ++ "/" ++ ((size ?? -1) as text) }
    on ERROR -> failed { set seen = type ++ ":" ++ message }
    on IDLE(until: int) when event.until < 5 -> ready { set x = event.until }
    on PING(n: int) { set x = x + n }
    on CANCEL -> cancelled
  }
  final state big, small, cancelled
  failure state failed
}

machine shop(n: int) {
  var total: int = 0
  initial state cart { on GO -> charging }
  step charging(max_attempts: 3, backoff: 2s..5m) {
    run "shop:charge"
    timeout 30s
    on SUCCESS(receipt: text) -> done
    on ABANDONED -> refused
    on CANCEL -> cancelled
    enter { set total = total + 1 }
  }
  final state done, cancelled
  failure state refused { on GO -> charging }
}

machine plain {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    on SUCCESS -> done
    on ERROR -> failed
    on GO -> ready
  }
  final state done
  failure state failed
}

machine snoozing is task(max_attempts: 2) { state running { run "x:y" } }

machine counts {
  var claims: int = 0
  var log: text = ""
  initial state ready {
    on LOCKED_BY_WORKER -> running { increment attempts  set claims = claims + 10 }
    exit { set log = log ++ "out " }
  }
  state running {
    run "x:y"
    enter { set log = log ++ "in " }
    on SUCCESS -> ready
    on ERROR -> ready
  }
}
"""


def claim(db: Db, machine: str, **params: Any) -> tuple[int, Any]:
    """A worker and the one task it has claimed."""
    db.create(machine, **params)
    worker = db.worker()
    return worker, db.claim_one(machine, worker)


# ---------------------------------------------------------------- what a claim hands out


def test_a_claim_hands_out_the_task_and_all_it_needs(db: Db) -> None:
    id = db.create("job", n=7, at="2026-01-02T03:04:05Z")
    worker = db.worker()
    task = db.claim_one("job", worker)
    assert (task.id, task.attempt, task.state, task.handler) == (id, 1, "running", "app:work")
    assert task.data["params"] == {
        "n": 7,
        "max": 1.5,
        "at": "2026-01-02T03:04:05+00:00",
        "tier": "pro",
        "pause": 90,
    }
    assert task.data["vars"] == {"note": None}
    assert (task.data["event"], task.data["timeout"]) == (None, 120)
    row = db.task("job", id)
    assert (row.state, row.attempts, row._worker, row._token) == ("running", 1, worker, task.token)


def test_a_claim_tells_the_event_that_led_here(db: Db) -> None:
    db.create("snoozing")
    worker = db.worker()
    db.resolve("snoozing", worker, db.claim_one("snoozing", worker), "SNOOZE", {"delay": "0 s"})
    assert db.claim_one("snoozing", worker).data["event"] == {"name": "SNOOZE", "payload": {"delay": "0 s"}}


def test_a_claim_does_not_tell_an_event_that_changed_nothing(db: Db) -> None:
    id = db.create("snoozing")
    db.send("snoozing", id, "RERUN_TASK")
    assert db.claim_one("snoozing", db.worker()).data["event"] is None


def test_a_claim_takes_no_more_than_its_limit(db: Db) -> None:
    db.create_many("plain", [{} for _ in range(5)])
    worker = db.worker()
    assert len(db.claim("plain", worker, 3).ids) == 3
    assert len(db.claim("plain", worker, 3).ids) == 2
    assert db.claim("plain", worker, 3).ids == []
    assert db.claim("plain", worker, 0).ids == []


def test_no_task_is_claimed_twice(db: Db) -> None:
    ids = db.create_many("plain", [{} for _ in range(20)])
    claims = [db.claim("plain", db.worker(), 7) for _ in range(4)]
    assert sorted(id for found in claims for id in found.ids) == ids


def test_an_unknown_worker_may_not_claim(db: Db) -> None:
    for worker in (99, None):
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match=r"worker (99|null) is not known"
        ) as raised:
            db.claim("plain", worker)  # type: ignore[arg-type]
        assert "jet.worker_start" in (raised.value.diag.message_hint or "")


def test_a_claim_with_effects_does_them(db: Db) -> None:
    worker, task = claim(db, "counts")
    row = db.task("counts", task.id)
    assert (task.attempt, task.data["vars"]["claims"], row.claims, row.log) == (1, 10, 10, "out in ")
    assert db.path("counts", task.id)[-1] == ("LOCKED_BY_WORKER", "ready", "running")
    assert db.resolve("counts", worker, task, "SUCCESS") == "applied"
    again = db.claim_one("counts", worker)
    assert (again.attempt, again.data["vars"]["claims"]) == (2, 20)
    assert again.token != task.token


# ---------------------------------------------------------------- outcomes


def test_success_fills_the_payload_into_the_transition(db: Db) -> None:
    worker, task = claim(db, "rich")
    assert db.resolve("rich", worker, task, "SUCCESS", {"url": "u", "size": 3}) == "applied"
    row = db.task("rich", task.id)
    assert (row.state, row.y, row._worker, row._token) == ("small", "u/3", None, None)


def test_what_a_handler_set_applies_before_the_guards_of_success(db: Db) -> None:
    worker, task = claim(db, "rich")
    assert db.resolve("rich", worker, task, "SUCCESS", {"url": "u"}, {"x": 11, "seen": "me"}) == "applied"
    row = db.task("rich", task.id)
    assert (row.state, row.x, row.y, row.seen) == ("big", 11, "u", "me")
    assert db.hops("rich", task.id)[-1].changed == {"x": 11, "seen": "me", "y": "u"}


def test_what_a_handler_set_may_be_null_where_the_var_may(db: Db) -> None:
    worker, task = claim(db, "rich")
    db.resolve("rich", worker, task, "IDLE", {"until": 1}, {"y": "something"})
    assert db.task("rich", task.id).y == "something"
    task = db.claim_one("rich", worker)
    db.resolve("rich", worker, task, "IDLE", {"until": 1}, {"y": None})
    assert db.task("rich", task.id).y is None
    assert db.hops("rich", task.id)[-1].changed == {"x": 1, "y": None}


def test_error_drops_what_a_handler_set(db: Db) -> None:
    worker, task = claim(db, "rich")
    assert (
        db.resolve("rich", worker, task, "ERROR", {"type": "ValueError", "message": "boo", "traceback": "t"}, {"x": 11})
        == "applied"
    )
    row = db.task("rich", task.id)
    assert (row.state, row.x, row.seen) == ("failed", 0, "ValueError:boo")


def test_any_other_event_that_the_state_takes_is_an_outcome_too(db: Db) -> None:
    worker, task = claim(db, "rich")
    assert db.resolve("rich", worker, task, "IDLE", {"until": 3}) == "applied"
    assert (db.state("rich", task.id), db.task("rich", task.id).x) == ("ready", 3)


@pytest.mark.parametrize(("event", "payload"), [("IDLE", {"until": 9}), ("NONSENSE", None), ("GO", None)])
def test_an_outcome_that_no_clause_takes_is_an_error(db: Db, event: str, payload: Any) -> None:
    worker, task = claim(db, "rich")
    assert db.resolve("rich", worker, task, event, payload, {"x": 3}) == "failed"
    row = db.task("rich", task.id)
    assert (row.state, row.x) == ("failed", 0)
    assert row.seen.startswith("unhandled:")
    assert event in row.seen
    assert db.path("rich", task.id)[-1] == ("ERROR", "running", "failed")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "payload:SUCCESS needs field 'url' (text)"),
        ({}, "payload:SUCCESS needs field 'url' (text)"),
        ({"url": None}, "payload:SUCCESS needs field 'url' (text)"),
        ({"url": "u", "size": "much"}, 'transition:invalid input syntax for type integer: "much"'),
        ({"url": "u", "size": 2**40}, 'transition:value "1099511627776" is out of range for type integer'),
    ],
)
def test_an_outcome_that_does_not_fit_its_payload_is_an_error(db: Db, payload: Any, why: str) -> None:
    worker, task = claim(db, "rich")
    assert db.resolve("rich", worker, task, "SUCCESS", payload) == "failed"
    row = db.task("rich", task.id)
    assert (row.state, row.seen) == ("failed", why)


def test_an_outcome_that_stays_in_the_running_state_keeps_the_lease(db: Db) -> None:
    worker, task = claim(db, "rich")
    assert db.send("rich", task.id, "PING", {"n": 4}).applied
    row = db.task("rich", task.id)
    assert (row.state, row.x, row._worker, row._token) == ("running", 4, worker, task.token)
    assert db.resolve("rich", worker, task, "SUCCESS", {"url": "u"}) == "applied"


def test_released_and_timeout_fall_to_error_where_they_are_not_handled(db: Db) -> None:
    for event in ("RELEASED", "TIMEOUT"):
        worker, task = claim(db, "rich")
        assert db.resolve("rich", worker, task, event) == "applied"
        row = db.task("rich", task.id)
        assert row.state == "failed"
        assert row.seen.startswith(f"{event}:")


def test_released_gives_the_attempt_back(db: Db) -> None:
    worker, task = claim(db, "job", n=1)
    assert db.resolve("job", worker, task, "RELEASED") == "applied"
    row = db.task("job", task.id)
    assert (row.state, row.attempts) == ("ready", 0)


def test_snooze_puts_a_task_off_without_counting_the_attempt(db: Db) -> None:
    worker, task = claim(db, "snoozing")
    assert db.resolve("snoozing", worker, task, "SNOOZE", {"delay": "1 h"}) == "applied"
    row = db.task("snoozing", task.id)
    assert (row.state, row.attempts) == ("ready", 0)
    assert (row.run_at - row.entered_at).total_seconds() == 3600
    assert db.claim("snoozing", worker).ids == []


def test_max_attempts_is_how_often_it_runs_at_most(db: Db) -> None:
    worker = db.worker()
    id = db.create("job", n=1)
    for attempt in (1, 2, 3):
        task = db.claim_one("job", worker)
        assert task.attempt == attempt
        db.error("job", worker, task)
    assert db.state("job", id) == "abandoned"
    assert [hop[2] for hop in db.path("job", id)] == [
        "ready",
        *["running", "failed", "ready"] * 2,
        "running",
        "failed",
        "abandoned",
    ]


# ---------------------------------------------------------------- steps


def test_a_step_backs_off_from_half_of_the_delay_to_all_of_it(db: Db) -> None:
    worker = db.worker()
    ids = db.create_many("shop", [{"n": n} for n in range(40)])
    for id in ids:
        db.send("shop", id, "GO")
    for full in (2.0, 4.0):
        tasks = db.claim("shop", worker, 100).tasks
        assert len(tasks) == 40
        db.resolve_many(
            "shop", worker, [outcome(task, "ERROR", {"type": "E", "message": "m", "traceback": ""}) for task in tasks]
        )
        delays = [(row.run_at - row.entered_at).total_seconds() for row in db.rows("select * from m.shop")]
        assert all(full / 2 <= delay <= full for delay in delays)
        assert len(set(delays)) > 30
        assert min(delays) < full * 0.6
        assert max(delays) > full * 0.9
        db.shift("1 min")


def test_a_backoff_ends_at_its_cap(db: Db) -> None:
    backoff = "select extract(epoch from jet.backoff('2 s', %s, '5 min', %s))"
    assert all(150 <= db.value(backoff, attempts, id) <= 300 for attempts in (10, 100, 10**9) for id in range(5))
    assert db.value(backoff, 3, 5) == db.value(backoff, 3, 5)
    assert 1 <= db.value(backoff, 0, 5) <= 2


def test_a_step_abandons_when_its_attempts_are_used_up_and_starts_over_when_entered_again(db: Db) -> None:
    worker = db.worker()
    id = db.create("shop", n=1)
    db.send("shop", id, "GO")
    for visit in (1, 2):
        assert (db.task("shop", id).attempts, db.task("shop", id).total) == (0, visit)
        for attempt in (1, 2, 3):
            db.shift("1 h")
            task = db.claim_one("shop", worker)
            assert (task.attempt, task.state, task.handler, task.data["timeout"]) == (
                attempt,
                "charging.running",
                "shop:charge",
                30,
            )
            db.error("shop", worker, task)
        assert db.state("shop", id) == "refused"
        db.send("shop", id, "GO")
    assert db.state("shop", id) == "charging.ready"
    assert db.path("shop", id)[-2:] == [("ERROR", "charging.running", "refused"), ("GO", "refused", "charging.ready")]


def test_a_clause_of_a_step_counts_in_both_its_leaves(db: Db) -> None:
    worker = db.worker()
    waiting, running = (db.create("shop", n=n) for n in (1, 2))
    db.send("shop", running, "GO")
    task = db.claim_one("shop", worker)
    db.send("shop", waiting, "GO")
    assert db.send("shop", waiting, "CANCEL").state == "cancelled"
    assert db.send("shop", running, "CANCEL").state == "cancelled"
    assert db.resolve("shop", worker, task, "SUCCESS", {"receipt": "r"}) == "lost"


# ---------------------------------------------------------------- fences


def test_the_same_result_twice_is_a_duplicate(db: Db) -> None:
    worker, task = claim(db, "plain")
    assert db.resolve("plain", worker, task, "SUCCESS") == "applied"
    before = db.hops("plain", task.id)
    assert db.resolve("plain", worker, task, "SUCCESS") == "duplicate"
    assert db.hops("plain", task.id) == before


def test_the_same_result_twice_is_a_duplicate_after_the_next_claim_too(db: Db) -> None:
    worker, task = claim(db, "counts")
    db.resolve("counts", worker, task, "SUCCESS")
    assert db.resolve("counts", worker, task, "SUCCESS") == "duplicate"
    again = db.claim_one("counts", db.worker())
    assert db.resolve("counts", worker, task, "SUCCESS") == "duplicate"
    assert db.task("counts", task.id)._token == again.token


def test_a_repeated_batch_answers_duplicate_for_each(db: Db) -> None:
    worker = db.worker()
    db.create_many("plain", [{} for _ in range(5)])
    batch = [outcome(task, "SUCCESS") for task in db.claim("plain", worker).tasks]
    assert set(db.resolve_many("plain", worker, batch).values()) == {"applied"}
    assert set(db.resolve_many("plain", worker, batch).values()) == {"duplicate"}


def test_a_late_result_is_lost_and_recorded(db: Db) -> None:
    worker, task = claim(db, "rich")
    db.send("rich", task.id, "CANCEL")
    assert db.resolve("rich", worker, task, "SUCCESS", {"url": "u"}) == "lost"
    assert db.state("rich", task.id) == "cancelled"
    last = db.hops("rich", task.id)[-1]
    assert (last.event, last.from_state, last.to_state) == ("late", "cancelled", None)
    assert last.payload == {"event": "SUCCESS", "payload": {"url": "u"}, "token": task.token}


def test_a_late_result_does_not_touch_another_workers_run(db: Db) -> None:
    worker, task = claim(db, "plain")
    db.send("plain", task.id, "GO")
    other = db.worker()
    again = db.claim_one("plain", other)
    assert db.resolve("plain", worker, task, "SUCCESS") == "lost"
    row = db.task("plain", task.id)
    assert (row.state, row._worker, row._token) == ("running", other, again.token)
    assert db.resolve("plain", other, again, "SUCCESS") == "applied"


def test_an_outcome_of_a_former_run_of_the_same_worker_is_lost(db: Db) -> None:
    worker, task = claim(db, "plain")
    db.send("plain", task.id, "GO")
    again = db.claim_one("plain", worker)
    assert db.resolve("plain", worker, task, "SUCCESS") == "lost"
    assert db.state("plain", task.id) == "running"
    assert db.resolve("plain", worker, again, "SUCCESS") == "applied"


def test_another_workers_token_is_no_key(db: Db) -> None:
    worker, task = claim(db, "plain")
    assert db.resolve("plain", db.worker(), task, "SUCCESS") == "lost"
    assert db.state("plain", task.id) == "running"
    assert db.resolve("plain", worker, task, "SUCCESS") == "applied"


def test_a_task_that_is_gone_is_missing(db: Db) -> None:
    assert db.resolve_many("plain", db.worker(), [{"id": 999, "token": 1, "event": "SUCCESS"}]) == {999: "missing"}


def test_a_worker_learns_which_of_its_tasks_it_lost(db: Db) -> None:
    worker = db.worker()
    db.create_many("plain", [{} for _ in range(4)])
    tasks = db.claim("plain", worker).tasks
    db.send("plain", tasks[1].id, "GO")
    db.resolve("plain", worker, tasks[2], "SUCCESS")
    query = "select m.plain_lost(%s, %s, %s)"
    lost = db.rows(query, worker, [task.id for task in tasks], [task.token for task in tasks])
    assert sorted(row[0] for row in lost) == sorted([tasks[1].id, tasks[2].id])


def test_a_mixed_batch_answers_for_each_task(db: Db) -> None:
    worker = db.worker()
    db.create_many("plain", [{} for _ in range(4)])
    done, moved, good, failed = db.claim("plain", worker).tasks
    db.resolve("plain", worker, done, "SUCCESS")
    db.send("plain", moved.id, "GO")
    results = db.resolve_many(
        "plain",
        worker,
        [
            outcome(failed, "ERROR", {"type": "E", "message": "m", "traceback": ""}),
            outcome(good, "SUCCESS"),
            outcome(moved, "SUCCESS"),
            outcome(done, "SUCCESS"),
            {"id": 999, "token": 1, "event": "SUCCESS"},
        ],
    )
    assert results == {failed.id: "applied", good.id: "applied", moved.id: "lost", done.id: "duplicate", 999: "missing"}


def test_an_empty_batch_answers_nothing(db: Db) -> None:
    assert db.resolve_many("plain", db.worker(), []) == {}


def test_a_pair_of_claim_and_outcome_stands_in_the_history_once_each(db: Db) -> None:
    worker, task = claim(db, "plain")
    assert db.path("plain", task.id) == [(None, None, "ready"), ("LOCKED_BY_WORKER", "ready", "running")]
    db.resolve("plain", worker, task, "SUCCESS")
    hops = db.hops("plain", task.id)
    assert db.path("plain", task.id) == [
        (None, None, "ready"),
        ("LOCKED_BY_WORKER", "ready", "running"),
        ("SUCCESS", "running", "done"),
    ]
    assert [hop.seq for hop in hops] == [1, 2, 3]
    assert hops[0].at < hops[1].at < hops[2].at
    assert [hop.actor for hop in hops[1:]] == ["w", "w"]


def test_numbers_keep_their_digits_on_the_way_to_a_worker(db: Db) -> None:
    db.create("job", n=1, max=Decimal("12345678901234567890.123456789"))
    worker = db.worker()
    text = db.rows("select data::text from m.job_claim(%s, 1)", worker)[0][0]
    assert "12345678901234567890.123456789" in text


def test_claims_of_several_workers_are_disjoint(dsn: str, db: Db) -> None:
    ids = db.create_many("plain", [{} for _ in range(6)])
    with Db(dsn) as first:
        first.begin()
        mine: Claimed = first.claim("plain", first.worker(), 3)
        other = db.claim("plain", db.worker(), 10)
        first.commit()
    assert sorted(mine.ids + other.ids) == ids


def test_a_claim_passes_by_what_another_is_claiming(dsn: str, db: Db) -> None:
    ids = db.create_many("plain", [{} for _ in range(6)])
    db.run("set lock_timeout = '2 s'")
    with Db(dsn) as first:
        first.begin()
        first.claim("plain", first.worker(), 3)
        try:
            claimed = db.claim("plain", db.worker(), 3).ids
        except psycopg.errors.LockNotAvailable:
            claimed = []
        first.rollback()
    assert claimed == ids[3:]
