"""What there is: tasks, the history of what happened to them, and what is on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jetpackc.ir.model import Type


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
    """What could not be dispatched to a task, and why."""

    event: Event
    error: str


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
