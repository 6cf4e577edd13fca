"""A claimed task on its way through the worker."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from .codec import Decoder, loads
from .handlers import Binding
from .manifest import Machine
from .outcome import Event
from .sql import MachineSql, of

Verdict = Literal["lost", "timeout", "released"]
"""Why a handler is cancelled: its lease is gone or its task moved on; its time is up; the worker shuts down."""


class TaskData(NamedTuple):
    """What a claim tells of a task, as Python values. `timeout` is in seconds."""

    params: dict[str, Any]
    vars: dict[str, Any]
    event: Event | None
    timeout: float | None


class Origin(NamedTuple):
    """Where a task comes from, as far as callers traced it: the contexts, as a propagator writes them, of its creation,
    or of the nearest task above it that has one, and of the last event sent to it."""

    created: Mapping[str, str] | None
    sent: Mapping[str, str] | None


class Outcome(NamedTuple):
    """What the database is to be told. `text` is one JSON object of a batch."""

    sql: MachineSql
    worker: int
    id: int
    text: str


class Served:
    """A machine that this worker works, in one version, and the handler of each running state."""

    def __init__(self, machine: Machine, bindings: Mapping[str, Binding]) -> None:
        self.machine = machine
        self.bindings = bindings
        self.name = machine.qualified
        self.sql = of(machine.module, machine.name)
        self._params = Decoder(machine.params)
        self._vars = Decoder(machine.vars)
        self._events = {name: Decoder(fields) for name, fields in machine.events.items()}
        groups = (machine.params, machine.vars, *machine.events.values())
        self._exact = any(
            field.type.removesuffix("[]") in {"numeric", "interval"} for group in groups for field in group
        )

    def read(self, text: str) -> TaskData:
        """Parse the `data` of a claim."""
        data = loads(text, self._exact)
        event = data.get("event")
        return TaskData(
            self._params(data["params"]),
            self._vars(data["vars"]),
            self._event(event["name"], event.get("payload") or {}) if event else None,
            data.get("timeout"),
        )

    def timeout(self, text: str) -> float | None:
        """The seconds that a run may take, from the `data` of a claim. None, too, where Python cannot read that: its
        handler finds out what is wrong, and the database minds the time by itself."""
        try:
            found = json.loads(text, parse_int=float).get("timeout")
        except (ValueError, RecursionError):
            return None
        return None if found is None else float(found)

    def _event(self, name: str, payload: dict[str, Any]) -> Event:
        decode = self._events.get(name)
        return Event(name, **(decode(payload) if decode else payload))


def outcome(served: Served, worker: int, id: int, token: int, ending: str) -> Outcome:
    """How one claimed task ended; `ending` as in `outcome.py`."""
    return Outcome(served.sql, worker, id, f'{{"id":{id},"token":{token},{ending}}}')


class Job:
    """One claimed task. `answered`: the database is told already, a late result is dropped. `finishing`: the
    ending of a handler whose own transaction is being committed, or was."""

    __slots__ = (
        "answered",
        "attempt",
        "binding",
        "cancelled",
        "data",
        "finishing",
        "id",
        "lane",
        "served",
        "state",
        "timer",
        "token",
        "verdict",
        "worker",
    )

    def __init__(  # noqa: PLR0917 -- made once a claimed row
        self, served: Served, binding: Binding, worker: int, id: int, token: int, attempt: int, state: str, data: str
    ) -> None:
        self.served = served
        self.binding = binding
        self.worker = worker
        self.id = id
        self.token = token
        self.attempt = attempt
        self.state = state
        self.data = data
        self.verdict: Verdict | None = None
        self.answered = False
        self.finishing: str | None = None
        self.lane: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.cancelled: threading.Event | None = None

    def outcome(self, ending: str) -> Outcome:
        """How this job ended."""
        return outcome(self.served, self.worker, self.id, self.token, ending)

    def __str__(self) -> str:
        return f"task {self.id} of `{self.served.name}` in `{self.state}`"
