"""`create`, `send`, `retry`: what changes a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jetpackc.cli.database import dsn_option, opened
from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.machines import event_fields, interval, machines, named, values
from jetpackc.cli.output import say

if TYPE_CHECKING:
    from datetime import timedelta

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
    jetpackc create shop.checkout order_id=8 email=bob@example.org --delay 1h
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
@click.argument("id", type=int)
@click.argument("event")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@dsn_option
@click.option("--key", help="A repeated key sends nothing and gives the first answer again.")
def send(id: int, event: str, fields: tuple[str, ...], dsn: str | None, key: str | None) -> int:
    """Send EVENT to the task ID. Exits 1 where its state does not handle it.

    \b
    jetpackc send 7 PAID amount=12.50 method=card
    """
    from jetpack_runtime import Client

    with opened(dsn) as connection:
        client = Client(connection)
        machine = machines(connection)[client.get(id).machine]
        payload = values(f"`{event}`", fields, event_fields(machine, event), machine)
        return _told(client.send(id, event, payload, key=key))


@click.command()
@click.argument("id", type=int)
@dsn_option
def retry(id: int, dsn: str | None) -> int:
    """Dispatch again what the task ID is stuck on.

    \b
    jetpackc retry 7
    """
    from jetpack_runtime import Client

    with opened(dsn) as connection:
        return _told(Client(connection).retry(id))


def _told(sent: Sent) -> int:
    if sent.applied:
        say(f"now in {sent.state}")
        return 0
    raise Failure(f"nothing changed, the task is in `{sent.state}`" + (f": {sent.reason}" if sent.reason else ""))
