# /// script
# dependencies = []
# [tool.bench]
# here = true
# batch = 100
# jobs = 60000
# chains = 5000
# fans = 500
# later = true
# left = "select count(*) from job where state in ('r', 'x', 'w')"
# done = "select count(*) from job where state = 'd'"
# rows = { chain = 3, fan = 21 }
# history = "select count(*) from history"
# hops = { job = 3, chain = 9 }
# claim = "with c as"
# ///
"""By hand, a queue that keeps its rows and one row of history a hop. One statement claims a batch, one finishes it.

A chain's next step is a new row, made with the end of the last one. The parent of a fan waits with the number of its
open children. No leases, no fence, no guard, no results, no retries.
"""

from __future__ import annotations

from typing import Any

import psycopg
from protocol import CHILDREN, DSN, Contestant, hit, main, ready

JOB, CHAIN, FAN = 0, 1, 11
"""The first `step` of each kind: chains go from 1 to 3, fans from 11 (spread) over 12 (the children) to 13 (joined)."""

SCHEMA = b"""
create table job (
  id bigint generated always as identity primary key,
  state "char" not null default 'r',
  step integer not null default 0,
  attempt integer not null default 0,
  parent bigint,
  waits integer,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  done_at timestamptz
) with (fillfactor = 70);
create index job_ready on job (id) where state = 'r';
create index job_running on job (started_at) where state = 'x';
create table history (
  job_id bigint not null,
  from_state "char",
  to_state "char" not null,
  at timestamptz not null default now()
);
create index history_job on history (job_id);
create function made() returns trigger language plpgsql as $$
begin
  insert into history (job_id, to_state) select id, state from made;
  notify job;
  return null;
end $$;
create trigger made after insert on job referencing new table as made for each statement execute function made();
"""
CLAIM = b"""with c as (select id from job where state = 'r' order by id limit %s for update skip locked),
u as (update job j set state = 'x', started_at = now(), attempt = attempt + 1 from c where j.id = c.id
  returning j.id, j.step, j.payload),
h as (insert into history (job_id, from_state, to_state) select id, 'r', 'x' from u)
select id, step, payload from u"""
_ENDED = b"""with u as (update job j set state = 'd', done_at = now() from unnest(%s::bigint[]) x (id)
  where j.id = x.id and j.state = 'x' returning j.id, j.step, j.parent, j.payload),
h as (insert into history (job_id, from_state, to_state) select id, 'x', 'd' from u)"""
FINISH = _ENDED + b" select count(*) from u"
FINISH_CHAIN = (
    _ENDED
    + b""", n as (insert into job (step, payload) select step + 1, payload from u where step in (1, 2))
select count(*) from u"""
)
SPREAD = b"""with u as (update job j set state = 'w', step = 13, waits = %s from unnest(%s::bigint[]) x (id)
  where j.id = x.id and j.state = 'x' returning j.id, j.payload),
h as (insert into history (job_id, from_state, to_state) select id, 'x', 'w' from u)
insert into job (step, parent, payload)
select 12, u.id, jsonb_build_object('n', (u.payload ->> 'n')::bigint + k) from u, generate_series(1, %s) k order by 2"""
JOIN = (
    _ENDED
    + b""", p as (select parent, count(*) as done from u where step = 12 group by parent),
l as (select j.id from job j join p on p.parent = j.id order by j.id for update of j),
w as (update job j set waits = j.waits - p.done, state = case when j.waits = p.done then 'r'::"char" else 'w' end
  from p, l where l.id = p.parent and j.id = l.id returning j.id, j.state),
g as (insert into history (job_id, from_state, to_state) select id, 'w', 'r' from w where state = 'r')
select count(*) from u"""
)


class History(Contestant):
    """See `Contestant`."""

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(DSN, autocommit=True)

    async def setup(self) -> None:
        with self._connect() as connection:
            connection.execute(SCHEMA)

    async def open(self) -> None:
        self._connection = self._connect()

    async def create(self, kind: str, numbers: range) -> None:
        step = {"job": JOB, "later": JOB, "chain": CHAIN, "fan": FAN}[kind]
        state, times = ("l" if kind == "later" else "r"), (CHILDREN + 1 if kind == "fan" else 1)
        with self._connection.cursor().copy("copy job (state, step, payload) from stdin") as copy:
            for number in numbers:
                copy.write_row((state, step, f'{{"n":{number * times}}}'))

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
                continue
            for _, _, payload in rows:
                hit(payload["n"])
            self._finish(connection, rows)

    def _finish(self, connection: psycopg.Connection[Any], rows: list[Any]) -> None:
        spread = [id for id, step, _ in rows if step == FAN]
        rest = [id for id, step, _ in rows if step != FAN]
        latest = max(step for _, step, _ in rows)
        if spread:
            connection.execute(SPREAD, (CHILDREN, spread, CHILDREN), prepare=True)
        if rest:
            query = JOIN if latest > FAN else FINISH_CHAIN if latest else FINISH
            connection.execute(query, (rest,), prepare=True)


if __name__ == "__main__":
    main(History())
