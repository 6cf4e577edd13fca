"""Keeps a development database as the sources say. What it holds is noted in itself, in `jet.dev`: playing leaves no
file behind in the project, and the note and the objects change in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from jetpackc import __version__
from jetpackc.diagnostics.model import Diagnostic
from jetpackc.ir import model as ir
from jetpackc.migrate.apply import LOCK, refuse_newer
from jetpackc.migrate.build import build
from jetpackc.migrate.lock import Lock, loads

_NOTE = """
create table if not exists jet.dev (
  one boolean not null default true,
  lock text not null,
  seeded boolean not null default false,
  constraint dev_pkey primary key (one),
  constraint dev_one check (one)
)
"""


class NotOursError(Exception):
    """The database is kept by migration files."""


def install(connection: psycopg.Connection, program: ir.Program, sources: Sequence[str]) -> tuple[Diagnostic, ...]:
    """Bring the database to the program; or say why that cannot be, and change nothing.

    The connection is in autocommit mode. Raises NotOursError, MigrationError for a newer database, LockError,
    psycopg.Error.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        refuse_newer(connection)
        made = build(program, _installed(connection), first_number=1, version=__version__, sources=sources)
        if made.diagnostics:
            return made.diagnostics
        for text in made.migrations.values():
            connection.execute(text.encode())
        connection.execute(_NOTE)
        connection.execute(
            "insert into jet.dev (lock) values (%s) on conflict (one) do update set lock = excluded.lock", (made.lock,)
        )
    return ()


def seed(connection: psycopg.Connection, script: Path) -> bool:
    """Run the project's `dev.sql`, whole, once in the life of the database. Raises psycopg.Error, OSError."""
    with connection.transaction():
        row = connection.execute("select seeded from jet.dev for update").fetchone()
        if row == (True,) or not script.exists():
            return False
        connection.execute(script.read_text(encoding="utf-8").encode())
        connection.execute("update jet.dev set seeded = true")
    return True


def _installed(connection: psycopg.Connection) -> Lock | None:
    if _exists(connection, "jet.dev"):
        row = connection.execute("select lock from jet.dev").fetchone()
        return loads(row[0]) if row else None
    if _exists(connection, "jet.migration") and connection.execute("select 1 from jet.migration limit 1").fetchone():
        raise NotOursError
    return None


def _exists(connection: psycopg.Connection, table: str) -> bool:
    return connection.execute("select to_regclass(%s)", (table,)).fetchone() != (None,)
