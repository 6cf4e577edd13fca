"""`schedules`: when tasks are created by themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from jetpackc.cli.database import opened
from jetpackc.cli.errors import Usage
from jetpackc.cli.machines import machines
from jetpackc.cli.output import dim, fault, say, strong
from jetpackc.cli.project import compile_or_fail, files_argument
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.records import dataclass

if TYPE_CHECKING:
    import psycopg

    from jetpackc.ir import model as ir


@dataclass(frozen=True, slots=True)
class Shown:
    """A schedule, from a source or from a database. `period` is in milliseconds, 0 where it goes by `cron`; `last` is
    its last slot that is done, in a database."""

    name: str
    cron: str
    period: int
    zone: str
    missed: str
    paused: bool = False
    last: dict[str, Any] | None = None

    @property
    def when(self) -> str:
        """Its moments, as the source says them."""
        from jetpackc.syntax.literals import duration

        return f'cron "{self.cron}" in "{self.zone}"' if self.cron else f"every {duration(self.period)}"

    def slots(self, now: datetime) -> Iterator[datetime]:
        """The slots behind a moment, on the clocks of its zone."""
        from jetpackc import cron

        found = cron.runs(self.cron, self.zone, now) if self.cron else cron.every(self.period, now)
        return (slot.astimezone(ZoneInfo(self.zone)) for slot in found)


@click.command()
@files_argument
@click.option("--dsn", help="Connection string: those of a database, with what became of them, not those of files.")
@click.option("--database", is_flag=True, help="The same of DATABASE_URL, else of the project's own database.")
@click.option("--next", "count", type=click.IntRange(0, 1000), default=3, help="How many runs to tell [3].")
@click.option("--pause", metavar="NAME", help="Fire nothing of this schedule in the database, until it is resumed.")
@click.option("--resume", metavar="NAME", help="Let it go on; what fell due meanwhile is not made up for.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def schedules(
    files: tuple[Path, ...],
    dsn: str | None,
    database: bool,
    count: int,
    pause: str | None,
    resume: str | None,
    as_json: bool,
) -> int:
    """Tell the schedules of a program and their next runs, or pause one of a database.

    \b
    jetpackc schedules
    jetpackc schedules --next 10 --json
    jetpackc schedules --dsn postgresql://localhost/shop
    jetpackc schedules --database
    jetpackc schedules --pause nightly
    """
    if pause is not None or resume is not None:
        if files or (pause is not None and resume is not None):
            raise Usage("`--pause` and `--resume` take one schedule of a database", "name it, and no files")
        return _switch(dsn, pause or resume or "", paused=pause is not None)
    live = database or dsn is not None
    if live and files:
        raise Usage("schedules of files or of a database?", "give files, or --dsn, or --database")
    now, found = _of_database(dsn or os.environ.get("DATABASE_URL")) if live else _of_files(files)
    if as_json:
        click.echo(json.dumps([_data(one, now, count) for one in found], indent=2))
    elif found:
        click.echo("\n".join(line for one in found for line in _lines(one, now, count)))
    else:
        say("there are no schedules")
    return 0


def _of_files(files: tuple[Path, ...]) -> tuple[datetime, list[Shown]]:
    program, _ = compile_or_fail(files)
    return datetime.now(UTC), [_written(module.name, one) for module in program.modules for one in module.schedules]


def _written(module: str, one: ir.Schedule) -> Shown:
    return Shown(f"{module}.{one.name}", one.cron, one.every, one.zone, one.missed)


def _of_database(dsn: str | None) -> tuple[datetime, list[Shown]]:
    with opened(dsn) as connection:
        machines(connection)  # raises where there are none
        (now,) = connection.execute("select jet.now()").fetchone() or (datetime.now(UTC),)
        return now, [_stored(*row) for row in connection.execute(_STORED).fetchall()]


_STORED = """
select c.module || '.' || c.name, c.plan ->> 'cron', (c.plan ->> 'every')::float8, c.zone, c.missed, c.paused,
  s.at, s.outcome, s.task, s.error
from jet.schedule c
left join lateral (
  select * from jet.slot s where s.module = c.module and s.name = c.name and s.outcome is not null
  order by s.at desc limit 1
) s on true
order by 1
"""


def _stored(
    name: str, cron: str | None, every: float | None, zone: str, missed: str, paused: bool, *last: Any
) -> Shown:
    at, outcome, task, error = last
    done = (
        {"at": at.astimezone(ZoneInfo(zone)).isoformat(), "outcome": outcome, "task": task, "error": error}
        if at
        else None
    )
    return Shown(name, cron or "", round((every or 0) * 1000), zone, missed, paused, done)


def _switch(dsn: str | None, name: str, *, paused: bool) -> int:
    with opened(dsn or os.environ.get("DATABASE_URL")) as connection:
        machines(connection)
        full = _named(connection, name)
        connection.execute("select jet.schedule_pause(%s, %s)", (full, paused))
    say(f"paused {full}" if paused else f"resumed {full}")
    return 0


def _named(connection: psycopg.Connection, name: str) -> str:
    rows = connection.execute("select module || '.' || name from jet.schedule order by 1").fetchall()
    known = [str(row[0]) for row in rows]
    found = [full for full in known if name in (full, full.partition(".")[2])]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"`{full}`" for full in found or known)
    if found:
        raise Usage(f"several modules have a schedule `{name}`", f"say which: {listed}")
    near = did_you_mean(name, [*known, *(full.partition(".")[2] for full in known)])
    help = f"did you mean `{near}`?" if near else f"there is {listed}" if known else "the database has none"
    raise Usage(f"there is no schedule `{name}`", help)


def _data(one: Shown, now: datetime, count: int) -> dict[str, Any]:
    return {
        "schedule": one.name,
        "cron": one.cron or None,
        "every_seconds": one.period / 1000 if one.period else None,
        "zone": one.zone,
        "missed": one.missed,
        "paused": one.paused,
        "next": [slot.isoformat() for slot in islice(one.slots(now), count)],
        "last": one.last,
    }


def _lines(one: Shown, now: datetime, count: int) -> Iterator[str]:
    yield f"{strong(one.name)}  {one.when}, missed {one.missed}{'  ' + fault('paused') if one.paused else ''}"
    if one.last is not None:
        became = {"fired": f"made task {one.last['task']}", "failed": f"{fault('failed')}: {one.last['error']}"}
        yield f"  last  {one.last['at']}  {became.get(one.last['outcome'], one.last['outcome'])}"
    for number, slot in enumerate(islice(one.slots(now), count)):
        yield f"  {'next' if not number else '    '}  {slot.isoformat()}  {dim(f'{slot:%a}')}"
