"""What there is: tasks, the history of what happened to them, and what is on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from jetpackc.ir.model import Type
from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """An event on its way to a task: its payload in JSON, as it was given, and the vars that a handler set besides."""

    name: str
    payload: Any = None
    set: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a task, and the fence that keeps anybody else's result out."""

    worker: str
    token: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """What could not be dispatched to a task, and why; the message, where it was one."""

    event: Event
    error: str
    message: Message | None = None


@dataclass(slots=True)
class Task:
    """An instance of a machine (`module.name`). `seq` is the number of its last hop, `last` the time of its last
    dispatch. `timers` has the moment of each that `chart.timers` tells of, None where it has fired or was given none;
    `due` is when the next one is."""

    id: int
    machine: str
    state: str
    params: dict[str, Any]
    vars: dict[str, Any]
    created_at: datetime
    entered_at: datetime
    last: datetime
    run_at: datetime | None = None
    attempts: int = 0
    depth: int = 0
    parent: int | None = None
    root: int = 0
    priority: int = 0
    key: str | None = None
    ended: bool = False
    seq: int = 0
    lease: Lease | None = None
    stuck: Stuck | None = None
    timers: tuple[datetime | None, ...] = ()
    due: datetime | None = None
    known: Mapping[int, Known] = field(default_factory=dict)
    deferred: tuple[tuple[Event, str], ...] = ()
    result: tuple[Any] | None = None
    """What its final state has returned, in JSON."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a task has heard of one below it: its machine, the states it is in from inner to outer, and of what kind;
    whether it is a child."""

    machine: str
    states: tuple[str, ...]
    kind: str
    is_child: bool
    result: Any = None

    def is_in(self, name: str, module: str) -> bool:
        """Trees: a name in a count is a state, `machine.state`, `final` or `failure`."""
        if name in {"final", "failure"}:
            return self.kind == name or (name, self.kind) == ("final", "failure")
        machines = (f"{self.machine}.", f"{self.machine.removeprefix(f'{module}.')}.", "")
        return any(f"{machine}{state}" == name for machine in machines for state in self.states)


@dataclass(frozen=True, slots=True)
class Message:
    """Trees: what waits for a task: an event, for itself (`way` empty), its subtree too, or to hand on to its children
    but the sender; or news of those below."""

    receiver: int
    sender: int
    actor: str
    event: Event | None = None
    way: str = ""
    news: Mapping[int, Known] = field(default_factory=dict)
    ended: tuple[int, ...] = ()
    """Of the children that it tells of, those that have just ended."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One row of the history. `from_state` is None for a creation, `to_state` for what changed nothing."""

    id: int
    seq: int
    at: datetime
    event: str | None
    payload: Any
    from_state: str | None
    to_state: str | None
    changed: Mapping[str, Any]
    actor: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender of an event is told: whether anything took it, and the state after it."""

    applied: bool
    state: str


@dataclass(frozen=True, slots=True)
class Spawned:
    """A task to be made, by a caller or by a dispatch: its machine (`module.name`), its arguments with their types,
    whether it stands alone."""

    machine: str
    arguments: Mapping[str, tuple[Any, Type]]
    root: bool
    delay: timedelta | None
    priority: int | None = None
    key: str | None = None
    id: int | None = None
