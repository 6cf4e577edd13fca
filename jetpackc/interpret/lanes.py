"""Limits and turns: which of the tasks that wait a claim takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from itertools import groupby
from math import ceil

from jetpackc.interpret.model import Task
from jetpackc.ir import model as ir
from jetpackc.records import dataclass

WHOLE = b""
"""The lane of the whole machine."""
SHARES = 16
"""How many lanes share a claim before one of them gets more."""
SLICES = 64
"""Of a rate's window: what begins in one of them counts until a whole window after its end."""

Began = dict[tuple[str, bytes], list[datetime]]


class Lanes:
    """What claims remember of one another: when tasks began, and which lane a worker served last."""

    def __init__(self) -> None:
        self._began: Began = {}
        self._served: dict[tuple[str, str], bytes] = {}

    def choose(
        self, machine: ir.Machine, worker: str, own: Sequence[Task], ready: Sequence[Task], *, limit: int, now: datetime
    ) -> list[Task]:
        """Up to `limit` of the tasks that are ready, which are in the order of claims; `own` are all of the machine."""
        by = machine.fair or next((limit.by for limit in machine.limits if limit.by), "")
        name = own[0].machine if own else ""
        claim = _Claim(name, machine, by, limit, now, self._began)
        for task in own:
            if task.lease is not None:
                claim.count(task)
        start = self._served.get((name, worker), WHOLE)
        for _, group in groupby(ready, key=lambda task: task.priority):
            self._served[name, worker] = claim.turns(list(group), start) or self._served.get((name, worker), WHOLE)
        return claim.chosen


@dataclass
class _Claim:
    """One claim: how much room there is, and what it takes."""

    name: str
    machine: ir.Machine
    by: str
    limit: int
    now: datetime
    began: Began
    running: dict[bytes, int] = field(default_factory=dict)
    chosen: list[Task] = field(default_factory=list)

    def turns(self, waiting: Sequence[Task], start: bytes) -> bytes | None:
        """Once around, from the lane behind the last one served, a share for each; then those that have more. The last
        lane that got its share."""
        lanes: dict[bytes, list[Task]] = {}
        for task in waiting:
            lanes.setdefault(self._lane(task), []).append(task)
        last, more = None, []
        for lane in sorted(lanes, key=lambda one: (one <= start, one)):
            share = max((self.limit + SHARES - 1) // SHARES, 1) if self.by else self.limit
            taken = self._take(lanes[lane], lane, share)
            last = lane if taken else last
            more += [lane] if taken else []
        for lane in more:
            self._take(lanes[lane], lane, self.limit)
        return last

    def _take(self, waiting: list[Task], lane: bytes, most: int) -> int:
        room = min(self._room(one) for one in {lane, WHOLE})
        taken = waiting[: max(min(most, room, self.limit - len(self.chosen)), 0)]
        del waiting[: len(taken)]
        self.chosen += taken
        for task in taken:
            self.count(task)
            for one in {lane, WHOLE}:
                self.began.setdefault((self.name, one), []).append(self.now)
        return len(taken)

    def count(self, task: Task) -> None:
        """A task is at work."""
        for lane in {self._lane(task), WHOLE}:
            self.running[lane] = self.running.get(lane, 0) + 1

    def _room(self, lane: bytes) -> int:
        """How many more may begin, by the limits of this lane alone."""
        limits = [limit for limit in self.machine.limits if bool(limit.by) == (lane != WHOLE)]
        return min((self._left(limit, lane) for limit in limits), default=self.limit)

    def _left(self, limit: ir.Limit, lane: bytes) -> int:
        if limit.window is None:
            return limit.count - self.running.get(lane, 0)
        slice, since = max(limit.window // SLICES, 1), self.now.timestamp() * 1000 - limit.window
        moments = self.began.get((self.name, lane), [])
        return limit.count - sum(ceil(at.timestamp() * 1000 / slice) * slice > since for at in moments)

    def _lane(self, task: Task) -> bytes:
        """In the order of Postgres: null first, then the texts of the values."""
        if not self.by:
            return WHOLE
        value = task.params[self.by]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return b"-" if value is None else f"={text}".encode()
