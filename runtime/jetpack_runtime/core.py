"""What a client does, without doing any of it: each operation is a generator that yields statements and pauses, is sent
rows, and returns its answer. `Client` and `AsyncClient` run them, each in its own way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any, TypeVar

import psycopg

from . import sql
from .codec import encode
from .database import check_version, not_migrated
from .errors import (
    BadValue,
    JetpackError,
    TaskNotFound,
    TaskStuck,
    UnknownMachine,
    WaitTimeout,
    did_you_mean,
    translate,
)
from .manifest import Machine, read
from .telemetry import Telemetry
from .views import Hop, Sent, TaskView

CHUNK = 10_000
"""Tasks created in one statement."""

PUMPS, PUMPED = 50, 100
"""How often a client pumps after a call of its own, and the most tasks each time."""

FIRST_LOOK, LONGEST_LOOK = 0.01, 0.5
"""Seconds between looks at a task that is waited for."""


Delay = timedelta | str


@dataclass(frozen=True, slots=True)
class Query:
    """A statement to run. `named`: answer with dicts; its columns may change under a long-lived client. `aside`: it is
    no part of what was asked for, so it runs only where each call is a transaction, and its failure is nobody's."""

    text: bytes
    params: Sequence[Any] = ()
    named: bool = False
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Options:
    """What a new task may be given besides its params."""

    delay: Delay | None
    run_at: datetime | None
    priority: int | None

    def members(self) -> dict[str, Any]:
        """The control members of a task object."""
        found: dict[str, Any] = {}
        if isinstance(self.delay, timedelta):
            found["_delay"] = f"{self.delay // timedelta(microseconds=1)} microseconds"
        elif self.delay is not None:
            found["_delay"] = self.delay
        if self.run_at is not None:
            found["_run_at"] = self.run_at
        if self.priority is not None:
            found["_priority"] = self.priority
        return found


T = TypeVar("T")
Plan = Generator[Query | Pause, Any, T]


