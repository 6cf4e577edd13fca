"""What one look tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """One machine. `oldest` is how many seconds the first ready task has been due.

    `created` and `ended` are tasks a second since the look before, in a first look over the last minute. `p50` and
    `p95` are the seconds from when a task could be claimed until it was, over the last minute; None where none was.
    `partial`: there is much history, of which old is removed, so what came into freed places is missing in these three.
    """

    machine: str
    ready: int
    running: int
    delayed: int
    stuck: int
    oldest: float
    created: float
    ended: float
    p50: float | None
    p95: float | None
    partial: bool
    paused: tuple[str, ...]
    """Queues that are paused; an empty name is the whole machine."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A worker's lease. `seen` is how many seconds ago it said that it lives, `since` how many it has had the lease;
    `holds` counts tasks by machine. `over`: the lease has run out, and its tasks wait to be taken from it."""

    id: int
    name: str
    since: float
    seen: float
    lease: float
    idle: bool
    over: bool
    holds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Who keeps the oldest dead rows of this database from vacuum: a `session`, a `replication slot` or a `prepared
    transaction`. `age` is in transactions, `seconds` since its own began, None where that is not known. `query` is
    there only if it was asked for."""

    kind: str
    pid: int | None
    role: str | None
    name: str
    state: str
    age: int
    seconds: float | None
    query: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """All of it. `hidden`: sessions of other roles that this one may not look into."""

    at: datetime
    queues: tuple[Queue, ...]
    holders: tuple[Holder, ...]
    horizon: Horizon | None
    hidden: int
