"""`migrate`: applies the migrations of a project."""

from __future__ import annotations

from pathlib import Path

import click

from jetpackc.cli.database import connect
from jetpackc.cli.errors import DATABASE, Failure, Usage
from jetpackc.cli.output import say
from jetpackc.cli.project import print_diagnostics


@click.command()
@click.option("--dsn", envvar="DATABASE_URL", help="Connection string [DATABASE_URL].")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default="migrations", show_default=True, help="Their folder."
)
@click.option("--status", is_flag=True, help="Apply nothing; print what is applied and what is pending.")
def migrate(dsn: str | None, folder: Path, status: bool) -> int:
    """Apply the migrations that the database does not have yet, in order, each in a transaction of its own.

    \b
    jetpackc migrate --dsn postgresql://localhost/shop
    DATABASE_URL=postgresql://localhost/shop jetpackc migrate --status
    """
    from jetpackc.diagnostics.rules.migration import NEWER_DATABASE
    from jetpackc.migrate.apply import MigrationError

    if dsn is None:
        help = "give --dsn or set DATABASE_URL; the project's own database is migrated by `jetpackc dev`"
        raise Usage("no database is named", help)
    if not folder.is_dir():
        raise Usage(f"there is no folder `{folder}`", "write migrations with `jetpackc build`, or say where with --dir")
    try:
        return _status(dsn, folder) if status else _migrate(dsn, folder)
    except MigrationError as error:
        print_diagnostics([error.diagnostic], {})
        return DATABASE if error.diagnostic.rule is NEWER_DATABASE else 1
    except UnicodeDecodeError:
        raise Failure(f"a file in `{folder}` is not UTF-8", "take it back as it was built") from None


def _migrate(dsn: str, folder: Path) -> int:
    from jetpackc.migrate import apply

    files = apply.read(folder)
    with connect(dsn) as connection:
        count = apply.migrate(connection, files, lambda name: say(f"applied {name}"))
    if not count:
        say(f"nothing is pending: {len(files)} applied")
    return 0


def _status(dsn: str, folder: Path) -> int:
    from jetpackc.migrate import apply

    files = apply.read(folder)
    with connect(dsn) as connection:
        done = apply.applied_checksums(connection)
    pending = {file.name for file in apply.pending_files(files, done)}
    for file in files:
        click.echo(f"{'pending' if file.name in pending else 'applied'}  {file.name}")
    return 0
