"""Under limits and turns, the reference interpreter and Postgres let workers claim the same tasks."""

from __future__ import annotations

import random
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from checking import program
from queue_client import Db

from jetpackc.interpret import Event, World

LIMITS = {
    "each": "limit 2 per tenant",
    "turns": "fair by tenant",
    "whole": "limit 5",
    "both": "limit 3 per tenant\n  limit 7\n  fair by tenant",
    "rated": "limit 4 per 1h per tenant\n  limit 12 per 1h",
}
MACHINES = "module m\n" + "".join(
    f"""
machine {name}(tenant: text?, n: int = 0) {{
  {limits}
  priority n
  initial state ready {{ on LOCKED_BY_WORKER -> running {{ increment attempts }} }}
  state running {{
    run "app:f"
    on SUCCESS  -> done
    on ERROR    -> ready
    on RELEASED -> ready
    on CANCEL   -> gone
  }}
  final state done, gone
}}
"""
    for name, limits in LIMITS.items()
)


class Pair:
    """A world and a database to which the same is done."""

    def __init__(self, db: Db, machine: str, seed: int) -> None:
        self.db, self.machine, self.chance = db, machine, random.Random(seed)
        self.ids: list[int] = []
        self.world = World(program(MACHINES), self.now(), lambda *_: self.ids[-1])
        self.workers = {name: db.worker(name) for name in ("u", "v")}
        self.marks: dict[str, Any] = {}
        self.tokens: dict[int, tuple[str, int, Any]] = {}

    def now(self) -> datetime:
        found: datetime = self.db.value("select jet.now()")
        return found

    def create(self) -> None:
        params = {"tenant": self.chance.choice(["a", "a", "a", "b", "ü", None]), "n": self.chance.choice([0, 0, 1])}
        self.ids.append(self.db.create(self.machine, **params))
        self.world.now = self.db.task(self.machine, self.ids[-1]).created_at
        self.world.create(f"m.{self.machine}", params, "me")

    def claim(self) -> None:
        name, limit = self.chance.choice(["u", "v"]), self.chance.choice([1, 2, 5, 40])
        found = self.db.claim(self.machine, self.workers[name], limit, self.marks.get(name))
        self.marks[name] = found.mark
        self.world.now = self.now()
        mine = self.world.claim(f"m.{self.machine}", name, limit)
        assert sorted(found.ids) == sorted(task.id for task in mine)
        tokens = {task.id: task for task in found.tasks}
        for task in mine:
            assert task.lease is not None
            self.tokens[task.id] = (name, task.lease.token, tokens[task.id])

    def end(self) -> None:
        if not self.tokens:
            return
        id = self.chance.choice(sorted(self.tokens))
        name, token, task = self.tokens.pop(id)
        event = self.chance.choice(["SUCCESS", "SUCCESS", "ERROR", "RELEASED", "CANCEL"])
        payload = {"type": "E", "message": "boo", "traceback": ""} if event == "ERROR" else None
        if event == "CANCEL":
            self.db.send(self.machine, id, event)
            self.world.now = self.now()
            self.world.send(id, event, None, "me")
            return
        self.db.resolve(self.machine, self.workers[name], task, event, payload)
        self.world.now = self.now()
        self.world.resolve(name, {id: (token, Event(event, payload))})


@pytest.mark.parametrize("machine", LIMITS)
@pytest.mark.parametrize("seed", range(2))
def test_the_same_tasks_are_claimed(db: Db, machine: str, seed: int) -> None:
    pair = Pair(db, machine, seed)
    steps = [pair.create, pair.create, pair.claim, pair.end, partial(pair.end)]
    for _ in range(150):
        pair.chance.choice(steps)()
    states = dict(db.rows(f"select id, state from m.{machine}"))
    assert {id: task.state for id, task in pair.world.tasks.items()} == states
