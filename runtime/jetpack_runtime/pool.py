"""Connections for `task.connection`, and the transaction that such a task ends in.

A handler that asks for a connection gets one in an open transaction. When it returns, its outcome is resolved in that
transaction, and only an outcome that was applied commits it: the handler's writes and the end of its task are one.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from time import monotonic

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from .database import AsyncConnection, Connection, Database
from .errors import JetpackError
from .jobs import Outcome
from .sql import MachineSql

IDLE_LIMIT = 60.0
"""Seconds after which an unused connection is closed."""

COMMITTED = "applied"


def _need_open(connection: AsyncConnection | Connection) -> None:
    """The handler's transaction must be the one that ends its task."""
    if connection.info.transaction_status == TransactionStatus.IDLE:
        raise JetpackError(
            "the handler ended the transaction of `task.connection` by itself: its writes stand without its task's end",
            "leave `commit` and `rollback` to the worker; `connection.transaction()` makes savepoints",
        )


def _reusable(connection: AsyncConnection | Connection) -> bool:
    return not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE


class AsyncPool:
    """At most `size` connections at a time; a handler that asks for one more waits."""

    def __init__(self, database: Database, size: int) -> None:
        self._database = database
        self._idle: list[tuple[float, AsyncConnection]] = []
        self._slots = asyncio.Semaphore(size)

    async def begin(self) -> AsyncSession:
        """A connection with a transaction begun. Raises psycopg.OperationalError."""
        await self._slots.acquire()
        try:
            while self._idle:
                # One that lay idle may have died meanwhile: then the next, in the end a new one.
                with suppress(psycopg.OperationalError):
                    return await AsyncSession.begin(self, self._idle.pop()[1])
            return await AsyncSession.begin(self, await self._database.connect())
        except BaseException:
            self._slots.release()
            raise

    async def give_back(self, connection: AsyncConnection) -> None:
        """Take a connection back; close it unless it is as it was given."""
        try:
            if _reusable(connection):
                connection.row_factory = tuple_row
                self._idle.append((monotonic(), connection))
            else:
                await connection.close()
        finally:
            self._slots.release()

    async def trim(self, limit: float = IDLE_LIMIT) -> None:
        """Close what nobody used for `limit` seconds."""
        now = monotonic()
        old = [entry for entry in self._idle if now - entry[0] >= limit]
        for entry in old:
            self._idle.remove(entry)
            await entry[1].close()


class AsyncSession:
    """One task's transaction."""

    __slots__ = ("_committed", "_pool", "_transaction", "connection")

    def __init__(self, pool: AsyncPool, connection: AsyncConnection, transaction: psycopg.AsyncTransaction) -> None:
        self._pool = pool
        self._transaction = transaction
        self._committed = False
        self.connection = connection

    @classmethod
    async def begin(cls, pool: AsyncPool, connection: AsyncConnection) -> AsyncSession:
        # A psycopg transaction block refuses the handler's own commit() and rollback().
        transaction = psycopg.AsyncTransaction(connection)
        try:
            await transaction.__aenter__()
        except BaseException:
            await connection.close()
            raise
        return cls(pool, connection, transaction)

    async def resolve(self, sql: MachineSql, outcome: Outcome) -> tuple[str, str | None]:
        """Resolve in this transaction, and commit if that was applied. The result, and why it failed if it did."""
        _need_open(self.connection)
        cursor = psycopg.AsyncCursor(self.connection, row_factory=tuple_row)
        await cursor.execute(sql.resolve_one, (outcome.worker, f"[{outcome.text}]"))
        row = await cursor.fetchone()
        result: str = row[0] if row else "missing"
        if result == COMMITTED:
            await self._transaction.__aexit__(None, None, None)
            self._committed = True
            return result, None
        row = await (await cursor.execute(sql.reason, (outcome.id,))).fetchone()
        return result, row[0] if row else None

    async def close(self) -> None:
        """Undo what is not committed and give the connection back. One whose transaction the handler has ended is
        closed: psycopg believes it to be in one."""
        try:
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                with suppress(psycopg.Error):
                    await self._transaction.__aexit__(psycopg.Rollback, psycopg.Rollback(), None)
            elif not self._committed:
                await self.connection.close()
        finally:
            await self._pool.give_back(self.connection)


class SyncPool:
    """The same for handlers in threads."""

    def __init__(self, database: Database, size: int) -> None:
        self._database = database
        self._idle: list[tuple[float, Connection]] = []
        self._slots = threading.Semaphore(size)

    def begin(self) -> SyncSession:
        """A connection with a transaction begun. Raises psycopg.OperationalError."""
        self._slots.acquire()
        try:
            while (connection := self._pop()) is not None:
                with suppress(psycopg.OperationalError):
                    return SyncSession.begin(self, connection)
            return SyncSession.begin(self, self._database.connect_sync())
        except BaseException:
            self._slots.release()
            raise

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()[1]
        except IndexError:
            return None

    def give_back(self, connection: Connection) -> None:
        """Take a connection back; close it unless it is as it was given."""
        try:
            if _reusable(connection):
                connection.row_factory = tuple_row
                self._idle.append((monotonic(), connection))
            else:
                connection.close()
        finally:
            self._slots.release()

    def trim(self, limit: float = IDLE_LIMIT) -> None:
        """Close what nobody used for `limit` seconds."""
        now = monotonic()
        for entry in list(self._idle):
            if now - entry[0] >= limit:
                with suppress(ValueError):  # a thread took it since
                    self._idle.remove(entry)
                    entry[1].close()


class SyncSession:
    """One task's transaction in a thread."""

    __slots__ = ("_committed", "_pool", "_transaction", "connection")

    def __init__(self, pool: SyncPool, connection: Connection, transaction: psycopg.Transaction) -> None:
        self._pool = pool
        self._transaction = transaction
        self._committed = False
        self.connection = connection

    @classmethod
    def begin(cls, pool: SyncPool, connection: Connection) -> SyncSession:
        transaction = psycopg.Transaction(connection)
        try:
            transaction.__enter__()
        except BaseException:
            connection.close()
            raise
        return cls(pool, connection, transaction)

    def resolve(self, sql: MachineSql, outcome: Outcome) -> tuple[str, str | None]:
        """Resolve in this transaction, and commit if that was applied. The result, and why it failed if it did."""
        _need_open(self.connection)
        cursor = psycopg.Cursor(self.connection, row_factory=tuple_row)
        row = cursor.execute(sql.resolve_one, (outcome.worker, f"[{outcome.text}]")).fetchone()
        result: str = row[0] if row else "missing"
        if result == COMMITTED:
            self._transaction.__exit__(None, None, None)
            self._committed = True
            return result, None
        row = cursor.execute(sql.reason, (outcome.id,)).fetchone()
        return result, row[0] if row else None

    def close(self) -> None:
        """Undo what is not committed and give the connection back. One whose transaction the handler has ended is
        closed: psycopg believes it to be in one."""
        try:
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                with suppress(psycopg.Error):
                    self._transaction.__exit__(psycopg.Rollback, psycopg.Rollback(), None)
            elif not self._committed:
                self.connection.close()
        finally:
            self._pool.give_back(self.connection)
