"""`create`, `send`, `retry`: what changes a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from jetpackc.cli.bulk import Filter, FilterOptions, each, filter_options
from jetpackc.cli.database import dsn_option, opened
from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.machines import Machine, event_fields, interval, machines, named, values
from jetpackc.cli.output import say

if TYPE_CHECKING:
    from datetime import timedelta

    import psycopg
    from jetpack_runtime import Sent


@click.command()
@click.argument("machine")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@dsn_option
@click.option("--delay", metavar="DURATION", help="When it can first be claimed, such as 1h30m from now.")
@click.option("--priority", type=int, help="Lower numbers are claimed first [as the machine says].")
@click.option("--key", help="A repeated key creates nothing and gives the first task's id again.")
def create(
    machine: str, fields: tuple[str, ...], dsn: str | None, delay: str | None, priority: int | None, key: str | None
) -> int:
    """Create a task of MACHINE and print its id.

    \b
    jetpackc create checkout order_id=7 email=ada@example.org
    jetpackc create shop.reminder order_id=7 --delay 1h
    """
    from jetpack_runtime import Client

    wait = _delay(delay)
    with opened(dsn) as connection:
        found = named(machines(connection), machine)
        params = values(f"`{found.name}`", fields, found.params, found)
        client = Client(connection)
        click.echo(client.create(found.name, params, delay=wait, priority=priority, key=key))
    return 0


def _delay(text: str | None) -> timedelta | None:
    try:
        return None if text is None else interval(text)
    except ValueError:
        raise Usage(f"`{text}` is no duration", "such as `30s` or `1h30m`") from None


@click.command()
@click.argument("target", metavar="ID|MACHINE")
@click.argument("event")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@dsn_option
@click.option("--key", help="A repeated key sends nothing and gives the first answer again.")
@filter_options
def send(
    target: str, event: str, fields: tuple[str, ...], dsn: str | None, key: str | None, **options: Unpack[FilterOptions]
) -> int:
    """Send EVENT to the task ID. Exits 1 where its state does not handle it.

    With a MACHINE: to each of its tasks that the options choose. Exits 1 where that failed for some.

    \b
    jetpackc send 7 PAID amount=12.50 method=card
    jetpackc send checkout CANCEL --where state=cart --older-than 2d --dry-run
    jetpackc send checkout CANCEL --where email=ada@example.org --limit 100
    """
    return _send(target, event, fields, dsn, key, Filter(**options))


@click.command()
@click.argument("target", metavar="ID|MACHINE")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@dsn_option
@click.option("--key", help="A repeated key sends nothing and gives the first answer again.")
@filter_options
def cancel(
    target: str, fields: tuple[str, ...], dsn: str | None, key: str | None, **options: Unpack[FilterOptions]
) -> int:
    """Send the event CANCEL to the task ID, or to each task of a MACHINE that the options choose.

    What it does there, the machine says: `on CANCEL -> …`.

    \b
    jetpackc cancel 7
    jetpackc cancel checkout --where state=cart --older-than 2d --dry-run
    jetpackc cancel checkout why="sold out" --all
    """
    return _send(target, "CANCEL", fields, dsn, key, Filter(**options))


def _send(target: str, event: str, fields: tuple[str, ...], dsn: str | None, key: str | None, chosen: Filter) -> int:
    from jetpack_runtime import Client

    with opened(dsn) as connection:
        client = Client(connection)
        found = _machine(connection, target, chosen)
        machine = found or machines(connection)[client.get(int(target)).machine]
        payload = values(f"`{event}`", fields, event_fields(machine, event), machine)
        if found is None:
            return _told(client.send(int(target), event, payload, key=key))
        return each(connection, machine, chosen, lambda task: client.send(task, event, payload, key=key))


@click.command()
@click.argument("target", metavar="ID|MACHINE")
@dsn_option
@filter_options
def retry(target: str, dsn: str | None, **options: Unpack[FilterOptions]) -> int:
    """Dispatch again what the task ID is stuck on.

    With a MACHINE: what its stuck tasks are stuck on, all or those that the options choose.

    \b
    jetpackc retry 7
    jetpackc retry shop.checkout --all
    jetpackc retry checkout --where state=charging --older-than 1h
    """
    from jetpack_runtime import Client, TransitionFailed

    chosen = Filter(**options)
    with opened(dsn) as connection:
        client = Client(connection)
        machine = _machine(connection, target, chosen)
        if machine is not None:
            return each(connection, machine, chosen, client.retry, stuck=True)
        try:
            return _told(client.retry(int(target)))
        except TransitionFailed as error:
            help = f"mend the cause first; `jetpackc history {target}` tells what happened"
            raise Failure(f"it is stuck as before: {error}", help) from None


def _machine(connection: psycopg.Connection, target: str, chosen: Filter) -> Machine | None:
    """The machine whose tasks are meant; None where the target is one task's id. Raises Usage."""
    if not target.isdecimal():
        return named(machines(connection), target)
    if chosen.given:
        raise Usage(
            f"`{target}` is one task, and filters, `--dry-run` and `--json` are for those of a machine",
            f"name the machine, and the task with `--where id={target}`",
        )
    return None


def _told(sent: Sent) -> int:
    if sent.applied:
        say(f"now in {sent.state}")
        return 0
    raise Failure(f"nothing changed, the task is in `{sent.state}`" + (f": {sent.reason}" if sent.reason else ""))
