"""How long queues are: what gauges and `jetpackc top` show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

import psycopg

from . import sql
from .database import Connection, Database

REST = 5.0
"""Seconds between two looks, at the least."""

SHARE = 20
"""A look that takes long is repeated the more rarely: it may run a twentieth of the time."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The queue of one machine. `ready` can be claimed now, `delayed` later, `running` are at work, `stuck` wait for a
    person. `oldest` is how many seconds the first of the ready has been due, 0 where there is none."""

    machine: str
    ready: int
    delayed: int
    running: int
    stuck: int
    oldest: float


def depths_of(connection: Connection, machines: Iterable[str]) -> list[Depth]:
    """Look once. Counts walk the queue, not the table: what has ended costs nothing. Raises psycopg.Error."""
    statements = ((name, sql.of(*name.split(".")).depth) for name in machines)
    return [Depth(name, *connection.execute(statement).fetchall()[0]) for name, statement in statements]


class Depths:
    """Looks on a connection of its own, seldom enough to weigh nothing; safe to call from any thread."""

    def __init__(self, database: Database, machines: Callable[[], Iterable[str]]) -> None:
        self._database = database
        self._machines = machines
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._known: list[Depth] = []
        self._next = 0.0
        self._closed = False

    def __call__(self) -> list[Depth]:
        """The last look, or a new one where that is some seconds old; none while the database is away."""
        with self._lock:
            if monotonic() >= self._next and not self._closed:
                began = monotonic()
                self._known = self._look()
                self._next = monotonic() + max(REST, SHARE * (monotonic() - began))
            return self._known

    def close(self) -> None:
        """Give the connection back; from now on there is nothing to tell."""
        with self._lock:
            self._closed, self._known = True, []
            self._drop()

    def _look(self) -> list[Depth]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._database.connect_sync()
            return depths_of(self._connection, self._machines())
        except (psycopg.Error, OSError):
            self._drop()
            return []

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
