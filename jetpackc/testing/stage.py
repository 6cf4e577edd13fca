"""The machinery around a test's tasks: a clock that stands still, and a worker whose handlers are stubs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, LiteralString

import psycopg
from jetpack_runtime import sql as runtime
from psycopg import sql

from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass
from jetpackc.testing.stubs import Answer, Stubs

BATCH = 100
MOST_JOBS = 10_000
"""Jobs that one statement of a test may lead to. More are a circle."""

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When each test begins."""

INSTANT = timedelta(milliseconds=1)
"""What is shorter is no time at all: the shortest that a duration can say."""

STEPS = 64
"""Looks within the window of a rate, which keeps what began in one of so many parts as one number."""

_HELD = sql.SQL("select exists (select from {} where run_at <= jet.now() and state = any(%s) and _stuck is null)")
# Without days, which may be of 23 hours where the session is.
_CLOCK: LiteralString = "update jet.clock set shift = %s::bigint * interval '1 us'"
_WORKER = "a stub"
_FOREVER = 86_400
"""The lease of workers that do not die, in seconds of the server's clock."""

LEASE = timedelta(seconds=30)
"""How long a worker that died keeps its task: the usual lease."""


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
    """A job that no handler ends. `until`: when its time is up."""

    machine: str
    worker: int
    id: int
    token: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Dead:
    """A worker that died. `until`: when its lease is over."""

    worker: int
    until: datetime


@dataclass
class Stage:
    """One database, at rest at the moment `now`."""

    connection: psycopg.Connection
    machines: Mapping[str, ir.Machine]
    stubs: Stubs = field(default_factory=Stubs)
    now: datetime = START
    hanging: list[Hanging] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    jobs: int = 0

    @cached_property
    def worker(self) -> int:
        """The one that does all work at which none dies."""
        return self._hired()

    def _hired(self) -> int:
        """The id of a new worker."""
        row = self.connection.execute(runtime.WORKER_START, (_WORKER, _FOREVER)).fetchone()
        assert row is not None
        id: int = row[0]
        return id

    def advance(self, length: timedelta) -> None:
        """Let time go by: on the way the clock stops at each moment at which something falls due.

        Raises UnstubbedError, EndlessError.
        """
        self.jobs = 0
        end = self.now + length
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

    def _next(self) -> datetime | None:
        """When something falls due next."""
        found = [*(one.until for one in self.hanging), *(one.until for one in self.dead)]
        for statement in self._dues:
            found += [moment for (moment,) in self.connection.execute(statement).fetchall()]
        found += [moment for name, machine in self.machines.items() if (moment := self._held(name, machine))]
        return min((moment for moment in found if moment is not None), default=None)

    def _held(self, name: str, machine: ir.Machine) -> datetime | None:
        """When a rate may let go of tasks that it holds back now."""
        windows = [limit.window for limit in machine.limits if limit.window is not None]
        module, _, table = name.partition(".")
        ready = [leaf.name for leaf in chart.claimable(machine)]
        if not windows or self.connection.execute(_HELD.format(sql.Identifier(module, table)), (ready,)).fetchone() == (
            False,
        ):
            return None
        return self.now + timedelta(milliseconds=min(windows)) / STEPS

    @cached_property
    def _dues(self) -> list[bytes]:
        """What each module is asked for that."""
        return [runtime.next_due(name) for (name,) in self.connection.execute(runtime.DUES).fetchall()]

    def _move(self, moment: datetime) -> None:
        self.now = moment
        self.connection.execute(_CLOCK, ((moment - START) // timedelta(microseconds=1),))

    # ------------------------------------------------------------ work

    def _settle(self) -> None:
        while self._round() or self._nudged():
            pass

    def _round(self) -> bool:
        """All that is due now, of each machine. Was there anything?"""
        self._bury()
        moved = self._time_out()
        moved = self.connection.execute("select jet.tick(1000)").fetchone() != (0,) or moved
        for name, machine in self.machines.items():
            if chart.claimable(machine):
                moved = self._work(name, machine) or moved
        return moved

    def _nudged(self) -> bool:
        """The database holds one dispatch of a task apart from the next by a microsecond, and so must the clock."""
        moment = self._next()
        if moment is None or moment - self.now >= INSTANT:
            return False
        self._move(max(moment, self.now))
        return True

    def _bury(self) -> None:
        """End the leases of workers that have been dead for so long, for the sweep to see."""
        over = [one for one in self.dead if one.until <= self.now]
        self.dead = [one for one in self.dead if one not in over]
        for one in over:
            self.connection.execute(runtime.WORKER_STOP, (one.worker,))

    def _time_out(self) -> bool:
        late = [one for one in self.hanging if one.until is not None and one.until <= self.now]
        self.hanging = [one for one in self.hanging if one not in late]
        for one in late:
            if not self._is_lost(one):
                self._end(one.machine, one.worker, one.id, one.token, Answer("TIMEOUT"))
        return bool(late)

    def _is_lost(self, one: Hanging) -> bool:
        """Whether the task has gone on without its handler."""
        statement = _statements(one.machine).lost
        row = self.connection.execute(statement, (one.worker, [one.id], [one.token])).fetchone()
        return row is not None

    def _work(self, name: str, machine: ir.Machine) -> bool:
        # A lease is a worker's: one that may die holds no other task.
        worker, most = (self._hired(), 1) if self.stubs.may_die(name) else (self.worker, BATCH)
        *rows, _ = self.connection.execute(_statements(name).claim, (worker, most, None)).fetchall()
        for row in rows:
            self._job(name, machine, worker, row)
        return bool(rows)

    def _job(self, name: str, machine: ir.Machine, worker: int, row: tuple[Any, ...]) -> None:
        id, token, _, state, data, _ = row
        self.jobs += 1
        if self.jobs > MOST_JOBS:
            raise EndlessError(id)
        answer = self.stubs.take((name, state)) or _nothing(name, machine, state, id)
        if answer.event:
            self._end(name, worker, id, token, answer)
        elif answer.dies:
            self.dead.append(Dead(worker, self.now + LEASE))
        else:
            seconds = json.loads(data, parse_float=Decimal).get("timeout")
            until = None if seconds is None else self.now + timedelta(microseconds=int(seconds * 1_000_000))
            self.hanging.append(Hanging(name, worker, id, token, until))

    def _end(self, name: str, worker: int, id: int, token: int, answer: Answer) -> None:
        outcome = f'[{{"id":{id},"token":{token},"event":{json.dumps(answer.event)},"payload":{answer.payload}}}]'
        self.connection.execute(_statements(name).resolve_one, (worker, outcome))


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
