"""Applies migrations to a database. A shell: it reads files and talks to Postgres."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import psycopg

from jetpackc.diagnostics.model import Diagnostic, Rule
from jetpackc.diagnostics.rules import migration as rules
from jetpackc.emit.program import SUPPORT_VERSION
from jetpackc.migrate.files import migration_files, number
from jetpackc.records import dataclass

NO_TRANSACTION = "-- jetpackc: no-transaction"
LOCK = 7234839102  # the advisory lock that two `migrate` at once take in turn: an arbitrary number of ours
_OUTSIDE = re.compile(rf"^{re.escape(NO_TRANSACTION)}\s*$", re.MULTILINE)
_TABLE = """
create schema if not exists jet;
create table if not exists jet.migration (
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp(),
  constraint migration_pkey primary key (name)
)
"""


class MigrationError(Exception):
    """A migration that is not applied. Nothing of it, and nothing behind it, is in the database."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class File:
    """One migration."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Of the text, whatever its line ends."""
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


def read(folder: Path) -> list[File]:
    """The migrations of a folder, by number. Raises MigrationError for two of one number."""
    paths = migration_files(folder)
    for first, second in pairwise(paths):
        if number(first) == number(second):
            raise _error(
                rules.OUT_OF_ORDER_MIGRATION,
                f"`{first.name}` and `{second.name}` have one number",
                "rename the later one, or drop it and build again",
            )
    return [File(path.name, path.read_text(encoding="utf-8")) for path in paths]


def migrate(connection: psycopg.Connection, files: Sequence[File], applied: Callable[[str], None]) -> int:
    """Apply what is pending, in order, each in a transaction of its own; `applied` is called behind each.

    Gives the number applied. The connection must be in autocommit mode. Raises MigrationError, psycopg.Error.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        refuse_newer(connection)
        _refuse_playground(connection)
        connection.execute(_TABLE)
    connection.execute("select pg_advisory_lock(%s)", (LOCK,))
    try:
        pending = pending_files(files, applied_checksums(connection))
        for file in pending:
            _apply(connection, file)
            applied(file.name)
        return len(pending)
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", (LOCK,))


def applied_checksums(connection: psycopg.Connection) -> dict[str, str]:
    """What was applied, in order."""
    if connection.execute("select to_regclass('jet.migration')").fetchone() == (None,):
        return {}
    rows = connection.execute("select name, checksum from jet.migration order by name").fetchall()
    return dict(rows)


def pending_files(files: Sequence[File], done: dict[str, str]) -> list[File]:
    """What is left to apply. Raises MigrationError where the files and the database tell two stories."""
    names = {file.name for file in files}
    for name in done:
        if name not in names:
            raise _error(
                rules.MISSING_MIGRATION,
                f"`{name}` is applied, and its file is gone",
                "bring the file back; the files are the database's history",
            )
    pending: list[File] = []
    for file in files:
        if file.name not in done:
            pending.append(file)
        elif pending:
            raise _error(
                rules.OUT_OF_ORDER_MIGRATION,
                f"`{pending[0].name}` comes before `{file.name}`, which is applied already",
                "drop the late file and build it again on top of the others",
            )
        elif file.checksum != done[file.name]:
            raise _error(
                rules.EDITED_MIGRATION,
                f"`{file.name}` was edited after it was applied",
                "take the file back as it was, and put the change into a new migration",
            )
    return pending


def _apply(connection: psycopg.Connection, file: File) -> None:
    try:
        if _OUTSIDE.search(file.text):
            connection.execute(file.text.encode())
            _record(connection, file)
        else:
            with connection.transaction():
                connection.execute(file.text.encode())
                _record(connection, file)
    except psycopg.Error as error:
        if connection.broken:
            raise
        raise _error(rules.FAILED_MIGRATION, f"`{file.name}` failed: {_told(error, file)}", _hint(error)) from error


def _record(connection: psycopg.Connection, file: File) -> None:
    connection.execute("insert into jet.migration (name, checksum) values (%s, %s)", (file.name, file.checksum))


def _told(error: psycopg.Error, file: File) -> str:
    position = error.diag.statement_position
    where = f" (line {file.text[: int(position)].count(chr(10)) + 1})" if position else ""
    return f"{error.diag.message_primary or str(error).strip()}{where}"


def _hint(error: psycopg.Error) -> str:
    return error.diag.message_hint or "nothing of it was applied; mend the cause and run `jetpackc migrate` again"


def refuse_newer(connection: psycopg.Connection) -> None:
    """Raise MigrationError for a database whose schema `jet` this compiler does not know."""
    if connection.execute("select to_regclass('jet.meta')").fetchone() == (None,):
        return
    row = connection.execute("select version from jet.meta").fetchone()
    if row and row[0] > SUPPORT_VERSION:
        raise _error(
            rules.NEWER_DATABASE,
            f"the database's schema jet is of version {row[0]}, and this jetpackc knows {SUPPORT_VERSION}",
            "upgrade jetpackc",
        )


def _refuse_playground(connection: psycopg.Connection) -> None:
    if connection.execute("select to_regclass('jet.dev')").fetchone() != (None,):
        raise _error(
            rules.FAILED_MIGRATION,
            "this database is kept by `jetpackc dev`, which changes it as the sources are saved",
            "migrate another one",
        )


def _error(rule: Rule, message: str, help: str) -> MigrationError:
    return MigrationError(Diagnostic(rule, message, None, help=help))
