"""The past: `m_at(t)` gives the table as it stood, the history tells every hop once, and one follows from the other."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from queue_client import Db, outcome

MACHINES = """\
module m

enum colour { red, green, blue }
event GO(n: int)
event BACK
event PAINT(colour: colour?, at: timestamptz, share: float)
event NOTHING

/// Chains, self transitions, effects without a change of state.
machine walker(start: int) {
  var n: int = start
  var log: text = ""
  var total: numeric = 0.25
  initial state a {
    enter { set log = log ++ "a" }
    on GO when event.n > 3 -> b { set n = event.n }
    on GO { set n = var.n + event.n  set total = total * 1.5 }
    on BACK -> a
  }
  state b { enter when n < 9 -> c { increment n }  on BACK -> a  on GO -> d }
  state c { enter { set log = log ++ "c" } enter -> b  exit { set total = total + 1 } }
  state d { on BACK -> b { set n = 0 } on PAINT -> z }
  final state z { on BACK -> a }
}

/// All kinds of values, null and not.
machine painter {
  var colour: colour?
  var at: timestamptz?
  var share: float = 0.0
  var wait: interval = 5m
  var done: bool = false
  var day: date?
  initial state idle {
    enter -> begun { set wait = 36h }
  }
  state begun {
    on PAINT { set colour = event.colour  set at = event.at  set share = event.share  set wait = event.at - created_at }
    on GO -> over { set done = true  set at = null }
    on BACK { set day = at as date }
  }
  state over { on BACK -> begun { set done = false } }
}

/// Work: claims whose history waits for the next hop.
machine job(n: int) is task(max_attempts: 3) {
  var x: int = 0
  state ready { on GO { set x = x + event.n }  on BACK -> ready in 1h }
  state running { run "x:y"  on GO { set x = x + 100 }  on BACK -> ready  on NOTHING -> done }
}

/// Work that does something at the claim, with steps and delays.
machine order(n: int) {
  var visits: int = 0
  var paid: bool = false
  initial state cart { on GO -> paying  on BACK -> cart }
  step paying(max_attempts: 3, backoff: 1ms..4ms) {
    run "x:y"
    enter { increment visits }
    on SUCCESS(paid: bool) -> packing { set paid = event.paid }
    on ABANDONED -> lost
    on BACK -> cart
  }
  state packing { on LOCKED_BY_WORKER -> packed { set visits = visits + 10 } }
  state packed { run "x:z"  enter { when visits > 40 -> over }  on SUCCESS -> over  on ERROR -> packing in 3ms }
  final state over { on BACK -> cart }
  failure state lost { on GO -> paying }
}

