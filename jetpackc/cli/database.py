"""Which database a command means, and how it connects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jetpackc.cli.errors import DATABASE, Failure, Usage, unreachable
from jetpackc.diagnostics.rules.migration import DATABASE_UNREACHABLE

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
Command = TypeVar("Command", bound=Callable[..., object])


def dsn_option(command: Command) -> Command:
    """--dsn."""
    help = "Connection string [DATABASE_URL, else the project's own database]."
    return click.option("--dsn", envvar="DATABASE_URL", help=help)(command)


@contextmanager
def chosen(dsn: str | None, folder: Path | None = None) -> Iterator[str]:
    """The DSN given, or that of the project's own database, which runs at least until the context ends.

    Raises Usage, PostgresError.
    """
    if dsn is not None:
        yield dsn
        return
    from jetpackc.postgres import has_database, project_database

    if not has_database(folder or Path()):
        raise Usage("no database is named", "give --dsn, set DATABASE_URL, or start one with `jetpackc dev`")
    with project_database(folder or Path()) as own:
        yield own


def check_dsn(dsn: str) -> dict[str, Any]:
    """What a connection string says. Raises Failure where it cannot be read."""
    import psycopg

    try:
        return psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its message repeats the string, and with it a password
        help = "it should look like postgresql://user@host:5432/name"
        raise Failure("the connection string cannot be read", help, DATABASE, DATABASE_UNREACHABLE) from None


def connect(dsn: str) -> psycopg.Connection:
    """A connection in autocommit mode. Raises Failure."""
    import psycopg

    seconds = check_dsn(dsn).get("connect_timeout", CONNECT_SECONDS)
    try:
        return psycopg.connect(dsn, autocommit=True, connect_timeout=seconds)
    except psycopg.OperationalError as error:
        raise unreachable(error) from error


@contextmanager
def opened(dsn: str | None) -> Iterator[psycopg.Connection]:
    """A connection to the database meant. Raises Usage, Failure, PostgresError."""
    with chosen(dsn) as found, connect(found) as connection:
        yield connection
