"""`ps`, `history`: what reads tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from jetpackc import waits
from jetpackc.cli.database import dsn_option, opened
from jetpackc.cli.machines import machines, named
from jetpackc.cli.output import dim, fault, strong
from jetpackc.dev.board import Standing, standing

if TYPE_CHECKING:
    from jetpack_runtime import Hop


@click.command()
@click.argument("only", nargs=-1, metavar="[MACHINE]...")
@dsn_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def ps(only: tuple[str, ...], dsn: str | None, as_json: bool) -> int:
    """Count the tasks of each machine by state, and name those that are stuck.

    Tells what holds tasks back as well: pauses, limits, messages that wait, deferred events.

    \b
    jetpackc ps
    jetpackc ps checkout --json
    """
    with opened(dsn) as connection:
        known = machines(connection)
        chosen = [named(known, name) for name in only] or list(known.values())
        found = [standing(connection, *machine.table, machine.states, machine.failure) for machine in chosen]
        lost = "" if only else waits.lost(connection)
    if as_json:
        click.echo(json.dumps([_data(one) for one in found], indent=2))
        return 0
    width = max((len(state) for one in found for state in one.counts), default=0)
    for one in found:
        click.echo("\n".join(_table(one, width)))
    if lost:
        click.echo(f"{fault('lost')} {lost}")
    return 0


def _data(one: Standing) -> dict[str, Any]:
    known = one.waits
    return {
        "machine": one.machine,
        "states": one.counts,
        "stuck": one.stuck,
        "paused": known.paused,
        "messages": {"waiting": known.messages, "seconds": known.seconds, "parked": known.parked},
        "deferred": known.deferred,
        "limits": [
            {"limit": limit.text, **({"full": limit.full} if limit.used is None else {"used": limit.used})}
            for limit in known.limits
        ],
    }


def _table(one: Standing, width: int) -> list[str]:
    lines = [strong(one.machine) + (f"  {fault('paused')}" if "" in one.waits.paused else "")]
    lines += [f"  {fault('paused')} {state}" for state in one.waits.paused if state]
    for state, count in one.counts.items():
        lines.append(f"  {state:<{width}}  {count:>8}{'  ' + fault('failure') if state in one.failure else ''}")
    if not one.counts:
        lines.append(dim("  no tasks"))
    lines += [f"  {line}" for line in waits.lines(one.waits)]
    for task in one.stuck:
        lines.append(f"  {fault('stuck')} {task['id']} in {task['state']}: {task['error']}")
        lines.append(dim(f"    mend the cause, then: jetpackc retry {task['id']}"))
    return lines


@click.command()
@click.argument("id", type=int)
@dsn_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def history(id: int, dsn: str | None, as_json: bool) -> int:
    """Tell what happened to the task ID, oldest first, and what it has yet to take.

    Messages on their way to it, and events that it defers, stand below.

    \b
    jetpackc history 7
    """
    from jetpack_runtime import Client
    from jetpack_runtime.timeline import timeline

    with opened(dsn) as connection:
        client = Client(connection)
        task, hops = client.get(id), client.history(id)
        messages = waits.of_task(connection, task.machine, id)
        paused = waits.of_queue(connection, task.machine, task.state)
    if as_json:
        found = {"id": id, "machine": task.machine, "state": task.state, "paused": paused}
        found |= {"history": [hop_data(hop) for hop in hops], "messages": [_message(one) for one in messages]}
        click.echo(json.dumps(found, indent=2, default=str))
        return 0
    click.echo("\n".join(timeline(task, hops, strong=strong, dim=dim, fault=fault)))
    for line in waits.task_lines(messages):
        click.echo(f"  {line}")
    if paused:
        click.echo(f"  {fault('paused')}: no worker claims it until `jetpackc resume {task.machine}`")
    return 0


def _message(one: waits.Message) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("at", "event", "payload", "sender", "actor", "kept")}


def hop_data(hop: Hop) -> dict[str, Any]:
    """A hop for programs."""
    names = ("seq", "at", "event", "payload", "from_state", "to_state", "changed", "actor")
    return {name: getattr(hop, name) for name in names}