/// Its claims and outcomes may raise: tasks get stuck and are retried.
machine fragile(n: int) {
  var open: bool = true
  var x: int = 0
  initial state ready { on LOCKED_BY_WORKER -> running { when not open { fail "shut" } increment x } }
  state running {
    run "x:y"
    on SUCCESS -> done { when not open { fail "shut" } set x = x + 10 }
    on ERROR -> ready { when not open { fail "shut" } }
  }
  final state done { on GO -> ready { set x = event.n } }
  on BACK { set open = not open }
  on NOTHING -> ready { set open = true }
}
"""

PARAMS: dict[str, dict[str, Any]] = {
    "walker": {"start": 1},
    "painter": {},
    "job": {"n": 1},
    "order": {"n": 1},
    "fragile": {"n": 1},
}
VARS = {
    "walker": ("n", "log", "total"),
    "painter": ("colour", "at", "share", "wait", "done", "day"),
    "job": ("x",),
    "order": ("visits", "paid"),
    "fragile": ("open", "x"),
}
Snapshot = dict[int, dict[str, Any]]


class Life:
    """Random events on a handful of tasks of one machine, and what the table looked like after each of them."""

    def __init__(self, db: Db, machine: str, seed: int) -> None:
        self.db, self.machine, self.chance = db, machine, random.Random(seed)
        self.columns = [
            row.name
            for row in db.rows(
                "select column_name as name from information_schema.columns where table_schema = 'm'"
                " and table_name = %s and column_name not like '\\_%%' order by ordinal_position",
                machine,
            )
        ]
        self.works = machine in ("job", "order", "fragile")
        self.worker = db.worker("w", "1 h")
        self.held: list[Any] = []
        self.seen: list[tuple[Any, Snapshot]] = []

    def play(self, steps: int) -> None:
        self.remember()
        for _ in range(steps):
            self.chance.choice(self.actions())()
            self.remember()

    def actions(self) -> list[Any]:
        found = [self.create, self.send, self.send, self.send, self.send, self.shift]
        return (
            [*found, self.claim, self.claim, self.resolve, self.resolve, self.resolve, self.expire, self.retry]
            if self.works
            else found
        )

    def remember(self) -> None:
        self.seen.append((self.db.value("select jet.now()"), self.table()))

    def table(self, source: str = "") -> Snapshot:
        columns = ", ".join(f'"{name}"' for name in self.columns)
        rows = self.db.rows(f"select {columns} from m.{source or f'{self.machine}'}")
        return {row.id: row._asdict() for row in rows}

    def at(self, moment: Any) -> Snapshot:
        columns = ", ".join(f'"{name}"' for name in self.columns)
        return {row.id: row._asdict() for row in self.db.rows(f"select {columns} from m.{self.machine}_at(%s)", moment)}

    def create(self) -> None:
        if len(self.seen[-1][1]) < 8:
            self.db.create(self.machine, **PARAMS[self.machine])

    def send(self) -> None:
        if ids := list(self.seen[-1][1]):
            event, payload = self.chance.choice(self.events())
            self.db.send(self.machine, self.chance.choice(ids), event, payload)

    def events(self) -> list[tuple[str, Any]]:
        known = self.db.value(
            "select manifest -> 'events' from jet.machine where module = 'm' and name = %s", self.machine
        )
        paint = {
            "colour": self.chance.choice([None, "red", "blue"]),
            "at": self.chance.choice(["2026-01-02T03:04:05.000006+05:00", "1999-12-31T23:59:59Z"]),
            "share": self.chance.choice([0.1, -1e300, 5]),
        }
        all_of_them = [("GO", {"n": self.chance.randint(0, 6)}), ("BACK", None), ("PAINT", paint), ("NOTHING", None)]
        return [one for one in all_of_them if one[0] in known]

    def shift(self) -> None:
        self.db.shift(self.chance.choice(["5 ms", "1 s", "2 h"]))

    def claim(self) -> None:
        self.held += self.db.claim(self.machine, self.worker, self.chance.randint(1, 4)).tasks

    def resolve(self) -> None:
        if self.held:
            self.chance.shuffle(self.held)
            some = [self.held.pop() for _ in range(self.chance.randint(1, len(self.held)))]
            self.db.resolve_many(self.machine, self.worker, [self.outcome(task) for task in some])

    def outcome(self, task: Any) -> Any:
        change = {"x": self.chance.randint(0, 9)} if self.machine == "job" and self.chance.random() < 0.5 else None
        event, payload = self.chance.choice(
            [
                ("SUCCESS", {"paid": True} if task.state == "paying.running" else None),
                ("ERROR", {"type": "E"}),
                ("RELEASED", None),
                ("ODD", None),
            ]
        )
        return outcome(task, event, payload, change)

    def retry(self) -> None:
        for row in self.db.rows(f"select id from m.{self.machine} where _stuck is not null"):
            with suppress(psycopg.errors.RaiseException):
                self.db.retry(self.machine, row.id)

    def expire(self) -> None:
        if self.chance.random() < 0.3:
            self.db.run("select jet.worker_stop(%s)", self.worker)
            self.db.run("select jet.tick()")
            self.worker = self.db.worker("w", "1 h")


@pytest.fixture(params=[(machine, seed) for machine in PARAMS for seed in range(3)], ids=lambda p: f"{p[0]}-{p[1]}")
def life(request: pytest.FixtureRequest, db: Db) -> Life:
    machine, seed = request.param
    found = Life(db, machine, seed)
    found.play(90)
    return found


def test_the_past_stands_as_it_was_seen(life: Life) -> None:
    for moment, snapshot in life.seen:
        assert life.at(moment) == snapshot
    assert life.at("infinity") == life.table()
    assert life.at("-infinity") == {}


def test_each_hop_stands_in_the_history_once_and_follows_from_the_one_before(life: Life) -> None:
    now = life.table()
    for id, row in now.items():
        hops = life.db.hops(life.machine, id)
        assert [hop.seq for hop in hops] == list(range(1, len(hops) + 1))
        assert (hops[0].event, hops[0].from_state, hops[0].at) == (None, None, row["created_at"])
        state = hops[0].to_state
        for before, hop in pairwise(hops):
            assert hop.from_state == state
            assert hop.at >= before.at
            state = state if hop.to_state is None else hop.to_state
        assert state == row["state"]


def test_the_history_replays_to_the_vars_and_to_every_rest_between(life: Life) -> None:
    names = VARS[life.machine]
    picked = ", ".join(f"'{name}', {name}" for name in names)

    def values(source: str, moment: Any, id: int) -> dict[str, Any]:
        found: dict[str, Any] = life.db.value(
            f"select jsonb_build_object({picked}) from {source}(%s) where id = %s", moment, id
        )
        return found

    for id, row in life.table().items():
        at = f"m.{life.machine}_at"
        replayed = values(at, row["created_at"], id)
        hops = [hop for hop in life.db.hops(life.machine, id) if hop.at > row["created_at"]]
        for index, hop in enumerate(hops):
            replayed |= hop.changed or {}
            rests = index + 1 == len(hops) or hops[index + 1].at > hop.at
            if rests:
                assert values(at, hop.at, id) == replayed
                stood = life.db.value(f"select state from {at}(%s) where id = %s", hop.at, id)
                assert stood == (hop.from_state if hop.to_state is None else hop.to_state)


def test_the_random_lives_see_claims_ignored_events_chains_and_loss(db: Db) -> None:
    """The property above is only as good as what happened: all kinds of hops must have."""
    life = Life(db, "order", 1)
    life.play(150)
    Life(db, "job", 2).play(150)
    Life(db, "fragile", 3).play(150)
    for machine, at_least in (
        ("order", {"ERROR", "SUCCESS", "LOCKED_BY_WORKER", None}),
        ("job", {"late", "RELEASED", "ERROR"}),
        ("fragile", {"stuck", "unstuck"}),
    ):
        events = {row.event for row in db.rows(f"select distinct event from m.{machine}_history")}
        assert at_least <= events
    assert db.value("select count(*) from m.order_history where to_state is null") > 0


def test_a_dispatch_is_never_before_the_one_before(db: Db) -> None:
    id = db.create("walker", start=1)
    db.send("walker", id, "GO", {"n": 1})
    db.shift("-1 h")
    db.send("walker", id, "GO", {"n": 1})
    times = [hop.at for hop in db.hops("walker", id)]
    assert times == sorted(set(times))


def test_times_of_one_transaction_differ_by_dispatch(db: Db) -> None:
    db.begin()
    id = db.create("walker", start=1)
    for _ in range(3):
        db.send("walker", id, "GO", {"n": 1})
    db.commit()
    times = [hop.at for hop in db.hops("walker", id)]
    assert times == sorted(set(times))
    assert [life["n"] for life in (db.one("select n from m.walker_at(%s)", at)._asdict() for at in times)] == [
        1,
        2,
        3,
        4,
    ]
