"""`build`: writes the next migration, jet.lock and handler stubs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc import __version__
from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.output import say
from jetpackc.cli.project import (
    Compiled,
    compile_files,
    compile_or_fail,
    files_argument,
    find,
    format_option,
    print_diagnostics,
)

if TYPE_CHECKING:
    from jetpackc.ir import model as ir
    from jetpackc.migrate.build import Build
    from jetpackc.migrate.lock import Lock

STALE = 3


@click.command()
@files_argument
@click.option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="The project's folder [FILE's].")
@click.option("--name", help="What the migration is called behind its number.")
@click.option("--python", type=click.Path(path_type=Path, dir_okay=False), help="Also write types for handlers here.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 3 if a build would.")
@click.option("--stdout", is_flag=True, help="Write nothing; print all SQL that an empty database needs.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@format_option
def build(
    files: tuple[Path, ...],
    out: Path | None,
    name: str | None,
    python: Path | None,
    only_check: bool,
    stdout: bool,
    strict: bool,
    form: str,
) -> int:
    """Compile FILEs; write migrations/NNNN_name.sql and jet.lock, what the next build compares with.

    \b
    jetpackc build
    jetpackc build shop.jet mail.jet -o db --name add_receipts
    jetpackc build --python handlers/types.py
    jetpackc build --check                # in CI: is what is checked in what the source gives?
    jetpackc build --stdout | psql
    """
    from jetpackc.migrate.files import LOCK, MIGRATIONS, next_number

    if name is not None and not re.fullmatch(r"[a-z0-9_]+", name):
        raise Usage(f"`{name}` cannot name a migration", "use lower-case letters, digits and `_`")
    paths = find(files)
    folder = out or paths[0].parent
    compiled = _compiled(paths, folder, form)
    if strict and compiled.diagnostics:
        return 1
    assert compiled.program is not None
    if stdout:
        made = _build(compiled, None, 1, None)
        click.echo("\n".join(made.migrations.values()), nl=False)
        return 0
    made = _build(compiled, _lock(folder), next_number(folder / MIGRATIONS), name)
    if made.diagnostics:
        print_diagnostics(made.diagnostics, compiled.sources, form)
        return 1
    planned = {folder / MIGRATIONS / file: text for file, text in made.migrations.items()}
    planned[folder / LOCK] = made.lock
    if python is not None:
        planned[python] = _stubs(compiled.program)
    return _compare(planned, form) if only_check else _write(planned)


def _compiled(paths: tuple[Path, ...], folder: Path, form: str) -> Compiled:
    """The program with places as seen from the project: what is written is the same wherever the command is run. What
    is said of it names them as seen from here, for which it is compiled again, where there is anything to say."""
    if os.path.realpath(folder) == os.path.realpath(Path()):
        return compile_or_fail(paths, form)[1]
    try:
        compiled = compile_files(paths, folder)
    except Failure:
        compile_or_fail(paths, form)
        raise
    if compiled.diagnostics:
        compile_or_fail(paths, form)
    return compiled


def _lock(folder: Path) -> Lock | None:
    """What the last build left. Raises Failure where it and the migrations cannot both be right."""
    from jetpackc.diagnostics.rules.migration import UNREADABLE_LOCK
    from jetpackc.migrate.files import LOCK, MIGRATIONS, migration_files, read_lock
    from jetpackc.migrate.lock import LockError

    try:
        old = read_lock(folder)
    except LockError as error:
        message = f"cannot read `{folder / LOCK}`: {error}"
        raise Failure(message, "take it back as it was with the last migration", rule=UNREADABLE_LOCK) from None
    if bool(old) != any(_is_built(path) for path in migration_files(folder / MIGRATIONS)):
        gone, there = ("migrations", "jet.lock") if old else ("jet.lock", "migrations")
        raise Failure(f"`{folder}` has {there} and no {gone}", f"take {gone} back, or remove {there} to begin anew")
    return old


def _is_built(path: Path) -> bool:
    """Whether a build wrote it; others may stand beside."""
    return "made by jetpackc" in _text(path).partition("\n")[0]


def _build(compiled: Compiled, old: Lock | None, number: int, name: str | None) -> Build:
    from jetpackc.migrate.build import build as made

    assert compiled.program is not None
    sources = list(compiled.sources)
    return made(compiled.program, old, first_number=number, version=__version__, sources=sources, name=name)


def _stubs(program: ir.Program) -> str:
    from jetpackc.emit.python import stubs

    return stubs(program)


def _stale(planned: dict[Path, str]) -> dict[Path, str]:
    """Those that are not on disk as they should be."""
    return {path: text for path, text in planned.items() if not path.exists() or _text(path) != text}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _compare(planned: dict[Path, str], form: str) -> int:
    from jetpackc.diagnostics.model import Diagnostic
    from jetpackc.diagnostics.rules.migration import STALE_OUTPUT

    stale = [
        Diagnostic(STALE_OUTPUT, f"`{path}` is not what the source gives", None, help="run `jetpackc build`")
        for path in _stale(planned)
    ]
    if stale:
        print_diagnostics(stale, {}, form)
        return STALE
    say("nothing is stale")
    return 0


def _write(planned: dict[Path, str]) -> int:
    from jetpackc.migrate.files import write_all

    stale = _stale(planned)
    write_all(stale)
    for path in stale:
        say(f"wrote {path}")
    if not stale:
        say("nothing changed, nothing was written")
    return 0
