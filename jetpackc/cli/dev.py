"""`dev`: runs a project."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.database import connect
from jetpackc.cli.errors import DATABASE, Failure
from jetpackc.cli.output import colored
from jetpackc.cli.project import compile_files, find

if TYPE_CHECKING:
    from jetpackc.dev.screen import Screen
    from jetpackc.dev.session import Build, Session


@click.command()
@click.argument("project", metavar="[DIR|FILE]", default=".", type=click.Path(path_type=Path))
@click.option("--until-idle", is_flag=True, help="End when nothing is left to do; exit 1 if a task failed or is stuck.")
def dev(project: Path, until_idle: bool) -> int:
    """Run the project in DIR: its database, its worker, a live count of states. Each save is taken up; data is kept.

    \b
    jetpackc dev
    jetpackc dev examples/checkout --until-idle

    The database lives in DIR/.jetpack, or is that of DATABASE_URL. A new one gets what dev.sql creates. Nothing else
    in DIR is written: migrations are made by `jetpackc build`.
    """
    from jetpackc.dev.install import NotOursError
    from jetpackc.dev.screen import Screen
    from jetpackc.dev.session import Session
    from jetpackc.migrate.apply import MigrationError

    paths = find((project,))
    folder = paths[0].parent
    screen = Screen(sys.stdout)
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        with _database(folder, screen) as dsn:
            connect(dsn).close()
            session = Session(folder, dsn, _compiler(paths, folder), screen)
            return _run(session, until_idle)
    except NotOursError:
        help = "give dev a database of its own (unset DATABASE_URL), or run `jetpackc migrate` and `jetpackc worker`"
        raise Failure("this database is kept by migration files, which dev leaves alone", help) from None
    except MigrationError as error:
        raise Failure(str(error), error.diagnostic.help, DATABASE, error.diagnostic.rule) from None


_interrupts: list[int] = []


def _interrupt(number: int, _: object) -> None:
    _interrupts.append(number)
    raise KeyboardInterrupt


def _run(session: Session, until_idle: bool) -> int:
    if until_idle:
        return session.until_idle()
    import psycopg

    try:
        return session.follow()
    except (KeyboardInterrupt, psycopg.OperationalError):
        # Wherever it comes; inside a statement it shows as one that was cancelled.
        if not _interrupts:
            raise
        return 0


def _database(folder: Path, screen: Screen) -> AbstractContextManager[str]:
    from jetpackc.postgres import has_database, project_database

    if url := os.environ.get("DATABASE_URL"):
        screen.line("using the database of DATABASE_URL")
        return nullcontext(url)
    if not has_database(folder):
        screen.line(f"making a database in {folder / '.jetpack'}")
    return project_database(folder)


def _compiler(paths: tuple[Path, ...], folder: Path) -> Callable[[], Build]:
    """What compiles the project now, with messages for this terminal."""
    from jetpackc.dev.session import Build
    from jetpackc.diagnostics.render import FORMATS

    def compile() -> Build:
        compiled = compile_files(paths, folder)

        def render(diagnostics: object) -> str:
            return FORMATS["text"](diagnostics, compiled.sources, color=colored(sys.stdout))  # type: ignore[arg-type]

        return Build(compiled.program, render(compiled.diagnostics), render, list(compiled.sources))

    return compile
