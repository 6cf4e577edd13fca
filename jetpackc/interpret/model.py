"""What there is: tasks, and the history of what happened to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a task, and the fence that keeps anybody else's result out."""

    worker: str
    token: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Stuck:
    """What could not be dispatched to a task, and why."""

    event: str
    payload: Any
    set: Mapping[str, Any]
    error: str


@dataclass(slots=True)
class Task:
    """An instance of a machine (`module.name`). `seq` is the number of its last hop, `last` the time of its last
    dispatch."""

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
class Event:
    """An event on its way to a task: its payload as it was given, the values of its fields, who sends it."""

    name: str
    payload: Any
    fields: Mapping[str, Any]
    actor: str


@dataclass(frozen=True, slots=True)
class Spawned:
    """A task to be made: by a caller, or by a dispatch once it has come to rest."""

    machine: str
    arguments: Mapping[str, Any]
    root: bool
    delay: Any
    priority: int | None = None
    key: str | None = None
