"""`top`: what goes on just now."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from jetpackc.cli.database import chosen, connect, dsn_option
from jetpackc.cli.errors import Failure, unreachable
from jetpackc.cli.machines import machines, named
from jetpackc.cli.output import dim, fault, strong

if TYPE_CHECKING:
    import psycopg

    from jetpackc.top.looker import Looker
    from jetpackc.top.model import Look

SHARE = 4
"""A look that takes long is repeated the more rarely: it may run a fifth of the time."""


# A screen of its own, where lines that are too long are cut.
ENTER, LEAVE = "\x1b[?1049h\x1b[?7l", "\x1b[?7h\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"


@click.command()
@click.argument("only", nargs=-1, metavar="[MACHINE]...")
@dsn_option
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between looks."
)
@click.option("--once", is_flag=True, help="Print one look and end, as where stdout is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="One look, for programs.")
@click.option("--query", is_flag=True, help="Show what holds the horizon back runs; that may hold secrets.")
def top(only: tuple[str, ...], dsn: str | None, interval: float, once: bool, as_json: bool, query: bool) -> int:
    """Show queues, rates, waiting times, who holds leases, and which transaction keeps vacuum from its work.

    \b
    jetpackc top
    jetpackc top checkout --interval 5
    jetpackc top --json
    """
    with chosen(dsn) as found, closing(_Window(found, only, queries=query)) as window:
        if as_json:
            click.echo(json.dumps(asdict(window.look()), indent=2, default=str))
        elif once or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            click.echo("\n".join(window.lines()))
        else:
            _live(window, interval)
    return 0


class _Window:
    """Looks on a connection that it makes when there is none."""

    def __init__(self, dsn: str, only: tuple[str, ...], *, queries: bool) -> None:
        self._dsn, self._only, self._queries = dsn, only, queries
        self._connection: psycopg.Connection | None = None
        self._looker: Looker | None = None

    def look(self) -> Look:
        """What is to be seen now. Raises Usage, Failure, psycopg.Error."""
        if self._looker is None:
            self._connection = connect(self._dsn)
            self._looker = self._made(self._connection)
        return self._looker.look()

    def lines(self) -> list[str]:
        """The same as a table."""
        from jetpackc.top.table import lines

        return lines(self.look(), strong=strong, dim=dim, fault=fault)

    def lines_or_why(self) -> list[str]:
        """The table, or why there is none just now."""
        import psycopg

        try:
            return self.lines()
        except (psycopg.OperationalError, psycopg.InterfaceError, Failure) as error:
            self.close()
            return [fault(error.message if isinstance(error, Failure) else unreachable(error).message)]

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
        self._looker = None

    def _made(self, connection: psycopg.Connection) -> Looker:
        from jetpackc.top.looker import Looker

        known = machines(connection)
        chosen = [named(known, name).name for name in self._only]
        return Looker(connection, chosen or None, queries=self._queries)


def _live(window: _Window, interval: float) -> None:
    """Until Ctrl-C, which leaves the last look on the screen. An outage is shown, and waited out."""
    began, shown = time.monotonic(), window.lines()
    click.echo(ENTER, nl=False)
    try:
        while True:
            rows = shutil.get_terminal_size().lines - 1
            click.echo(HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in shown[:rows]) + CLEAR_REST, nl=False)
            time.sleep(max(interval, SHARE * (time.monotonic() - began)))
            began, shown = time.monotonic(), window.lines_or_why()
    except KeyboardInterrupt:
        pass
    finally:
        click.echo(LEAVE, nl=False)
    click.echo("\n".join(shown))
