"""What is put into the database of a test: the program, and a clock that only `advance` moves."""

from __future__ import annotations

import psycopg

from jetpackc import __version__
from jetpackc.ir import model as ir
from jetpackc.migrate.build import build

# The same story gives the same times, whatever the machine is busy with.
_STILL = """
create or replace function jet.now() returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $body$
  select timestamptz '2026-01-01 00:00:00+00' + shift from jet.clock where one
$body$
"""


def script(program: ir.Program) -> str:
    """All SQL of a program. Pure."""
    made = build(program, None, first_number=1, version=__version__, sources=())
    return "\n".join(made.migrations.values())


def prepare(connection: psycopg.Connection, program: ir.Program) -> None:
    """Install the program and stop the clock. Raises psycopg.Error."""
    connection.execute(script(program).encode())
    connection.execute(_STILL)
    connection.execute("update jet.schedule set written = jet.now()")  # they begin when the test does
