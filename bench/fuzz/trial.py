"""One text through the whole compiler, bounded in time; and SQL that came out, put to a server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from jetpackc.check import compile_sources
from jetpackc.cli.errors import Failure
from jetpackc.cli.project import read
from jetpackc.diagnostics.render import FORMATS
from jetpackc.emit import emit
from jetpackc.emit.program import support
from jetpackc.emit.python import stubs
from jetpackc.ir import model as ir
from jetpackc.ir.canonical import dumps, loads
from jetpackc.source import Source
from jetpackc.syntax import parse
from jetpackc.syntax.print import print_file

BUDGET = 10.0
"""Seconds of processor time that one text may take; the usual is a hundredth of one."""


class HangError(BaseException):
    """A text took longer than it may. No `Exception`, so that no handler of the compiler takes it for one."""


@contextmanager
def bounded(seconds: float = BUDGET) -> Iterator[None]:
    """Raise HangError in what runs longer. For the main thread."""

    def ring(*_: object) -> None:
        raise HangError

    former = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


def attempt(data: bytes, file: Path) -> ir.Program | None:
    """The program of a text, if it is one; what is to be said of it is said. Raises HangError, and any bug's error."""
    file.write_bytes(data)
    with bounded():
        try:
            source = read(file, file.parent)
        except Failure:
            return None
        result = compile_sources([source])
        _say(source, result.diagnostics)
        print_file(parse(source)[0])
        return result.program


def _say(source: Source, diagnostics: tuple[object, ...]) -> None:
    for render in FORMATS.values():
        told = render(diagnostics, {source.path: source})  # type: ignore[arg-type]
        told.encode()


def products(program: ir.Program) -> str:
    """The SQL of a program, without the schema `jet`. Whatever else a program becomes is made too, and thrown away."""
    with bounded():
        assert loads(dumps(program)) == program
        stubs(program)
        return "\n\n".join(found.create for found in emit(program) if not found.within and found.kind != "support")


class Judge:
    """A server that says whether it takes the SQL."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn)
        self._connection.execute(str(support().create).encode())
        query = "select exists (select from pg_available_extensions where name = 'plpgsql_check')"
        row = self._connection.execute(query).fetchone()
        self.checks = bool(row and row[0])
        if self.checks:
            self._connection.execute("create extension plpgsql_check")
        self._connection.commit()

    def refusal(self, sql: str) -> str | None:
        """Why Postgres does not take it, or what plpgsql_check finds in its functions, where the server has that."""
        try:
            self._connection.execute(sql.encode())
            found = self._connection.execute(_FOUND).fetchall() if self.checks else []
        except psycopg.Error as error:
            return str(error)
        finally:
            self._connection.rollback()
        return "; ".join(f"{function}: {text}" for function, text in found if text.startswith("error")) or None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


_FOUND = r"""
select p.oid::regprocedure::text, f.found from pg_proc p, lateral plpgsql_check_function(
  p.oid, coalesce((select min(tgrelid::oid) from pg_trigger where tgfoid = p.oid), 0),
  oldtable => case when p.proname like '%\_log' then 'o' end,
  newtable => case when p.proname like '%\_log' or p.proname like '%\_born' then 'n' end) f (found)
where p.pronamespace not in (
    select n.oid from pg_namespace n where n.nspname in ('pg_catalog', 'information_schema', 'public', 'jet'))
  and p.prolang = (select l.oid from pg_language l where l.lanname = 'plpgsql')
"""