class Core:
    """The operations. Machines are read from the database once, and again when a name or an id is not found."""

    def __init__(self, telemetry: Telemetry | None) -> None:
        self._telemetry = telemetry
        self._machines: dict[str, Machine] = {}
        self._find: bytes = b""

    def create(self, machine: str, params: Mapping[str, Any], options: Options, key: str | None) -> Plan[int]:
        statements = yield from self._statements(machine)
        task = {**params, **options.members()}
        if key is not None:
            task["_key"] = key
        rows = yield from self._created("create", statements, [task])
        id: int = rows[0][0]
        yield from self._pump(machine)
        return id

    def create_many(
        self, machine: str, tasks: Iterable[Mapping[str, Any]], options: Options, keys: Iterable[str] | None
    ) -> Plan[list[int]]:
        statements = yield from self._statements(machine)
        rest = _with(tasks, options.members(), keys)
        ids: list[int] = []
        while chunk := list(islice(rest, CHUNK)):
            rows = yield from self._created("create_many", statements, chunk)
            ids.extend(row[0] for row in rows)
        yield from self._pump(machine)
        return ids

    def send(self, id: int, event: str, payload: Mapping[str, Any], key: str | None) -> Plan[Sent]:
        machine = yield from self._machine_of(id)
        rows = yield from self._sent(sql.of(machine.module, machine.name), (id, event, _json(payload), key))
        yield from self._pump(machine.qualified)
        return Sent(*rows[0][:3])

    def retry(self, id: int) -> Plan[Sent]:
        machine = yield from self._machine_of(id)
        rows = yield Query(sql.of(machine.module, machine.name).retry, (id,))
        yield from self._pump(machine.qualified, *([machine.qualified] if machine.hears else []))
        return Sent(*rows[0])

    def get(self, id: int) -> Plan[TaskView]:
        machine = yield from self._machine_of(id)
        return (yield from self._view(machine, id))

    def history(self, id: int) -> Plan[list[Hop]]:
        machine = yield from self._machine_of(id)
        rows = yield Query(sql.of(machine.module, machine.name).history, (id,))
        return [Hop(*row) for row in rows]

    def wait(self, id: int, timeout: float | None) -> Plan[TaskView]:
        deadline = None if timeout is None else monotonic() + timeout
        machine = yield from self._machine_of(id)
        ends, look = machine.final | machine.failure, FIRST_LOOK
        while True:
            state, stuck = yield from self._standing(machine, id)
            if state in ends:
                return (yield from self._view(machine, id))
            if stuck:
                raise TaskStuck(f"task {id} is stuck in `{state}`: {stuck.get('error')}", "see `retry`")
            left = look if deadline is None else deadline - monotonic()
            if left <= 0:
                raise WaitTimeout(f"task {id} is in `{state}` after {timeout:g} s")
            yield Pause(min(look, left))
            look = min(look * 1.5, LONGEST_LOOK)

    def _created(self, call: str, statements: sql.MachineSql, tasks: Sequence[Mapping[str, Any]]) -> Plan[Any]:
        text = _json(tasks)
        if self._telemetry is None:
            return (yield Query(statements.create, (text,)))
        with self._telemetry.calling(call, statements.name, len(tasks)) as told:
            if not told.carrier:
                rows = yield Query(statements.create, (text,))
            else:
                rows = yield Query(statements.create_traced, (text, _json(told.carrier)))
            if len(rows) == 1:
                told.note(rows[0][0])
            return rows

    def _sent(self, statements: sql.MachineSql, params: tuple[int, str, str, str | None]) -> Plan[Any]:
        if self._telemetry is None:
            return (yield Query(statements.send, params))
        with self._telemetry.calling("send", statements.name, 1) as told:
            told.note(params[0])
            if not told.carrier:
                return (yield Query(statements.send, params))
            return (yield Query(statements.send_traced, (params[0], _json(told.carrier), *params)))

    def _pump(self, name: str, *more: str) -> Plan[None]:
        """Apply the messages that a machine's dispatch may have left, and those that follow, as far as they are not
        many: workers do the rest."""
        machine = self._machines.get(name)
        due = dict.fromkeys([*more, *(machine.reaches if machine is not None else ())])
        for _ in range(PUMPS):
            found = next((self._machines[one] for one in due if one in self._machines), None)
            if found is None:
                return
            del due[found.qualified]
            rows = yield Query(sql.of(found.module, found.name).pump, (PUMPED,), aside=True)
            if rows and rows[0][0]:
                due |= dict.fromkeys([found.qualified, *found.reaches])

    def _standing(self, machine: Machine, id: int) -> Plan[tuple[str, Mapping[str, Any] | None]]:
        rows = yield Query(sql.of(machine.module, machine.name).state, (id,))
        if not rows:
            raise TaskNotFound(f"there is no task {id} any more")
        return rows[0][0], rows[0][1]

    def _view(self, machine: Machine, id: int) -> Plan[TaskView]:
        rows = yield Query(sql.of(machine.module, machine.name).row, (id,), named=True)
        if not rows:
            raise TaskNotFound(f"there is no task {id} any more")
        row = rows[0]
        plain = ("id", "state", "attempts", "parent", "root", "created_at", "entered_at", "run_at")
        return TaskView(
            **{name: row[name] for name in plain},
            machine=machine.qualified,
            params={field.name: row[field.name] for field in machine.params if field.name in row},
            vars={field.name: row[field.name] for field in machine.vars if field.name in row},
            stuck=row["_stuck"],
            is_final=row["state"] in machine.final | machine.failure,
            is_failure=row["state"] in machine.failure,
        )

    def _statements(self, name: str) -> Plan[sql.MachineSql]:
        if name not in self._machines:
            yield from self._load()
        machine = self._machines.get(name)
        if machine is None:
            hint = did_you_mean(name, self._machines) or "apply its migration first: `jetpackc migrate`"
            raise UnknownMachine(f"the database has no machine `{name}`", hint)
        return sql.of(machine.module, machine.name)

    def _machine_of(self, id: int) -> Plan[Machine]:
        """The machine of a task: ids are unique in a database, so asking each machine finds it."""
        for stale in (bool(self._machines), False):
            if not stale:
                yield from self._load()
            if self._machines:
                rows = yield Query(self._find, (id,) * len(self._machines))
                if rows:
                    found: int = rows[0][0]
                    return list(self._machines.values())[found]
        raise TaskNotFound(f"there is no task {id}")

    def _load(self) -> Plan[None]:
        rows = yield Query(sql.VERSION)
        check_version(rows[0][0] if rows else 0)
        rows = yield Query(sql.MANIFESTS)
        self._machines = {machine.qualified: machine for machine in (read(*row) for row in rows)}
        self._find = sql.find_task([(machine.module, machine.name) for machine in self._machines.values()])


def problem(error: psycopg.Error) -> JetpackError | None:
    """What an error of a statement means to the caller; none: raise it as it is."""
    return translate(error) or not_migrated(error)


def _json(value: object) -> str:
    try:
        return encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadValue(f"this cannot be sent: {error}") from error


def _with(
    tasks: Iterable[Mapping[str, Any]], options: Mapping[str, Any], keys: Iterable[str] | None
) -> Iterator[Mapping[str, Any]]:
    if keys is not None:
        return ({**task, **options, "_key": key} for task, key in zip(tasks, keys, strict=True))
    return ({**task, **options} for task in tasks) if options else iter(tasks)
