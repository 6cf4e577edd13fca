"""What holds tasks back, asked of the database: messages that wait, deferred events, pauses, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from jetpackc.ir.text import shortened
from jetpackc.records import dataclass
from jetpackc.syntax.literals import duration

_NEWS = "news"
"""What tasks tell their ancestors of themselves."""
_SHOWN = 120
"""Characters of a payload that are shown."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as it is written, and how far it is used: tasks of the whole machine that are at work, or were begun
    within its window (`used`), or how many values of its param can have no more (`full`). The other is None."""

    text: str
    used: int | None = None
    full: int | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits at a machine. `messages` are on their way, the first for so many `seconds`; `parked` ones are kept for
    tasks that are stuck; `deferred` events for another state. `paused`: the queues, an empty one is all of it."""

    messages: int
    seconds: float
    parked: int
    deferred: int
    paused: tuple[str, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One event that a task has yet to take. `kept` says until when, empty for a message on its way."""

    event: str
    payload: Any
    actor: str
    sender: int | None = None
    at: datetime | None = None
    kept: str = ""


_MACHINE = """select m.manifest -> 'limits', m.manifest ? 'defers',
    (select count(*) from jet.inbox i where i.machine = n.name),
    (select extract(epoch from jet.now() - min(i.at))::float8 from jet.inbox i where i.machine = n.name),
    (select count(*) from jet.parked p where p.machine = n.name and p.reason is null),
    array(select p.state from jet.paused p where p.machine = n.name order by p.state)
  from jet.machine m cross join lateral (select m.module || '.' || m.name) as n (name)
  where m.module = %s and m.name = %s"""


def of_machine(connection: psycopg.Connection, module: str, name: str) -> Waits:
    """What waits at a machine of the database. Raises psycopg.Error."""
    row = connection.execute(_MACHINE, (module, name)).fetchone()
    if row is None:
        return Waits(0, 0.0, 0, 0, (), ())
    limits, defers, messages, seconds, parked, paused = row
    deferred = 0
    if defers:
        ask = sql.SQL("select coalesce(sum(jsonb_array_length(_deferred)), 0) from {} where _deferred is not null")
        deferred = _number(connection, ask.format(sql.Identifier(module, name)))
    found = tuple(_limit(connection, module, name, one) for one in limits or ())
    return Waits(messages, max(seconds or 0.0, 0.0), parked, deferred, tuple(paused), found)


def _limit(connection: psycopg.Connection, module: str, name: str, limit: Mapping[str, Any]) -> Limit:
    """How far one limit is used."""
    count, window, by = limit["count"], limit.get("window"), limit.get("by")
    text = " ".join(
        [f"limit {count}", *([f"per {duration(window)}"] if window else []), *([f"per {by}"] if by else [])]
    )
    table, lanes = sql.Identifier(module, name), sql.Identifier(module, f"_{name}_lanes")
    if window:
        left = sql.SQL("jet.rate_left(begun, {}, {}, jet.now())").format(window, count)
        if by:
            ask = sql.SQL("select count(*) filter (where {} <= 0) from {} where lane <> ''").format(left, lanes)
        else:
            ask = sql.SQL("select {} - {} from {} where lane = ''").format(count, left, lanes)
    elif by:
        each = sql.SQL(
            "select from {} where run_at is not null and _worker is not null group by {} having count(*) >= {}"
        )
        ask = sql.SQL("select count(*) from ({}) f").format(each.format(table, sql.Identifier(by), count))
    else:
        ask = sql.SQL("select count(*) from {} where run_at is not null and _worker is not null").format(table)
    number = _number(connection, ask)
    return Limit(text, full=number) if by else Limit(text, used=number)


def _number(connection: psycopg.Connection, ask: sql.Composed) -> int:
    row = connection.execute(ask).fetchone()
    return int(row[0]) if row else 0


def lines(waits: Waits) -> Iterator[str]:
    """What waits and the limits in force, a line each; pauses are told elsewhere."""
    yield from message_lines(waits)
    for limit in waits.limits:
        if limit.used is not None:
            yield f"{limit.text}: {limit.used} {'begun' if ' per ' in limit.text else 'at work'}"
        elif limit.full:
            yield f"{limit.text}: full for {limit.full}"


def message_lines(waits: Waits) -> Iterator[str]:
    """Messages and events that wait, a line each."""
    if waits.messages:
        since = f", the first for {duration(int(waits.seconds) * 1000)}" if waits.seconds >= 1 else ""
        yield f"{_counted(waits.messages, 'message')} on the way{since}"
    if waits.parked:
        yield f"{_counted(waits.parked, 'message')} kept for tasks that are stuck"
    if waits.deferred:
        yield f"{_counted(waits.deferred, 'event')} deferred"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def lost(connection: psycopg.Connection) -> str:
    """Messages that found no task to take them, as text; empty where there are none. Raises psycopg.Error."""
    (number,) = connection.execute("select count(*) from jet.parked where reason is not null").fetchone() or (0,)
    return f"{_counted(number, 'message')} went to no task that takes such: see jet.parked" if number else ""


_TASK = """select event, payload, actor, sender, at, '' as kept, seq from jet.inbox
    where machine = %(name)s and receiver = %(id)s
  union all
  select event, payload, actor, sender, at, 'until the task is retried', seq from jet.parked
    where machine = %(name)s and receiver = %(id)s and reason is null
  order by seq"""


def of_task(connection: psycopg.Connection, machine: str, id: int) -> Sequence[Message]:
    """What a task of `module.name` has yet to take, in the order in which it will. Raises psycopg.Error."""
    module, _, name = machine.partition(".")
    found: list[Message] = []
    asked = connection.execute(
        "select manifest ? 'defers' from jet.machine where (module, name) = (%s, %s)", (module, name)
    )
    if asked.fetchone() == (True,):
        ask = sql.SQL(
            "select e ->> 'event', nullif(e -> 'payload', 'null'), e ->> 'actor' from {} t"
            " cross join lateral jsonb_array_elements(t._deferred) e where t.id = %s"
        ).format(sql.Identifier(module, name))
        rows = connection.execute(ask, (id,)).fetchall()
        until = "until the state changes"
        found += [Message(event, payload, actor, kept=until) for event, payload, actor in rows]
    rows = connection.execute(_TASK, {"name": machine, "id": id}).fetchall()
    return [*found, *(Message(*row[:6]) for row in rows)]


def task_lines(messages: Sequence[Message]) -> Iterator[str]:
    """What a task has yet to take, a line each."""
    for one in messages:
        event = "news of its children" if one.event == _NEWS else one.event
        payload = f"  {shortened(json.dumps(one.payload, ensure_ascii=False), _SHOWN)}" if one.payload else ""
        sender = f"  from {one.sender}" if one.sender is not None else ""
        since = f"  since {one.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] if one.at else ""
        kept = f"  {one.kept}" if one.kept else ""
        yield f"{'kept' if kept else 'on the way'}: {event}{payload}{sender}{since}{kept}"


def of_queue(connection: psycopg.Connection, machine: str, state: str) -> bool:
    """Whether tasks in this state of a machine are paused. Raises psycopg.Error."""
    ask = """select exists (select from jet.paused p join jet.machine m on m.module || '.' || m.name = p.machine
      where p.machine = %s and m.manifest -> 'claimable' ? %s and p.state in ('', %s))"""
    return connection.execute(ask, (machine, state, state)).fetchone() == (True,)
