"""Databases for tests: one with the program, cloned for each test, so that none sees what another did."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from jetpackc import __version__
from jetpackc.ir import model as ir
from jetpackc.migrate.build import build

PREFIX = "jetpack_test_"

# A clock that only `advance` moves: the same story gives the same times, whatever the machine is busy with.
_STILL = """
create or replace function jet.now() returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $body$
  select timestamptz '2026-01-01 00:00:00+00' + shift from jet.clock where one
$body$
"""


class Databases:
    """Clones of one database, on a server where this connection may create them."""

    def __init__(self, dsn: str, program: ir.Program) -> None:
        self._dsn = dsn
        self._admin = psycopg.connect(dsn, autocommit=True)
        self._names = (f"{PREFIX}{os.getpid()}_{number}" for number in itertools.count())
        self._template = next(self._names)
        self._create(self._template, "template0")
        with psycopg.connect(dsn, dbname=self._template) as connection:
            made = build(program, None, first_number=1, version=__version__, sources=())
            for text in made.migrations.values():
                connection.execute(text.encode())
            connection.execute(_STILL)

    @contextmanager
    def fresh(self) -> Iterator[psycopg.Connection]:
        """A connection, in autocommit mode, to a database that has the program and no task."""
        name = next(self._names)
        self._create(name, self._template)
        try:
            with psycopg.connect(self._dsn, dbname=name, autocommit=True) as connection:
                connection.execute("set jet.actor to 'the test'")
                yield connection
        finally:
            self._drop(name)

    def close(self) -> None:
        """Leave nothing behind."""
        self._drop(self._template)
        self._admin.close()

    def _create(self, name: str, template: str) -> None:
        text = sql.SQL("create database {} template {}")
        self._admin.execute(text.format(sql.Identifier(name), sql.Identifier(template)))

    def _drop(self, name: str) -> None:
        with suppress(psycopg.OperationalError):  # the server is gone, and with it what was wrong
            self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
