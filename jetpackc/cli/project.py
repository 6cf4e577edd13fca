"""The files of a project: found, read and compiled, and what is said of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from jetpackc.cli.errors import Failure, Usage, missing
from jetpackc.cli.output import colored, columns, say
from jetpackc.diagnostics.rules.syntax import UNREADABLE_SOURCE
from jetpackc.memory import without_collection
from jetpackc.records import dataclass
from jetpackc.source import Source

if TYPE_CHECKING:
    from jetpackc.diagnostics.model import Diagnostic
    from jetpackc.ir import model as ir

USUAL = "workflows.jet"
TESTS = "_test.jet"
"""How the name of a file ends that holds nothing but tests."""

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the compiler made of some files. `paths` are those files and what they import; `program` is None where it
    found errors."""

    program: ir.Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, Source]
    paths: tuple[Path, ...]


def files_argument(command: Command) -> Command:
    """FILE..., by default the one in the current folder."""
    return click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))(command)


def format_option(command: Command) -> Command:
    """--format."""
    choice = click.Choice(["text", "short", "json", "github", "sarif", "junit"])
    return click.option("--format", "form", type=choice, default="text", help="How to print diagnostics.")(command)


def find(files: Sequence[Path], folder: Path | None = None, *, tests: bool = False) -> tuple[Path, ...]:
    """The files meant: those named, a folder standing for its own; with `tests` also for its files of tests.

    Raises Usage.
    """
    if files:
        own = (_of_folder(file, tests) if file.is_dir() else (_existing(file),) for file in files)
        return tuple(dict.fromkeys(path for paths in own for path in paths))
    return _of_folder(folder or Path(), tests)


def _existing(file: Path) -> Path:
    if not file.exists():
        raise missing(file)
    return file


def _of_folder(folder: Path, tests: bool) -> tuple[Path, ...]:
    beside = tuple(sorted(folder.glob(f"*{TESTS}"))) if tests else ()
    found = sorted(path for path in folder.glob("*.jet") if not path.name.endswith(TESTS))
    if len(found) == 1:
        return (found[0], *beside)
    if folder / USUAL in found:
        return (folder / USUAL, *beside)
    where = "this folder" if folder == Path() else f"`{folder}`"
    if found:
        names = ", ".join(f"`{path.name}`" for path in found)
        raise Usage(f"there are several .jet files in {where}: {names}", "name those that make up the program")
    raise Usage(f"there is no .jet file in {where}", "name one, or run `jetpackc new DIR` to begin a project")


def read(path: Path, base: Path) -> Source:
    """One file; messages and generated comments call it by its path from `base`. Raises Failure."""
    shown = Path(os.path.relpath(path, base)).as_posix()
    return Source(shown, decoded(path.read_bytes(), shown, "utf-8-sig"))


def decoded(data: bytes, shown: str, encoding: str) -> str:
    """The text of a file. Raises Failure."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Failure(
            f"`{shown}` is not UTF-8: byte {error.object[error.start]:#04x} at {error.start} means nothing in it",
            "save the file as UTF-8",
            rule=UNREADABLE_SOURCE,
        ) from None


@without_collection()
def compile_files(paths: Sequence[Path], base: Path | None = None) -> Compiled:
    """Compile; paths are shown from `base`, by default the current folder. Raises Failure, OSError."""
    from jetpackc.check import compile_sources  # the compiler costs 100 ms to load

    sources = with_imports([read(path, base or Path()) for path in paths], base or Path())
    result = compile_sources(list(sources.values()))
    found = tuple((base or Path()) / path for path in sources)
    return Compiled(result.program, result.diagnostics, sources, found)


def with_imports(sources: Sequence[Source], base: Path) -> dict[str, Source]:
    """The sources and those they import, by path. A file that is not there is left for the compiler to report."""
    from jetpackc.check.imports import imports

    found = {source.path: source for source in sources}
    pending = list(sources)
    while pending:
        for path in imports(pending.pop()):
            if path in found or path.startswith("/"):
                continue
            file = Path(os.path.normpath(base / path))  # `base` may be a folder that is still to be made
            if file.is_file():
                found[path] = read(file, base)
                pending.append(found[path])
    return found


def report(compiled: Compiled, form: str, *, out: bool = False) -> None:
    """Print the diagnostics, on stderr, or on stdout where they are the command's result."""
    print_diagnostics(compiled.diagnostics, compiled.sources, form, out=out)


def print_diagnostics(
    diagnostics: Sequence[Diagnostic], sources: dict[str, Source], form: str = "text", *, out: bool = False
) -> None:
    """Print diagnostics in a format; for people with their number behind."""
    from jetpackc.diagnostics.render import FORMATS, summary

    stream = sys.stdout if out else sys.stderr
    click.echo(FORMATS[form](diagnostics, sources, color=colored(stream), width=columns(stream)), file=stream, nl=False)
    if form == "text" and diagnostics:
        say(summary(diagnostics))
        safe = sum(any(fix.safe for fix in found.fixes) for found in diagnostics)
        if safe:
            say(
                f"`jetpackc check --fix` mends {safe} of them"
                if len(diagnostics) > 1
                else "`jetpackc check --fix` mends it"
            )


def compile_or_fail(files: Sequence[Path], form: str = "text") -> tuple[ir.Program, Compiled]:
    """Compile and print what is to be said. Raises click.exceptions.Exit where there are errors."""
    compiled = compile_files(find(files))
    report(compiled, form)
    if compiled.program is None:
        raise click.exceptions.Exit(1)
    return compiled.program, compiled
