"""What stands in a database after a fault: every row, every hop, every message. Reads, and judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.datetime import IntervalLoader, TimestamptzLoader

from jetpackc.ir import model as ir

Row = Mapping[str, Any]


class Hop(NamedTuple):
    """One row of a history view, and the token that its dispatch came with, where it is a dispatch's last."""

    id: int
    seq: int
    at: Any
    event: str | None
    payload: Any
    from_state: str | None
    to_state: str | None
    actor: str
    token: int | None
    attempts: int | None
    """As it stood before the dispatch; told with a dispatch's last hop."""


class Message(NamedTuple):
    """A message that waits, or (with a reason) was set aside."""

    machine: str | None
    receiver: int
    event: str
    reason: str | None


@dataclass(frozen=True)
class Evidence:
    """All of a program's tasks, as they stand in one snapshot of a database."""

    rows: Mapping[str, Mapping[int, Row]]
    """By machine (`module.machine`) and id."""
    hops: Mapping[str, Mapping[int, tuple[Hop, ...]]]
    """Likewise, each task's in the order of seq."""
    inbox: tuple[Message, ...]
    parked: tuple[Message, ...]


class _Moment(TimestamptzLoader):
    """What Python has no moment for is its text."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class _Length(IntervalLoader):
    """What Python has no interval for is its text."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except (psycopg.DataError, OverflowError):
            return bytes(data).decode()


def gather(dsn: str, program: ir.Program) -> Evidence:
    """Read all tasks of a program, in one snapshot. Raises psycopg.Error."""
    rows: dict[str, dict[int, Row]] = {}
    hops: dict[str, dict[int, tuple[Hop, ...]]] = {}
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.adapters.register_loader("timestamptz", _Moment)
        connection.adapters.register_loader("interval", _Length)
        for module in program.modules:
            for machine in module.machines:
                name = f"{module.name}.{machine.name}"
                rows[name] = _rows(connection, module.name, machine.name)
                hops[name] = _hops(connection, module.name, machine.name)
        inbox = _messages(connection, "select machine, receiver, event, null as reason from jet.inbox order by seq")
        parked = _messages(connection, "select machine, receiver, event, reason from jet.parked order by seq")
    return Evidence(rows, hops, inbox, parked)


def _rows(connection: psycopg.Connection[Any], module: str, machine: str) -> dict[int, Row]:
    query = sql.SQL("select * from {}").format(sql.Identifier(module, machine))
    with connection.cursor(row_factory=dict_row) as cursor:
        return {row["id"]: row for row in cursor.execute(query)}


def _hops(connection: psycopg.Connection[Any], module: str, machine: str) -> dict[int, tuple[Hop, ...]]:
    query = sql.SQL(
        "select v.id, v.seq, v.at, v.event, v.payload, v.from_state, v.to_state, v.actor, h.token, h.attempts"
        " from {} v left join {} h on h.id = v.id and h.seq = v.seq order by v.id, v.seq"
    ).format(sql.Identifier(module, f"{machine}_history"), sql.Identifier(module, f"_{machine}_hops"))
    found: dict[int, list[Hop]] = {}
    for row in connection.execute(query):
        found.setdefault(row[0], []).append(Hop(*row))
    return {id: tuple(hops) for id, hops in found.items()}


def _messages(connection: psycopg.Connection[Any], query: str) -> tuple[Message, ...]:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        return tuple(Message(*row) for row in cursor.execute(query.encode()))
