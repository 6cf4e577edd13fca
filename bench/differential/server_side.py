"""The side of Postgres: a database with the machines of a module, whose clock stands where it is put, and one call
that does many steps."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from jetpackc.emit import emit
from jetpackc.ir import model as ir
from jetpackc.postgres import Server, find_binaries

SETTINGS = {
    **{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off"},
    **{"wal_level": "minimal", "max_wal_senders": "0", "plan_cache_mode": "force_generic_plan", "track_counts": "off"},
    **{"shared_buffers": "256MB", "max_wal_size": "4GB", "timezone": "UTC"},
}

HARNESS = """
create or replace function jet.now() returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $body$
  select current_setting('diff.now')::timestamptz
$body$;

create schema diff;

-- Where each worker's turns go on. Marks of time are not kept: they rely on a clock that does not stand.
create table diff.marks (worker bigint primary key, mark jsonb not null);

create function diff.tick() returns integer language plpgsql as $body$
begin
  update jet.pulse set late_at = '-infinity';
  -- Which machine's messages a jet.tick applies is its own matter: pumps are steps of their own.
  return jet.sweep(1000000) + jet.fire(1000000, interval '0 s');
end $body$;

-- Each step alone: the id that a task would have got from then on, and what it gives, or the error that undid it.
create function diff.run(_steps text[], _moments text[]) returns table (id bigint, result jsonb)
language plpgsql as $body$
declare
  v_state text;
  v_message text;
begin
  for i in 1 .. cardinality(_steps) loop
    perform set_config('diff.now', _moments[i], false);
    select last_value + is_called::integer into id from jet.task_id;
    begin
      execute _steps[i] into result;
      result := coalesce(result, 'null');
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
      result := jsonb_build_object('error', v_state, 'message', v_message);
    end;
    return next;
  end loop;
end $body$;
"""


@contextmanager
def server(pg: int) -> Iterator[Server]:
    """A server of this major version, for as long as it is used."""
    folder = Path(tempfile.mkdtemp(prefix="jetpack-differential-"))
    folder.chmod(0o755)
    found = Server(folder / "data", find_binaries(pg), SETTINGS)
    found.start()
    try:
        yield found
    finally:
        found.stop("immediate")
        shutil.rmtree(folder)


class Database:
    """One database with one program."""

    _numbers = itertools.count()

    def __init__(self, server: Server, program: ir.Program) -> None:
        self._server, self._name = server, f"differential_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"create database {self._name} template template0".encode())
        script = "\n\n".join(found.create for found in emit(program) if not found.within)
        self._connection = psycopg.connect(server.dsn(self._name), autocommit=True)
        self._connection.execute((script + HARNESS).encode())

    def close(self) -> None:
        """Drop it."""
        self._connection.close()
        with psycopg.connect(self._server.dsn(), autocommit=True) as admin:
            admin.execute(f"drop database {self._name}".encode())

    def run(self, steps: Sequence[str], moments: Sequence[str]) -> list[tuple[int, Any]]:
        """Do steps, each in SQL that gives one jsonb, each at its moment; gives the first id that was free, too."""
        query = "select id, result::text from diff.run(%s, %s)"
        rows = self._connection.execute(query, (list(steps), list(moments)))
        return [(id, read(result)) for id, result in rows]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._connection.execute(query.encode()).fetchall()


def read(text: str) -> Any:
    """JSON whose numbers keep their digits."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
