"""`check`, `expand`, `ir`, `explain`: what the compiler knows, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.errors import Usage
from jetpackc.cli.handlers import HANDLERS_HELP, missing_handlers, put_on_path
from jetpackc.cli.output import say
from jetpackc.cli.project import (
    compile_files,
    compile_or_fail,
    files_argument,
    find,
    format_option,
    print_diagnostics,
    read,
)

if TYPE_CHECKING:
    from jetpackc.diagnostics.model import Diagnostic


@click.command()
@files_argument
@format_option
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--handlers", metavar="PKG", help=f"Also import what `run` names. {HANDLERS_HELP}")
@click.option("--fix", is_flag=True, help="First apply the fixes that are safe.")
@click.option("--diff", is_flag=True, help="Only print what --fix would change.")
def check(files: tuple[Path, ...], form: str, strict: bool, handlers: str | None, fix: bool, diff: bool) -> int:
    """Find mistakes in FILEs, by default those of the current folder.

    \b
    jetpackc check
    jetpackc check shop.jet mail.jet --format github
    jetpackc check --handlers shop        # and look whether the handlers are there
    jetpackc check --fix                  # mend what can be mended without asking
    """
    paths = find(files, tests=True)
    if diff or fix:
        from jetpackc.cli.mend import fix_files, print_diff

        (print_diff if diff else fix_files)(paths)
    compiled = compile_files(paths)
    diagnostics = compiled.diagnostics
    if handlers is not None and compiled.program is not None:
        put_on_path(handlers)
        diagnostics += missing_handlers(compiled.program)
    if diff:
        return _exit_code(diagnostics, strict)
    print_diagnostics(diagnostics, compiled.sources, form, out=True)
    if not diagnostics and form == "text":
        say(f"{', '.join(compiled.sources)}: no mistakes found")
    return _exit_code(diagnostics, strict)


def _exit_code(diagnostics: Sequence[Diagnostic], strict: bool) -> int:
    return int((strict and bool(diagnostics)) or any(found.is_error for found in diagnostics))


@click.command()
@files_argument
def expand(files: tuple[Path, ...]) -> int:
    """Print FILEs as plain .jet, in which templates, steps and operators are written out.

    \b
    jetpackc expand
    """
    from jetpackc.check.expansion import expand as expanded
    from jetpackc.check.report import Report
    from jetpackc.syntax import parse, print_file

    _, compiled = compile_or_fail(files)
    trees = [parse(read(path, Path()))[0] for path in compiled.paths]
    click.echo("\n".join(print_file(tree) for tree in expanded(trees, Report())), nl=False)
    return 0


@click.command()
@files_argument
def ir(files: tuple[Path, ...]) -> int:
    """Print the compiled program of FILEs as canonical JSON.

    \b
    jetpackc ir | jq '.program.modules[].machines[].name'
    """
    from jetpackc.ir import canonical

    program, _ = compile_or_fail(files)
    click.echo(canonical.dumps(program), nl=False)
    return 0


@click.command()
@click.argument("code")
def explain(code: str) -> int:
    """Explain CODE, the code or name of a diagnostic.

    \b
    jetpackc explain J101
    jetpackc explain unknown-state
    """
    from jetpackc.diagnostics.explain import UnknownCodeError, page

    try:
        click.echo(page(code), nl=False)
    except UnknownCodeError as error:
        raise Usage(str(error), "codes stand in brackets in front of a message: error[J101]") from None
    return 0
