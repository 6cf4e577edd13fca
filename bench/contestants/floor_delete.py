# /// script
# dependencies = []
# [tool.bench]
# here = true
# batch = 100
# jobs = 120000
# chains = 10000
# left = "select count(*) from job"
# claim = "delete from job"
# ///
"""By hand, the least that can be called a queue: a job is deleted as it is taken, and lost if its worker dies."""

from __future__ import annotations

from typing import Any

import psycopg
from protocol import DSN, STEPS, Contestant, hit, main, ready
from psycopg.types.json import Jsonb

SCHEMA = b"""
create table job (
  id bigint generated always as identity primary key,
  step integer not null default 0,
  payload jsonb not null
);
create function told() returns trigger language plpgsql as $$ begin notify job; return null; end $$;
create trigger told after insert on job for each statement execute function told();
"""
CLAIM = b"""delete from job where id in (select id from job order by id limit %s for update skip locked)
returning step, payload"""
NEXT = b"insert into job (step, payload) select * from unnest(%s::integer[], %s::jsonb[])"


class Delete(Contestant):
    """See `Contestant`."""

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(DSN, autocommit=True)

    async def setup(self) -> None:
        with self._connect() as connection:
            connection.execute(SCHEMA)

    async def open(self) -> None:
        self._connection = self._connect()

    async def create(self, kind: str, numbers: range) -> None:
        step = 1 if kind == "chain" else 0
        with self._connection.cursor().copy("copy job (step, payload) from stdin") as copy:
            for number in numbers:
                copy.write_row((step, f'{{"n":{number}}}'))

    async def single(self, number: int) -> None:
        self._connection.execute(b"insert into job (payload) values (%s)", (f'{{"n":{number}}}',), prepare=True)

    async def work(self, batch: int) -> None:
        connection = self._connect()
        connection.execute(b"listen job")
        await ready()
        while True:
            rows = connection.execute(CLAIM, (batch,), prepare=True).fetchall()
            if not rows:
                list(connection.notifies(timeout=1.0, stop_after=1))
            for _, payload in rows:
                hit(payload["n"])
            more = [(step + 1, Jsonb(payload)) for step, payload in rows if 0 < step < STEPS]
            if more:
                connection.execute(NEXT, [list(column) for column in zip(*more, strict=True)], prepare=True)


if __name__ == "__main__":
    main(Delete())
