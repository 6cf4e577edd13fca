"""Databases for tests: one that is prepared, cloned for each test, so that none sees what another did."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import conninfo, sql

PREFIX = "jetpack_test_"

_ORPHANS = """
select d.datname from pg_database d
where d.datname ~ '^jetpack_test_[0-9a-f]+_[0-9]+$' and not exists (
  select from pg_stat_activity a where a.application_name = regexp_replace(d.datname, '_[0-9]+$', ''))
"""


class Clones:
    """Clones of one database, on a server where `dsn` may create them. `prepare` fills the first, in a transaction.

    While there are some, a session of the name that they begin with is connected: those without one are of a process
    that was killed, and go.
    """

    def __init__(self, dsn: str, prepare: Callable[[psycopg.Connection], None]) -> None:
        self._dsn = dsn
        family = f"{PREFIX}{secrets.token_hex(6)}"
        self._admin = psycopg.connect(dsn, autocommit=True, application_name=family)
        self._names = (f"{family}_{number}" for number in itertools.count())
        self._template = next(self._names)
        try:
            self._drop_orphans()
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

    def _drop_orphans(self) -> None:
        for (name,) in self._admin.execute(_ORPHANS).fetchall():
            with suppress(psycopg.Error):  # another's, or dropped by somebody else meanwhile
                self._drop(name)

    def _drop(self, name: str) -> None:
        with suppress(psycopg.OperationalError):  # the server is gone, and with it what was wrong
            self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
