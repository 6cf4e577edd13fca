"""What `ps` and `history` say of that which waits: messages, deferred events, pauses, limits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from told import Cli

sys.path.append(str(Path(__file__).parent / "database"))

from queue_client import Db

TEXT = """\
module w

event UNDO(n: int)
event LATE(note: text)

machine boss {
  limit 2
  limit 100 per 1m
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running { run "a:b"  on SUCCESS, ERROR -> closed }
  on ASK { spawn hand(tenant: "a") as one  send one UNDO(n: 1) }
  on TELL { send children UNDO(n: 7) }
  on CALL { send 99 UNDO(n: 7) }
  final state closed
}

machine hand(tenant: text) {
  limit 1 per tenant
  limit 2 per 1h per tenant
  defer LATE
  initial step doing(max_attempts: 2) { run "a:c"  on SUCCESS -> done  on ABANDONED -> broken }
  on UNDO when n > 5 { fail "too much" }
  on UNDO -> undone
  state undone { on LATE -> done }
  final state done
  failure state broken
}

machine idle { initial state here { on GO -> there } final state there }
"""


@pytest.fixture
def db(fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[Db]:
    dsn = fresh(TEXT)
    monkeypatch.setenv("DATABASE_URL", dsn)
    with Db(dsn, "w") as found:
        yield found


def ps(cli: Cli, machine: str) -> Any:
    (found,) = json.loads(cli("ps", machine, "--json").out)
    return found


def test_messages_on_their_way_are_told_of_their_machine_and_of_their_task(db: Db, cli: Cli) -> None:
    boss = db.create("boss")
    db.run("select w.boss_send(%s, 'ASK')", boss)
    hand = db.value("select id from w.hand")
    db.run("update jet.inbox set at = at - interval '65 s'")
    assert "\n  1 message on the way, the first for 1m5s\n" in cli("ps", "hand").out
    assert ps(cli, "hand")["messages"]["waiting"] == 1
    assert ps(cli, "boss")["messages"] == {"waiting": 0, "seconds": 0.0, "parked": 0}
    told = cli("history", str(hand)).out.splitlines()[-1]
    assert told.startswith(f'  on the way: UNDO  {{"n": 1}}  from {boss}  since ')
    (message,) = json.loads(cli("history", str(hand), "--json").out)["messages"]
    assert (message["event"], message["payload"], message["sender"], message["kept"]) == ("UNDO", {"n": 1}, boss, "")
    db.run("select jet.tick()")
    assert "message" not in cli("ps", "hand").out
    assert "on the way" not in cli("history", str(hand)).out


def test_messages_of_stuck_tasks_and_of_nobody_are_told(db: Db, cli: Cli) -> None:
    boss = db.create("boss")
    db.run("select w.boss_send(%s, 'ASK')", boss)
    for event in ("TELL", "ASK", "CALL"):
        db.run("select w.boss_send(%s, %s)", boss, event)
    db.run("delete from jet.inbox where payload = '{\"n\": 1}'")
    db.run("select jet.tick()")
    hand = db.value("select min(id) from w.hand")
    db.run("select w.boss_send(%s, 'TELL')", boss)
    db.run("select jet.tick()")
    told = cli("ps", "hand").out
    assert f"stuck {hand} in doing.ready: too much" in told
    assert "kept for tasks that are stuck" in told
    assert ps(cli, "hand")["messages"]["parked"] > 0
    lines = cli("history", str(hand)).out
    assert 'kept: UNDO  {"n": 7}  from 1' in lines
    assert "until the task is retried" in lines
    assert "lost 1 message went to no task that takes such: see jet.parked" in cli("ps").out
    assert "lost" not in cli("ps", "hand").out


def test_deferred_events_are_told(db: Db, cli: Cli) -> None:
    hand = db.create("hand", tenant="a")
    for note in ("first", "second"):
        db.run("select w.hand_send(%s, 'LATE', jsonb_build_object('note', %s::text))", hand, note)
    assert "\n  2 events deferred\n" in cli("ps", "hand").out
    assert ps(cli, "hand")["deferred"] == 2
    assert cli("history", str(hand)).out.splitlines()[-2:] == [
        '  kept: LATE  {"note": "first"}  until the state changes',
        '  kept: LATE  {"note": "second"}  until the state changes',
    ]


def test_limits_tell_how_far_they_are_used(db: Db, cli: Cli) -> None:
    for tenant in ("a", "a", "b"):
        db.create("hand", tenant=tenant)
    for _ in range(3):
        db.create("boss")
    worker = db.worker()
    assert len(db.claim("boss", worker).tasks) == 2
    assert "\n  limit 2: 2 at work\n  limit 100 per 1m: 2 begun\n" in cli("ps", "boss").out
    tasks = db.claim("hand", worker).tasks
    assert "\n  limit 1 per tenant: full for 2\n" in cli("ps", "hand").out
    assert "per 1h" not in cli("ps", "hand").out
    for task in tasks:
        db.resolve("hand", worker, task, "SUCCESS")
    db.claim("hand", worker)
    assert "\n  limit 1 per tenant: full for 1\n  limit 2 per 1h per tenant: full for 1\n" in cli("ps", "hand").out
    assert ps(cli, "hand")["limits"] == [
        {"limit": "limit 1 per tenant", "full": 1},
        {"limit": "limit 2 per 1h per tenant", "full": 1},
    ]
    assert ps(cli, "idle")["limits"] == []


def test_a_task_whose_queue_is_paused_says_so(db: Db, cli: Cli) -> None:
    hand, idle = db.create("hand", tenant="a"), db.create("idle")
    cli("pause", "hand", "--state", "doing")
    cli("pause", "idle")
    told = cli("history", str(hand)).out.splitlines()[-1]
    assert told == "  paused: no worker claims it until `jetpackc resume w.hand`"
    assert json.loads(cli("history", str(hand), "--json").out)["paused"] is True
    assert "paused" not in cli("history", str(idle)).out
    db.claim("hand", db.worker())
    cli("resume", "hand")
    assert "paused" not in cli("history", str(hand)).out
