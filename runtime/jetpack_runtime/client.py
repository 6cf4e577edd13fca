"""The clients: create tasks, send them events, look at them, wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, tuple_row

from .core import Core, Delay, Options, Pause, Plan, Query, problem
from .database import Database
from .errors import JetpackError
from .telemetry import Telemetry
from .views import Hop, Sent, TaskView

T = TypeVar("T")


class Client:
    """Creates tasks, sends events, reads and waits. Given a connection string, it connects when first used, and again
    if that connection is lost; each call is a transaction of its own. Given a connection, everything happens in that
    connection's transaction, which the client never commits or rolls back.

        with Client(dsn) as client:
            id = client.create("shop.checkout", {"order_id": 7})

    `telemetry` hears of each create and send, such as an `otel.OpenTelemetry`, with which traces go on in handlers.
    `prepare_threshold` is psycopg's: None behind a pooler that cannot keep prepared statements.

    Errors are those of `errors.py`; what the contract does not name stays psycopg's own.
    """

    def __init__(
        self,
        database: str | psycopg.Connection[Any],
        *,
        telemetry: Telemetry | None = None,
        prepare_threshold: int | None = 5,
    ) -> None:
        self._core = Core(telemetry)
        name = "jetpack client"
        self._database = Database(database, name, prepare_threshold) if isinstance(database, str) else None
        self._connection = None if isinstance(database, str) else database

    def create(
        self,
        machine: str,
        params: Mapping[str, Any] | None = None,
        *,
        delay: Delay | None = None,
        run_at: datetime | None = None,
        priority: int | None = None,
        key: str | None = None,
    ) -> int:
        """Create a task of `module.machine`; its id. `delay` (a timedelta, or Postgres's text such as "1 hour") or
        `run_at` say when it can be claimed, lower `priority` numbers go first (None: as the machine says). A repeated
        `key` gives the first task's id again.

        Raises BadValue, UniqueConflict, TransitionFailed, UnknownMachine.
        """
        return self._run(self._core.create(machine, params or {}, Options(delay, run_at, priority), key))

    def create_many(
        self,
        machine: str,
        tasks: Iterable[Mapping[str, Any]],
        *,
        delay: Delay | None = None,
        run_at: datetime | None = None,
        priority: int | None = None,
        keys: Iterable[str] | None = None,
    ) -> list[int]:
        """Create a task for each mapping of params, all or none, about as fast as COPY; their ids in order.

        `keys` gives one key a task. Raises what `create` raises.
        """
        plan = self._core.create_many(machine, tasks, Options(delay, run_at, priority), keys)
        if self._database is None:
            return self._run(plan)
        with self._open().transaction():
            return self._run(plan)

    def send(self, id: int, event: str, payload: Mapping[str, Any] | None = None, *, key: str | None = None) -> Sent:
        """Send an event to a task. `applied` is false where its state does not handle it. A repeated `key` gives the
        first answer again.

        Raises TaskNotFound, BadValue, TransitionFailed.
        """
        return self._run(self._core.send(id, event, payload or {}, key))

    def get(self, id: int) -> TaskView:
        """A task as it stands. Raises TaskNotFound."""
        return self._run(self._core.get(id))

    def history(self, id: int) -> list[Hop]:
        """All that happened to a task, oldest first. Raises TaskNotFound."""
        return self._run(self._core.history(id))

    def wait(self, id: int, timeout: float | None = None) -> TaskView:
        """Wait until a task rests in a final state, at most `timeout` seconds.

        Raises WaitTimeout, TaskStuck, TaskNotFound. On a connection of your own it must not be in a transaction above
        READ COMMITTED, which would never see a change.
        """
        return self._run(self._core.wait(id, timeout))

    def retry(self, id: int) -> Sent:
        """Dispatch again what a stuck task is stuck on. Raises TaskNotFound, TransitionFailed."""
        return self._run(self._core.retry(id))

    def close(self) -> None:
        """Close the connection, if it is the client's own."""
        if self._database is not None and self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _open(self) -> psycopg.Connection[Any]:
        if self._database is not None and (self._connection is None or self._connection.closed):
            try:
                self._connection = self._database.connect_sync()
            except psycopg.OperationalError as error:
                raise self._database.unreachable(error) from error
        assert self._connection is not None
        return self._connection

    def _run(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                try:
                    answer = self._do(step)
                except BaseException as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Query | Pause) -> list[Any] | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if step.aside:
            return self._do_aside(step)
        try:
            cursor = psycopg.Cursor(self._open(), row_factory=dict_row if step.named else tuple_row)
            with cursor:
                return cursor.execute(step.text, step.params, prepare=False if step.named else None).fetchall()
        except psycopg.Error as error:
            if self._database is not None and self._connection is not None and self._connection.closed:
                raise self._database.cut_off(error) from error
            if ours := problem(error):
                raise ours from error
            raise

    def _do_aside(self, step: Query) -> list[Any] | None:
        if self._open().info.transaction_status != TransactionStatus.IDLE:
            return None
        try:
            return self._do(replace(step, aside=False))
        except (psycopg.Error, JetpackError):
            return None


class AsyncClient:
    """`Client` for asyncio: the same operations, awaited.

    async with AsyncClient(dsn) as client:
        id = await client.create("shop.checkout", {"order_id": 7})
    """

    def __init__(
        self,
        database: str | psycopg.AsyncConnection[Any],
        *,
        telemetry: Telemetry | None = None,
        prepare_threshold: int | None = 5,
    ) -> None:
        self._core = Core(telemetry)
        name = "jetpack client"
        self._database = Database(database, name, prepare_threshold) if isinstance(database, str) else None
        self._connection = None if isinstance(database, str) else database

    async def create(
        self,
        machine: str,
        params: Mapping[str, Any] | None = None,
        *,
        delay: Delay | None = None,
        run_at: datetime | None = None,
        priority: int | None = None,
        key: str | None = None,
    ) -> int:
        """See `Client.create`."""
        return await self._run(self._core.create(machine, params or {}, Options(delay, run_at, priority), key))

    async def create_many(
        self,
        machine: str,
        tasks: Iterable[Mapping[str, Any]],
        *,
        delay: Delay | None = None,
        run_at: datetime | None = None,
        priority: int | None = None,
        keys: Iterable[str] | None = None,
    ) -> list[int]:
        """See `Client.create_many`."""
        plan = self._core.create_many(machine, tasks, Options(delay, run_at, priority), keys)
        if self._database is None:
            return await self._run(plan)
        async with (await self._open()).transaction():
            return await self._run(plan)

    async def send(
        self, id: int, event: str, payload: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> Sent:
        """See `Client.send`."""
        return await self._run(self._core.send(id, event, payload or {}, key))

    async def get(self, id: int) -> TaskView:
        """See `Client.get`."""
        return await self._run(self._core.get(id))

    async def history(self, id: int) -> list[Hop]:
        """See `Client.history`."""
        return await self._run(self._core.history(id))

    async def wait(self, id: int, timeout: float | None = None) -> TaskView:  # noqa: ASYNC109 -- part of the answer
        """See `Client.wait`."""
        return await self._run(self._core.wait(id, timeout))

    async def retry(self, id: int) -> Sent:
        """See `Client.retry`."""
        return await self._run(self._core.retry(id))

    async def close(self) -> None:
        """Close the connection, if it is the client's own."""
        if self._database is not None and self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._database is not None and (self._connection is None or self._connection.closed):
            try:
                self._connection = await self._database.connect()
            except psycopg.OperationalError as error:
                raise self._database.unreachable(error) from error
        assert self._connection is not None
        return self._connection

    async def _run(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                try:
                    answer = await self._do(step)
                except BaseException as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Query | Pause) -> list[Any] | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if step.aside:
            return await self._do_aside(step)
        try:
            connection = await self._open()
            async with psycopg.AsyncCursor(connection, row_factory=dict_row if step.named else tuple_row) as cursor:
                await cursor.execute(step.text, step.params, prepare=False if step.named else None)
                return await cursor.fetchall()
        except psycopg.Error as error:
            if self._database is not None and self._connection is not None and self._connection.closed:
                raise self._database.cut_off(error) from error
            if ours := problem(error):
                raise ours from error
            raise

    async def _do_aside(self, step: Query) -> list[Any] | None:
        if (await self._open()).info.transaction_status != TransactionStatus.IDLE:
            return None
        try:
            return await self._do(replace(step, aside=False))
        except (psycopg.Error, JetpackError):
            return None
