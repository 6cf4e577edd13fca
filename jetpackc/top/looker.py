"""Looks at a database again and again. It reads little: the queues by their index, and of the history the end.

History is appended, and has no index by time. So a look reads what was written at the end of it within the last
minute, at most 64 MB. Where `keep` removes history, new rows come into freed places too, and a look at the end of much
history finds a part of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
from jetpack_runtime.depths import Depth, depths_of
from jetpack_runtime.manifest import Machine, read
from psycopg import sql

from jetpackc.top.model import Holder, Horizon, Look, Queue

MINUTE = timedelta(minutes=1)
PAGES = 8192
"""The most pages of history read a machine and look."""
SPREAD = 512
"""Pages before the end of the last look in which sessions may still have written since: each fills one of its own."""
NUMBERS = 10_000
"""Ids that may be given out and not be committed at a look."""
FIRST = 200_000
"""The most tasks that a first look counts as new."""


Query = LiteralString | sql.Composed


class Looker:
    """Looks on one connection, which it sets to read alone. `queries`: tell what sessions run, secrets included."""

    def __init__(
        self, connection: psycopg.Connection, machines: Sequence[str] | None = None, *, queries: bool = False
    ) -> None:
        self._connection = connection
        self._only = machines
        self._queries = queries
        self._trails: dict[str, Trail] = {}
        connection.execute("set default_transaction_read_only = on")
        connection.execute("set statement_timeout = '15s'")

    def look(self) -> Look:
        """Look once. Raises psycopg.Error."""
        ((at,),) = self._all("select jet.now()")
        machines = [machine for machine in self._machines() if self._only is None or machine.qualified in self._only]
        depths = depths_of(self._connection, [machine.qualified for machine in machines])
        paused = dict(self._all("select machine, array_agg(state order by state) from jet.paused group by machine"))
        kept = {name for (name,) in self._all("select module || '.' || machine from jet.retention")}
        queues = [
            self._queue(machine, depth, at, paused.get(machine.qualified, []), machine.qualified in kept)
            for machine, depth in zip(machines, depths, strict=True)
        ]
        horizon, hidden = self._horizon()
        return Look(at, tuple(queues), tuple(self._holders(machines)), horizon, hidden)

    def _machines(self) -> list[Machine]:
        rows = self._all("select module, name, hash, manifest from jet.machine order by module, name")
        return [read(*row) for row in rows]

    def _queue(self, machine: Machine, depth: Depth, at: datetime, paused: list[str], kept: bool) -> Queue:
        trail = self._trails.setdefault(machine.qualified, Trail())
        since = trail.looked or at - MINUTE
        created = self._created(machine, trail, at, since)
        start = self._start(machine, trail, at, kept)
        ended, p50, p95 = self._finished(machine, start, at, since)
        trail.looked = at
        return Queue(
            machine=machine.qualified,
            ready=depth.ready,
            running=depth.running,
            delayed=depth.delayed,
            stuck=depth.stuck,
            oldest=depth.oldest,
            created=created,
            ended=ended,
            p50=p50,
            p95=p95,
            partial=kept and start > 0,
            paused=tuple(paused),
        )

    def _created(self, machine: Machine, trail: Trail, at: datetime, since: datetime) -> float:
        """Tasks a second. Ids go up with time."""
        table = sql.Identifier(machine.module, machine.name)
        ((newest,),) = self._all(sql.SQL("select coalesce(max(id), 0) from {}").format(table))
        before = newest - FIRST if trail.last is None else trail.last - NUMBERS
        ((count, oldest),) = self._all(sql.SQL(_CREATED).format(table), (since, before))
        trail.last = newest
        return _rate(count, at, since, oldest if before > 0 else None)

    def _start(self, machine: Machine, trail: Trail, at: datetime, kept: bool) -> int:
        """The page of the history to read from."""
        hops = sql.Identifier(machine.module, f"_{machine.name}_hops").as_string(None)
        ((size,),) = self._all(_SIZE, (hops,))
        pages = int(size)
        return max(pages - PAGES, 0 if kept else trail.begin(at, pages) - SPREAD, 0)

    def _finished(
        self, machine: Machine, start: int, at: datetime, since: datetime
    ) -> tuple[float, float | None, float | None]:
        """Tasks that ended a second, and how long those that were claimed had waited: median, and 95 of a hundred."""
        table = sql.Identifier(machine.module, machine.name)
        ask = sql.SQL(_HISTORY).format(hops=sql.Identifier(machine.module, f"_{machine.name}_hops"), table=table)
        minute, ends = at - MINUTE, sorted(machine.final | machine.failure)
        ((ended, oldest, p50, p95),) = self._all(ask, (f"({start},0)", minute, minute, since, ends, ends))
        return _rate(ended, at, since, oldest if start > 0 else None), p50, p95

    def _holders(self, machines: Sequence[Machine]) -> list[Holder]:
        holds: dict[int, dict[str, int]] = {}
        for machine in machines:
            if machine.claimable:
                ask = sql.SQL(_HOLDS).format(sql.Identifier(machine.module, machine.name))
                for worker, count in self._all(ask):
                    holds.setdefault(worker, {})[machine.qualified] = count
        return [
            Holder(id, name, since, seen, lease, idle, over, holds.get(id, {}))
            for id, name, since, seen, lease, idle, over in self._all(_WORKERS)
            if id in holds or not over
        ]

    def _horizon(self) -> tuple[Horizon | None, int]:
        rows = self._all(_HORIZON)
        ((hidden,),) = self._all(_HIDDEN)
        if not rows:
            return None, hidden
        kind, pid, role, name, state, age, seconds, query = rows[0]
        return Horizon(kind, pid, role, name, state, age, seconds, query if self._queries else None), hidden

    def _all(self, query: Query, params: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, params).fetchall()


class Trail:
    """Where the looks at one machine stand."""

    def __init__(self) -> None:
        self.looked: datetime | None = None
        self.last: int | None = None
        self._ends: deque[tuple[datetime, int]] = deque()

    def begin(self, at: datetime, pages: int) -> int:
        """The page at which the last minute began, or one before it."""
        self._ends.append((at, pages))
        while len(self._ends) > 1 and self._ends[1][0] <= at - MINUTE:
            self._ends.popleft()
        return self._ends[0][1] if self._ends[0][0] <= at - MINUTE else 0


def _rate(count: int, at: datetime, since: datetime, oldest: datetime | None) -> float:
    """A second. What was read may begin later than asked for, at its `oldest`."""
    begin = since if oldest is None else max(since, oldest)
    return float(count / max((at - begin).total_seconds(), 0.001))


_CREATED = """
select count(*) filter (where created_at > %s::timestamptz), min(created_at) from {} where id > %s::bigint
"""

_SIZE = "select pg_relation_size(%s::text::regclass) / current_setting('block_size')::bigint"

# A task that is at work has waited as well, and its claim is not in the history yet.
_HISTORY = """
with h as (
  select h.at, h.from_state, h.to_state, h.run_at, h.entered_at as claimed_at, h.claimed_state from {hops} h
  where h.ctid >= %s::text::tid
), waits as (
  select extract(epoch from h.claimed_at - h.run_at)::float8 as wait from h
    where h.claimed_state is not null and h.at > %s::timestamptz
  union all
  select extract(epoch from t.entered_at - t.run_at)::float8 from {table} t
    where t.run_at is not null and t._worker is not null and t._was_state is not null and t.entered_at > %s::timestamptz
)
select (select count(*) from h where h.at > %s::timestamptz and h.to_state = any(%s) and h.from_state <> all(%s)),
  (select min(at) from h),
  (select percentile_cont(0.5) within group (order by greatest(wait, 0)) from waits),
  (select percentile_cont(0.95) within group (order by greatest(wait, 0)) from waits)
