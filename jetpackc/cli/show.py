"""`ps`, `history`: what reads tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from jetpackc.cli.database import dsn_option, opened
from jetpackc.cli.machines import machines, named
from jetpackc.cli.output import dim, fault, strong
from jetpackc.dev.board import Standing, standing

if TYPE_CHECKING:
    import psycopg
    from jetpack_runtime import Hop


@click.command()
@click.argument("only", nargs=-1, metavar="[MACHINE]...")
@dsn_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def ps(only: tuple[str, ...], dsn: str | None, as_json: bool) -> int:
    """Count the tasks of each machine by state, and name those that are stuck.

    \b
    jetpackc ps
    jetpackc ps checkout --json
    """
    with opened(dsn) as connection:
        known = machines(connection)
        chosen = [named(known, name) for name in only] or list(known.values())
        found = [standing(connection, *machine.table, machine.states, machine.failure) for machine in chosen]
        paused = _paused(connection)
    if as_json:
        click.echo(json.dumps([_data(one, paused.get(one.machine, [])) for one in found], indent=2))
        return 0
    width = max((len(state) for one in found for state in one.counts), default=0)
    for one in found:
        click.echo("\n".join(_table(one, width, paused.get(one.machine, []))))
    return 0


def _paused(connection: psycopg.Connection) -> dict[str, list[str]]:
    """The queues of each machine that are paused; an empty name is the whole machine."""
    rows = connection.execute("select machine, array_agg(state order by state) from jet.paused group by machine")
    return dict(rows.fetchall())


def _data(one: Standing, paused: list[str]) -> dict[str, Any]:
    return {"machine": one.machine, "states": one.counts, "stuck": one.stuck, "paused": paused}


def _table(one: Standing, width: int, paused: list[str]) -> list[str]:
    lines = [strong(one.machine) + (f"  {fault('paused')}" if "" in paused else "")]
    lines += [f"  {fault('paused')} {state}" for state in paused if state]
    for state, count in one.counts.items():
        lines.append(f"  {state:<{width}}  {count:>8}{'  ' + fault('failure') if state in one.failure else ''}")
    if not one.counts:
        lines.append(dim("  no tasks"))
    for task in one.stuck:
        lines.append(f"  {fault('stuck')} {task['id']} in {task['state']}: {task['error']}")
        lines.append(dim(f"    mend the cause, then: jetpackc retry {task['id']}"))
    return lines


@click.command()
@click.argument("id", type=int)
@dsn_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def history(id: int, dsn: str | None, as_json: bool) -> int:
    """Tell what happened to the task ID, oldest first.

    \b
    jetpackc history 7
    """
    from jetpack_runtime import Client
    from jetpack_runtime.timeline import timeline

    with opened(dsn) as connection:
        client = Client(connection)
        task, hops = client.get(id), client.history(id)
    if as_json:
        click.echo(json.dumps([hop_data(hop) for hop in hops], indent=2, default=str))
    else:
        click.echo("\n".join(timeline(task, hops, strong=strong, dim=dim, fault=fault)))
    return 0


def hop_data(hop: Hop) -> dict[str, Any]:
    """A hop for programs."""
    names = ("seq", "at", "event", "payload", "from_state", "to_state", "changed", "actor")
    return {name: getattr(hop, name) for name in names}
