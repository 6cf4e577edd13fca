"""What a handler is given."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import psycopg

from .errors import BadValue, did_you_mean
from .fit import check_value
from .jobs import Job, TaskData
from .outcome import Event
from .pool import AsyncPool, AsyncSession, SyncPool, SyncSession


class BaseTask:
    """What both kinds of handlers see of their task."""

    __slots__ = ("_changes", "_data", "_job")

    def __init__(self, job: Job) -> None:
        self._job = job
        self._data: TaskData | None = None
        self._changes: dict[str, Any] | None = None

    @property
    def id(self) -> int:
        """The task's id, unique in the database."""
        return self._job.id

    @property
    def machine(self) -> str:
        """`module.machine`."""
        return self._job.served.name

    @property
    def state(self) -> str:
        """The running state that this handler works."""
        return self._job.state

    @property
    def attempt(self) -> int:
        """The task's `attempts` as they stand in this run: 1 in the first."""
        return self._job.attempt

    @property
    def params(self) -> Mapping[str, Any]:
        """The task's params by name."""
        return self._read().params

    @property
    def vars(self) -> Mapping[str, Any]:
        """The task's vars by name, with what `set` changed."""
        return self._read().vars

    @property
    def event(self) -> Event | None:
        """The event that led here, where the database tells."""
        return self._read().event

    def set(self, /, **vars: Any) -> None:
        """Change vars of the task, applied with the outcome of this handler; an ERROR drops them.

        Raises BadValue for a var that the machine does not have or a value that does not fit it.
        """
        machine = self._job.served.machine
        for name, value in vars.items():
            field = machine.var_fields.get(name)
            if field is None:
                raise BadValue(f"`{self.machine}` has no var `{name}`", did_you_mean(name, machine.var_fields))
            check_value(value, field, machine.enums)
        self._changes = {**(self._changes or {}), **vars}
        self._read().vars.update(vars)

    def _read(self) -> TaskData:
        if self._data is None:
            self._data = self._job.served.read(self._job.data)
        return self._data

    def __repr__(self) -> str:
        return f"<{self._job}>"


class Task(BaseTask):
    """The task of an `async def` handler."""

    __slots__ = ("_pool", "_session")

    def __init__(self, job: Job, pool: AsyncPool) -> None:
        super().__init__(job)
        self._pool = pool
        self._session: AsyncSession | None = None

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        """A connection inside the transaction that finishes this task: what the handler writes with it commits
        together with the task's outcome, or not at all. The same one at each call; do not commit it.

        Raises psycopg.OperationalError where the database is away.
        """
        if self._session is None:
            self._session = await self._pool.begin()
        return self._session.connection


class PlainTask(BaseTask):
    """The task of a plain function, which runs in a thread."""

    __slots__ = ("_pool", "_session", "cancelled")

    def __init__(self, job: Job, pool: SyncPool, cancelled: threading.Event) -> None:
        super().__init__(job)
        self._pool = pool
        self._session: SyncSession | None = None
        self.cancelled = cancelled
        """Set when the work is no longer wanted: the lease is lost, the time is up, the worker shuts down. A thread
        cannot be interrupted; a long one looks here and returns. Its result is refused by then."""

    def connection(self) -> psycopg.Connection[Any]:
        """A connection inside the transaction that finishes this task; see `Task.connection`."""
        if self._session is None:
            self._session = self._pool.begin()
        return self._session.connection
