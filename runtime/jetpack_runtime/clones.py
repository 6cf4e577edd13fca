"""Databases for tests: one that is prepared, cloned for each test, so that none sees what another did."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import conninfo, sql

PREFIX = "jetpack_test_"


class Clones:
    """Clones of one database, on a server where `dsn` may create them. `prepare` fills the first, in a transaction."""

    def __init__(self, dsn: str, prepare: Callable[[psycopg.Connection], None]) -> None:
        self._dsn = dsn
        self._admin = psycopg.connect(dsn, autocommit=True)
        self._names = (f"{PREFIX}{os.getpid()}_{number}" for number in itertools.count())
        self._template = next(self._names)
        try:
            self._create(self._template, "template0")
            with psycopg.connect(self._place(self._template)) as connection:
                prepare(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The DSN of a clone, which is dropped behind this context, whoever is still connected."""
        name = next(self._names)
        self._create(name, self._template)
        try:
            yield self._place(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Leave nothing behind."""
        self._drop(self._template)
        self._admin.close()

    def _place(self, name: str) -> str:
        return conninfo.make_conninfo(self._dsn, dbname=name)

    def _create(self, name: str, template: str) -> None:
        text = sql.SQL("create database {} template {}")
        self._admin.execute(text.format(sql.Identifier(name), sql.Identifier(template)))

    def _drop(self, name: str) -> None:
        with suppress(psycopg.OperationalError):  # the server is gone, and with it what was wrong
            self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
