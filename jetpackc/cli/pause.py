"""`pause`, `resume`, `drain`: stopping claims while everything lives."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jetpackc.cli.database import dsn_option, opened
from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.machines import Machine, interval, machines, named
from jetpackc.cli.output import say
from jetpackc.diagnostics.suggest import did_you_mean

if TYPE_CHECKING:
    import psycopg

LOOK = 0.2
"""Seconds between two looks at what is still at work."""
SHOWN = 10
"""How many of the tasks that are left are named."""
Command = TypeVar("Command", bound=Callable[..., object])


def _machine_and_state(command: Command) -> Command:
    help = "Only this queue, or those of this step."
    return click.argument("machine")(click.option("--state", help=help)(dsn_option(command)))


@click.command()
@_machine_and_state
def pause(machine: str, state: str | None, dsn: str | None) -> int:
    """Let no worker claim tasks of MACHINE, from the next claim on. What is at work goes on, and so does all else.

    \b
    jetpackc pause shop.checkout
    jetpackc pause shop.checkout --state charging
    """
    with opened(dsn) as connection:
        _pause(connection, named(machines(connection), machine), state)
    return 0


@click.command()
@_machine_and_state
def resume(machine: str, state: str | None, dsn: str | None) -> int:
    """Let workers claim tasks of MACHINE again: of all its states, or of one.

    \b
    jetpackc resume shop.checkout
    """
    from psycopg.errors import ObjectNotInPrerequisiteState

    with opened(dsn) as connection:
        found = named(machines(connection), machine)
        _queues(found, state)
        was = _value(connection, "select exists(select from jet.paused where machine = %s)", found.name)
        try:
            connection.execute("select jet.resume(%s, %s)", (found.name, state))
        except ObjectNotInPrerequisiteState:
            help = f"resume all of it: `jetpackc resume {found.name}`"
            raise Failure(f"{found.name} is paused as a whole", help) from None
        say(f"resumed {_what(found, state)}" if was else f"nothing of {found.name} was paused")
    return 0


@click.command()
@_machine_and_state
@click.option("--timeout", metavar="DURATION", help="Give up after so long, such as 10m; it stays paused.")
def drain(machine: str, state: str | None, dsn: str | None, timeout: str | None) -> int:
    """Pause MACHINE and wait until none of its tasks is at work. Exits 1 if some are left.

    \b
    jetpackc drain shop.checkout --timeout 10m && deploy
    jetpackc resume shop.checkout
    """
    try:
        until = None if timeout is None else monotonic() + interval(timeout).total_seconds()
    except ValueError:
        raise Usage(f"`{timeout}` is no duration", "such as `30s` or `1h30m`") from None
    with opened(dsn) as connection:
        found = named(machines(connection), machine)
        queues = _pause(connection, found, state)
        if _claims_under_way(connection, until):
            raise Failure("a claim is under way in a transaction that is still open", "wait on with the same command")
        left = _wait(connection, found, sorted({found.queues[queue] for queue in queues}), until)
    if left:
        raise Failure(f"still at work: {_named(left)}", "wait on with the same command, or send them an event")
    say(f"nothing of {_what(found, state)} is at work")
    return 0


def _pause(connection: psycopg.Connection, machine: Machine, state: str | None) -> list[str]:
    queues = _queues(machine, state)
    if not queues:
        raise Usage(f"no worker claims from `{machine.name}`", "only a machine with a queue can be paused")
    connection.execute("select jet.pause(%s, %s)", (machine.name, state))
    say(f"paused {_what(machine, state)}")
    return queues


def _queues(machine: Machine, state: str | None) -> list[str]:
    """The queues that are meant; as `jet.queues` finds them. Raises Usage."""
    if state is None:
        return list(machine.queues)
    found = [q for q, target in machine.queues.items() if state in (q, target) or q.startswith(f"{state}.")]
    if not found:
        near = did_you_mean(state, machine.queues)
        known = ", ".join(f"`{queue}`" for queue in machine.queues) or "none"
        help = f"did you mean `{near}`?" if near else f"its queues: {known}"
        raise Usage(f"`{state}` of `{machine.name}` is no queue", help)
    return found


def _what(machine: Machine, state: str | None) -> str:
    return machine.name if state is None else f"{state} of {machine.name}"


def _claims_under_way(connection: psycopg.Connection, until: float | None) -> bool:
    """Wait for claims that looked before the pause was there: each has the table of pauses open until it commits.
    Whether some are left when time is up."""
    query = """select coalesce(array_agg(virtualtransaction), '{}') from pg_locks
        where locktype = 'relation' and relation = 'jet.paused'::regclass and pid <> pg_backend_pid()
        and database = (select oid from pg_database where datname = current_database())"""
    early = set(_value(connection, query))
    while early and not _late(until):
        sleep(LOOK)
        early &= set(_value(connection, query))
    return bool(early)


def _wait(connection: psycopg.Connection, machine: Machine, states: list[str], until: float | None) -> list[int]:
    """Wait until no task is at work in these states; those that are, where time is up."""
    from psycopg import sql

    text = "select array(select id from {} where _worker is not null and state = any(%s) order by id)"
    query = sql.SQL(text).format(sql.Identifier(*machine.table))
    told = 0
    while left := _value(connection, query, states):
        if _late(until):
            return list(left)
        if len(left) != told:
            say(f"{len(left)} at work")
            told = len(left)
        sleep(LOOK)
    return []


def _value(connection: psycopg.Connection, query: Any, *values: Any) -> Any:
    row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None


def _late(until: float | None) -> bool:
    return until is not None and monotonic() >= until


def _named(ids: list[int]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(map(str, ids[:SHOWN])) + more
