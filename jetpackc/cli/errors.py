"""What a command says when it fails, and what the errors of others mean to a user."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import click

from jetpackc.cli.output import dim, fault
from jetpackc.diagnostics.model import Rule
from jetpackc.diagnostics.rules.migration import DATABASE_UNREACHABLE, NEWER_DATABASE
from jetpackc.diagnostics.rules.syntax import UNREADABLE_SOURCE

DATABASE = 4


class Failure(click.ClickException):
    """One message and a way out. Lower case, no full stop."""

    def __init__(self, message: str, help: str = "", exit_code: int = 1, rule: Rule | None = None) -> None:
        super().__init__(message)
        self.help = help
        self.code = exit_code
        self.rule = rule

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it on stderr."""
        code = f"[{self.rule.code}]" if self.rule else ""
        click.echo(f"{fault(f'error{code}')}: {self.message}", file=file, err=True)
        for line in self.help.splitlines():
            click.echo(f"  {dim('=')} help: {line}", file=file, err=True)


class Usage(Failure):
    """The command line is wrong."""

    def __init__(self, message: str, help: str = "", rule: Rule | None = None) -> None:
        super().__init__(message, help, exit_code=2, rule=rule)


def explained(error: BaseException) -> Failure | None:
    """What an error means to the user; None for one that is ours."""
    if isinstance(error, OSError):
        return _file(error)
    return _database(error)


def _file(error: OSError) -> Failure:
    name = f"`{error.filename}`: " if error.filename else ""
    return Failure(f"{name}{(error.strerror or str(error)).lower()}")


def _database(error: BaseException) -> Failure | None:
    import psycopg  # costs 100 ms
    from jetpack_runtime import DatabaseError, DatabaseUnreachable, JetpackError, NewerDatabase

    from jetpackc.postgres import PostgresError

    if isinstance(error, PostgresError):
        return Failure(str(error), error.help, DATABASE)
    if isinstance(error, NewerDatabase):
        return Failure(str(error), error.hint or "", DATABASE, NEWER_DATABASE)
    if isinstance(error, DatabaseUnreachable):
        return Failure(str(error), error.hint or "", DATABASE, DATABASE_UNREACHABLE)
    if isinstance(error, JetpackError):
        return Failure(str(error), error.hint or "", DATABASE if isinstance(error, DatabaseError) else 1)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Failure(_first_line(error), "connect as a role that may do this", DATABASE)
    if isinstance(error, psycopg.OperationalError):
        return unreachable(error)
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return Failure(_first_line(error), error.diag.message_hint or "")
    return None


def unreachable(error: BaseException) -> Failure:
    """A connection that could not be made, or broke."""
    help = "a connection string looks like postgresql://user@host:5432/name; is the server running?"
    return Failure(f"the database cannot be used: {_first_line(error)}", help, DATABASE, DATABASE_UNREACHABLE)


def _first_line(error: BaseException) -> str:
    """Without the DETAIL that follows, which may hold values of a row."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def missing(path: Path) -> Usage:
    """A file that is named and not there."""
    return Usage(
        f"there is no file `{path}`",
        "name a .jet file, or run `jetpackc new DIR` to begin a project",
        UNREADABLE_SOURCE,
    )
