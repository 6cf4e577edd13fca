"""All SQL that the runtime sends, in one place. Names are quoted once a machine, then kept."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import LiteralString

from psycopg import sql

VERSION = b"select version from jet.meta"
MACHINES = b"select module, name, hash from jet.machine order by module, name"
MANIFESTS = b"select module, name, hash, manifest from jet.machine order by module, name"
WORKER_START = b"select jet.worker_start(%s::text, make_interval(secs => %s))"
WORKER_IDLE = b"select jet.worker_idle(%s::bigint, %s::boolean)"
WORKER_STOP = b"select jet.worker_stop(%s::bigint)"
HEARTBEAT = b"select jet.heartbeat(%s::bigint)"
LISTEN = b"listen jet"
DUES = b"""select n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  join jet.module m on m.name = n.nspname where p.proname = '_due' order by n.nspname"""


class MachineSql:
    """The statements of one machine. Casts name the argument types, so that no value's size changes a plan."""

    __slots__ = (
        "claim",
        "create",
        "create_traced",
        "depth",
        "exists",
        "fire",
        "history",
        "lost",
        "name",
        "origins",
        "pump",
        "reason",
        "resolve",
        "resolve_one",
        "retry",
        "row",
        "send",
        "send_traced",
        "state",
    )

    def __init__(self, module: str, name: str) -> None:
        def compose(template: LiteralString) -> bytes:
            suffixes = ("claim", "create_many", "fire", "history", "lost", "pump", "resolve", "retry", "send")
            names = {suffix: sql.Identifier(module, f"{name}_{suffix}") for suffix in suffixes}
            return sql.SQL(template).format(table=sql.Identifier(module, name), **names).as_bytes(None)

        self.name = f"{module}.{name}"
        self.claim = compose(
            "select id, token, attempt, state, data::text, mark::text from {claim}(%s::bigint, %s::int, %s::jsonb)"
        )
        self.fire = compose("select {fire}(%s::int, %s::jsonb)::text")
        self.pump = compose("select {pump}(%s::int)")
        self.resolve = compose(
            "select id, result from {resolve}(%s::bigint, %s::text::jsonb) where result is distinct from 'applied'"
        )
        self.resolve_one = compose("select result from {resolve}(%s::bigint, %s::text::jsonb)")
        self.reason = compose(
            "select coalesce(_stuck ->> 'error', _payload ->> 'message') from {table} where id = %s::bigint"
        )
        self.lost = compose("select {lost}(%s::bigint, %s::bigint[], %s::bigint[])")
        self.create = compose("select {create_many}(%s::text::jsonb)")
        self.send = compose(
            "select applied, state, reason from {send}(%s::bigint, %s::text, %s::text::jsonb, %s::text)"
        )
        self.create_traced = compose(
            "select jet.trace_created(array(select {create_many}(%s::text::jsonb)), %s::text::jsonb)"
        )
        self.send_traced = compose(
            "select s.applied, s.state, s.reason,"
            " case when s.applied then jet.trace_sent(%s::bigint, %s::text::jsonb) end"
            " from {send}(%s::bigint, %s::text, %s::text::jsonb, %s::text) s"
        )
        self.origins = compose(
            "select t.id, coalesce(o.created, p.sent, p.created, r.sent, r.created), o.sent from {table} t"
            " left join jet.trace o on o.task = t.id left join jet.trace p on p.task = t.parent"
            " left join jet.trace r on r.task = nullif(t.root, t.id) where t.id = any(%s::bigint[])"
        )
        self.depth = compose(
            "select count(*) filter (where _worker is null and run_at <= now),"
            " count(*) filter (where _worker is null and run_at > now), count(*) filter (where _worker is not null),"
            " (select count(*) from {table} where _stuck is not null),"
            " coalesce(extract(epoch from max(now - run_at) filter (where _worker is null and run_at <= now)),"
            " 0)::float8"
            " from {table}, jet.now() now where run_at is not null"
        )
        self.retry = compose("select applied, state, reason from {retry}(%s::bigint)")
        self.state = compose("select state, _stuck from {table} where id = %s::bigint")
        self.row = compose("select * from {table} where id = %s::bigint")
        self.exists = compose("exists(select from {table} where id = %s::bigint)")
        self.history = compose(
            "select seq, at, event, payload, from_state, to_state, changed, actor from {history} where id = %s::bigint"
            " order by seq"
        )


@cache
def of(module: str, name: str) -> MachineSql:
    """The statements of one machine."""
    return MachineSql(module, name)


def next_due(module: str) -> bytes:
    """When something of one of the modules of `DUES` falls due next."""
    return sql.SQL("select {}(jet.now())").format(sql.Identifier(module, "_due")).as_bytes(None)


def find_task(machines: Iterable[tuple[str, str]]) -> bytes:
    """Which of these machines has a task: takes its id once a machine, returns their positions."""
    parts = [b"select %d where " % at + of(*machine).exists for at, machine in enumerate(machines)]
    return b" union all ".join(parts)


def anything_due(machines: Iterable[tuple[str, str]]) -> bytes:
    """Is any task of these machines running, claimable or going to be claimable, and neither stuck nor paused."""
    parts = [_DUE.format(table=sql.Identifier(*machine), name=".".join(machine)) for machine in machines]
    return (sql.SQL("select ") + sql.SQL(" or ").join(parts)).as_bytes(None)


_DUE = sql.SQL("""exists(select from {table} t where t.run_at is not null and t._stuck is null
    and (t._worker is not null or not exists(
      select from jet.paused p where p.machine = {name} and p.state in ('', t.state))))""")


def paused(machines: Iterable[tuple[str, str]]) -> bytes:
    """Which of these machines have tasks that wait because they are paused: one name each."""
    parts = [_PAUSED.format(table=sql.Identifier(*machine), name=".".join(machine)) for machine in machines]
    return sql.SQL(" union all ").join(parts).as_bytes(None)


_PAUSED = sql.SQL("""select {name} where exists(select from {table} t
    join jet.paused p on p.machine = {name} and p.state in ('', t.state)
    where t.run_at is not null and t._stuck is null and t._worker is null)""")
