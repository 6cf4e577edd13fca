"""What the client answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an event. `state` is the task's state after it; `reason` says why it was not applied."""

    applied: bool
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as it stood when it was read.

    `run_at`: when it can be claimed, none if nothing claims it. `stuck`: none, or what it is stuck on (at, event,
    payload, error, state). `is_final` and `is_failure` speak of `state`.
    """

    id: int
    machine: str
    state: str
    attempts: int
    params: Mapping[str, Any]
    vars: Mapping[str, Any]
    parent: int | None
    root: int | None
    created_at: datetime
    entered_at: datetime
    run_at: datetime | None
    stuck: Mapping[str, Any] | None
    is_final: bool
    is_failure: bool


@dataclass(frozen=True, slots=True)
class Hop:
    """One row of a task's history. `event` and `from_state` are none for its creation, `to_state` is none for an event
    that was ignored. `changed` holds the vars that changed, as JSON."""

    seq: int
    at: datetime
    event: str | None
    payload: Mapping[str, Any] | None
    from_state: str | None
    to_state: str | None
    changed: Mapping[str, Any] | None
    actor: str | None