"""

_HOLDS = "select _worker, count(*) from {} where run_at is not null and _worker is not null group by _worker"

_WORKERS = """
select id, name, extract(epoch from clock_timestamp() - started_at)::float8,
  extract(epoch from clock_timestamp() - seen_at)::float8, extract(epoch from lease)::float8, idle,
  greatest(seen_at, pg_postmaster_start_time()) + lease < clock_timestamp()
from jet.worker where seen_at > '-infinity' order by name, id
"""

# What vacuum goes by: the oldest snapshot or transaction of the sessions of this database and of standbys, vacuums left
# out, the slots, and what was prepared and neither committed nor rolled back.
_HORIZON = """
select kind, pid, role, name, state, age, seconds, query from (
  select 'session' as kind, a.pid, a.usename::text as role, a.application_name as name,
    coalesce(a.state, a.backend_type) as state,
    greatest(age(a.backend_xmin), age(a.backend_xid)) as age,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds, a.query
  from pg_stat_activity a
  where (a.datname = current_database() or a.datname is null) and a.pid <> pg_backend_pid()
    and (a.backend_xmin is not null or a.backend_xid is not null) and a.backend_type <> 'autovacuum worker'
    and not exists (select from pg_stat_progress_vacuum v where v.pid = a.pid)
  union all
  select 'replication slot', s.active_pid, null, s.slot_name::text,
    case when s.active then 'active' else 'inactive' end, age(s.xmin), null, null
  from pg_replication_slots s where s.xmin is not null
  union all
  select 'prepared transaction', null, p.owner::text, p.gid, 'prepared', age(p.transaction),
    extract(epoch from clock_timestamp() - p.prepared)::float8, null
  from pg_prepared_xacts p where p.database = current_database()
) found
order by age desc, seconds desc nulls last limit 1
"""

_HIDDEN = """
select count(*) from pg_stat_activity where datname = current_database() and state is null and xact_start is null
  and backend_type is null and pid <> pg_backend_pid()
"""
