"""The machinery around a test's tasks: a clock that stands still, and a worker whose handlers are stubs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, LiteralString

import psycopg
from jetpack_runtime import sql as runtime

from jetpackc.ir import chart, model as ir
from jetpackc.testing.stubs import Answer, Stubs

BATCH = 100
MOST_JOBS = 10_000
"""Jobs that one statement of a test may lead to. More are a circle."""

INSTANT = Decimal("0.001")
"""Seconds that are no time at all."""

_CLOCK: LiteralString = "update jet.clock set shift = make_interval(secs => %s)"
_WORKER = "a stub"
_LEASE = 86_400


class UnstubbedError(Exception):
    """A handler's answer is not known, and cannot be an empty SUCCESS."""

    def __init__(self, machine: str, leaf: ir.State, id: int, lacking: tuple[ir.Field, ...]) -> None:
        super().__init__(leaf.run)
        self.machine, self.leaf, self.id, self.lacking = machine, leaf, id, lacking


class EndlessError(Exception):
    """Work makes work, without end, at one moment."""

    def __init__(self, id: int) -> None:
        super().__init__(str(id))
        self.id = id


@dataclass(frozen=True, slots=True)
class Hanging:
    """A job that no handler ends. `until`: when its time is up, in seconds of the clock."""

    machine: str
    id: int
    token: int
    until: Decimal | None


@dataclass
class Stage:
    """One database, at rest at a moment: `now` is in seconds since the test began."""

    connection: psycopg.Connection
    machines: Mapping[str, ir.Machine]
    stubs: Stubs = field(default_factory=Stubs)
    now: Decimal = Decimal(0)
    hanging: list[Hanging] = field(default_factory=list)
    jobs: int = 0
    due: dict[str, Decimal] = field(default_factory=dict)
    """When the next delayed task of a machine can be claimed."""

    @cached_property
    def worker(self) -> int:
        """Its id in the database."""
        row = self.connection.execute(runtime.WORKER_START, (_WORKER, _LEASE)).fetchone()
        assert row is not None
        id: int = row[0]
        return id

    def advance(self, length: timedelta) -> None:
        """Let time go by: on the way the clock stops at each moment at which something falls due.

        Raises UnstubbedError, EndlessError.
        """
        self.jobs = 0
        end = self.now + Decimal(length // timedelta(microseconds=1)) / 1_000_000
        while (moment := self._next()) is not None and moment <= end:
            self._move(max(moment, self.now))
            self._settle()
        self._move(end)
        self._settle()

    def settle(self) -> None:
        """Do all work there is now. Raises UnstubbedError, EndlessError."""
        self.jobs = 0
        self._settle()

    # ------------------------------------------------------------ time

    def _next(self) -> Decimal | None:
        timeouts = [one.until for one in self.hanging if one.until is not None]
        return min([*self.due.values(), *timeouts], default=None)

    def _move(self, moment: Decimal) -> None:
        self.now = moment
        self.connection.execute(_CLOCK, (moment,))

    # ------------------------------------------------------------ work

    def _settle(self) -> None:
        while self._round() or self._nudged():
            pass

    def _round(self) -> bool:
        """All that is due now, of each machine. Was there anything?"""
        moved = self._time_out()
        moved = self.connection.execute("select jet.tick(1000)").fetchone() != (0,) or moved
        for name, machine in self.machines.items():
            if chart.claimable(machine):
                moved = self._work(name, machine) or moved
        return moved

    def _nudged(self) -> bool:
        """The database holds one dispatch of a task apart from the next by a microsecond, and so must the clock."""
        moment = self._next()
        if moment is None or moment - self.now > INSTANT:
            return False
        self._move(max(moment, self.now))
        return True

    def _time_out(self) -> bool:
        late = [one for one in self.hanging if one.until is not None and one.until <= self.now]
        self.hanging = [one for one in self.hanging if one not in late]
        for one in late:
            if not self._is_lost(one):
                self._end(one.machine, one.id, one.token, Answer("TIMEOUT"))
        return bool(late)

    def _is_lost(self, one: Hanging) -> bool:
        """Whether the task has gone on without its handler."""
        statement = _statements(one.machine).lost
        row = self.connection.execute(statement, (self.worker, [one.id], [one.token])).fetchone()
        return row is not None

    def _work(self, name: str, machine: ir.Machine) -> bool:
        *rows, last = self.connection.execute(_statements(name).claim, (self.worker, BATCH, None)).fetchall()
        self.due.pop(name, None)
        if (next := json.loads(last[5], parse_float=Decimal, parse_int=Decimal)["next"]) is not None:
            self.due[name] = self.now + next
        for row in rows:
            self._job(name, machine, row)
        return bool(rows)

    def _job(self, name: str, machine: ir.Machine, row: tuple[Any, ...]) -> None:
        id, token, _, state, data, _ = row
        self.jobs += 1
        if self.jobs > MOST_JOBS:
            raise EndlessError(id)
        answer = self.stubs.take((name, state)) or _nothing(name, machine, state, id)
        if answer.event:
            self._end(name, id, token, answer)
            return
        seconds = json.loads(data, parse_float=Decimal, parse_int=Decimal).get("timeout")
        self.hanging.append(Hanging(name, id, token, None if seconds is None else self.now + seconds))

    def _end(self, name: str, id: int, token: int, answer: Answer) -> None:
        outcome = f'[{{"id":{id},"token":{token},"event":{json.dumps(answer.event)},"payload":{answer.payload}}}]'
        self.connection.execute(_statements(name).resolve_one, (self.worker, outcome))


def _nothing(name: str, machine: ir.Machine, state: str, id: int) -> Answer:
    """What a handler answers that no stub speaks for."""
    fields = chart.fields(machine, "SUCCESS", state)
    lacking = tuple(one for one in fields if one.default is None and not one.type.optional)
    if lacking:
        raise UnstubbedError(name, chart.states(machine)[state], id, lacking)
    return Answer("SUCCESS")


def _statements(name: str) -> Any:
    module, _, machine = name.partition(".")
    return runtime.of(module, machine)
