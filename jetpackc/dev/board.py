"""How many tasks stand where: read from the database, drawn as lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from jetpackc.records import dataclass
from jetpackc.waits import Waits, message_lines, of_machine

SHOWN = 20
"""Stuck and failed tasks that are listed one by one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One machine's tasks: how many are in which state, in source order, those that are stuck, what waits."""

    machine: str
    counts: dict[str, int]
    failure: Collection[str]
    stuck: list[dict[str, Any]]
    waits: Waits

    @property
    def failed(self) -> int:
        """How many tasks are in a failure state."""
        return sum(count for state, count in self.counts.items() if state in self.failure)


def standing(
    connection: psycopg.Connection, module: str, name: str, states: Sequence[str], failure: Collection[str]
) -> Standing:
    """Ask the database. Raises psycopg.Error."""
    table = sql.Identifier(module, name)
    count = sql.SQL("select state, count(*) from {} group by state").format(table)
    found: dict[str, int] = dict(connection.execute(count).fetchall())
    order = [state for state in states if state in found] + sorted(found.keys() - set(states))
    ask = sql.SQL("select id, state, _stuck ->> 'error' from {} where _stuck is not null order by id limit {}")
    stuck = connection.execute(ask.format(table, SHOWN)).fetchall()
    return Standing(
        f"{module}.{name}",
        {state: found[state] for state in order},
        failure,
        [{"id": id, "state": state, "error": error} for id, state, error in stuck],
        of_machine(connection, module, name),
    )


def failed_tasks(connection: psycopg.Connection, one: Standing) -> list[tuple[int, str]]:
    """Id and state of tasks in a failure state, the oldest `SHOWN`."""
    module, _, name = one.machine.partition(".")
    ask = sql.SQL("select id, state from {} where state = any(%s) order by id limit {}")
    return connection.execute(ask.format(sql.Identifier(module, name), SHOWN), (list(one.failure),)).fetchall()


def lines(found: Iterable[Standing]) -> list[str]:
    """The board: one line a machine that has tasks."""
    rows = [(one.machine, _row(one)) for one in found if one.counts or one.waits.paused]
    width = max((len(machine) for machine, _ in rows), default=0)
    return [f"  {machine:<{width}}  {row}" for machine, row in rows] or ["  no tasks yet"]


def _row(one: Standing) -> str:
    parts = [f"{state} {count}{' (failure)' if state in one.failure else ''}" for state, count in one.counts.items()]
    parts += [f"{len(one.stuck)} stuck"] if one.stuck else []
    parts += [f"{state or 'all'} paused" for state in one.waits.paused]
    return ", ".join((*parts, *message_lines(one.waits)))
