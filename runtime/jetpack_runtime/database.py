"""How this package connects, and how a worker's connections come back after an outage."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from time import monotonic
from typing import Any

import psycopg
from psycopg import conninfo
from psycopg.rows import TupleRow

from . import sql
from .errors import DatabaseUnreachable, NewerDatabase, NotMigrated

LOG = logging.getLogger("jetpack")

KNOWN_VERSION = 2
"""The newest version of the schema `jet` that this runtime knows."""

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection, where the connection string does not say."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0

AsyncConnection = psycopg.AsyncConnection[TupleRow]
Connection = psycopg.Connection[TupleRow]
Params = Sequence[Any]
Rows = list[TupleRow]

_TRANSIENT = ("08", "40", "53", "57")
_READ_ONLY = "25006"


def check_version(version: int) -> None:
    """Raise NewerDatabase for one that this runtime does not know."""
    if version > KNOWN_VERSION:
        raise NewerDatabase(
            f"the database has version {version} of the schema `jet`, this runtime knows {KNOWN_VERSION}",
            "install the newer `jetpack-runtime`",
        )


def not_migrated(error: psycopg.Error) -> NotMigrated | None:
    """What an error of the first query means where the schema `jet` is missing."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return NotMigrated("this database has no schema `jet`", "apply the migrations first: `jetpackc migrate`")
    return None


def broken(error: BaseException) -> bool:
    """Does this error speak of the connection, the server or the moment, so that the same statement may pass later?"""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return error.sqlstate.startswith(_TRANSIENT) or error.sqlstate == _READ_ONLY
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError | TimeoutError)


class Database:
    """Makes connections, all alike: autocommit, tuples, READ COMMITTED where a transaction is begun.

    `prepare_threshold` is psycopg's; None for a pooler that cannot keep prepared statements.
    """

    def __init__(self, dsn: str, name: str, prepare_threshold: int | None = 5) -> None:
        self._options: dict[str, Any] = {"prepare_threshold": prepare_threshold, "autocommit": True}
        try:
            self._dsn = conninfo.make_conninfo(dsn, fallback_application_name=name)
            given = conninfo.conninfo_to_dict(self._dsn)
        except psycopg.ProgrammingError:
            # libpq's own message repeats the string, and with it a password.
            raise DatabaseUnreachable("the connection string cannot be read", _DSN_HINT) from None
        self._options["connect_timeout"] = given.get("connect_timeout", CONNECT_TIMEOUT)
        shown = {key: given.get(key) for key in ("host", "port", "dbname", "user")}
        self.place = ", ".join(f"{key} {value}" for key, value in shown.items() if value) or "the default server"
        self._down_since: float | None = None

    async def connect(self) -> AsyncConnection:
        """A new connection. Raises psycopg.OperationalError."""
        connection = await psycopg.AsyncConnection.connect(self._dsn, **self._options)
        await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
        return connection

    def connect_sync(self) -> Connection:
        """The same for a thread."""
        connection = psycopg.connect(self._dsn, **self._options)
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return connection

    def unreachable(self, error: BaseException) -> DatabaseUnreachable:
        """The error to raise where the first connection fails."""
        return DatabaseUnreachable(f"cannot connect to {self.place}: {brief(error)}", _DSN_HINT)

    def cut_off(self, error: BaseException) -> DatabaseUnreachable:
        """The error to raise where a connection breaks in the middle of a call."""
        hint = "whether the call went through is not known; one with a `key` may be repeated"
        return DatabaseUnreachable(f"the connection to {self.place} broke: {brief(error)}", hint)

    @property
    def is_down(self) -> bool:
        """Is an outage going on."""
        return self._down_since is not None

    def went_down(self, error: BaseException) -> None:
        """Log an outage, once."""
        if self._down_since is None:
            self._down_since = monotonic()
            LOG.warning("the database is away (%s): %s; connecting again", self.place, brief(error))

    def came_up(self) -> None:
        """Log its end."""
        if self._down_since is not None:
            LOG.warning("the database is back after %.1f s", monotonic() - self._down_since)
            self._down_since = None


_DSN_HINT = "it should look like postgresql://user@host:5432/name"


def brief(error: BaseException) -> str:
    """The first line of an error: what follows, Postgres's DETAIL, may hold a row's values, which no log should."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class Link:
    """One connection that is made again whenever it is gone. `greet` is sent first on each new one.

    A statement that takes longer than `timeout` seconds counts as an outage: half-open connections answer nothing.
    """

    def __init__(self, database: Database, timeout: float, greet: bytes | None = None) -> None:
        self._database = database
        self._timeout = timeout
        self._greet = greet
        self._connection: AsyncConnection | None = None
        self._pause = FIRST_PAUSE

    async def start(self) -> None:
        """Connect for the first time. Raises DatabaseUnreachable, NotMigrated, NewerDatabase."""
        try:
            await self._open()
            rows = await self.fetch(sql.VERSION)
        except (psycopg.OperationalError, OSError, TimeoutError) as error:
            raise self._database.unreachable(error) from error
        except psycopg.Error as error:
            raise not_migrated(error) or error from error
        check_version(rows[0][0] if rows else 0)

    async def get(self) -> AsyncConnection:
        """The connection, waiting for the database as long as it takes."""
        while self._connection is None or self._connection.closed:
            try:
                await self._open()
            except (psycopg.OperationalError, OSError) as error:
                await self.failed(error)
        return self._connection

    async def fetch(
        self, query: bytes, params: Params = (), *, binary: bool = False, prepare: bool | None = None
    ) -> Rows:
        """Run a statement that is its own transaction. Raises psycopg.Error, OSError, TimeoutError."""
        connection = await self.get()
        async with asyncio.timeout(self._timeout):
            cursor = await connection.execute(query, params, binary=binary, prepare=prepare)
            rows = await cursor.fetchall()
        if self._pause != FIRST_PAUSE or self._database.is_down:
            self._pause = FIRST_PAUSE
            self._database.came_up()
        return rows

    async def failed(self, error: BaseException) -> None:
        """Drop the connection and pause, each time longer, with jitter so that workers do not come back as one."""
        await self.close()
        self._database.went_down(error)
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, no secret
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> None:
        connection = await self._database.connect()
        try:
            await self._say(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def _say(self, connection: AsyncConnection) -> None:
        if self._greet is None:
            return
        try:
            await connection.execute(self._greet)
        except psycopg.Error as error:
            if connection.closed:
                raise
            LOG.warning("`%s` is refused, polling instead: %s", self._greet.decode(), brief(error))
