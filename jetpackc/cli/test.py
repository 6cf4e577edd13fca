"""`test`: runs the `test` blocks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.database import check_dsn, connect, dsn_option
from jetpackc.cli.errors import Failure as CommandFailure, Usage
from jetpackc.cli.output import dim, fault, strong
from jetpackc.cli.project import Compiled, compile_files, files_argument, find, report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetpackc.ir import model as ir
    from jetpackc.testing import Failure, Outcome
    from jetpackc.testing.paths import Path as Transition


@click.command()
@files_argument
@click.option("-k", "only", metavar="TEXT", help="Only tests whose name has this in it.")
@dsn_option
@click.option("--paths", "with_paths", is_flag=True, help="Also tell which transitions no test takes.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Also write JUnit's XML there.")
def test(
    files: tuple[Path, ...],
    only: str | None,
    dsn: str | None,
    with_paths: bool,
    as_json: bool,
    junit: Path | None,
) -> int:
    """Run the tests in FILEs, by default those of the current folder and of its *_test.jet.

    \b
    jetpackc test
    jetpackc test -k "paid order"
    jetpackc test --paths
    jetpackc test shop_test.jet --json

    Each test has a database of its own, on the server of --dsn or the project's own; there, a clock stands still until
    the test says `advance`, and `stub`s answer in place of handlers. Exits 1 if a test fails.
    """
    from jetpackc.testing import run_tests

    paths = find(files, tests=True)
    compiled = compile_files(paths)
    report(compiled, "text")
    if compiled.program is None:
        return 1
    tests = _chosen(compiled, paths, only)
    outcomes = []
    with _server(dsn, paths[0].parent) as server:
        for outcome in run_tests(compiled.program, tests, server, compiled.sources):
            outcomes.append(outcome)
            if not as_json:
                _tell(outcome, compiled)
    _conclude(outcomes, compiled.program, compiled, with_paths=with_paths, as_json=as_json)
    if junit is not None:
        from jetpackc.testing.reports import as_junit

        junit.write_text(as_junit(outcomes, compiled.sources), encoding="utf-8")
    return int(any(outcome.failure for outcome in outcomes))


def _chosen(compiled: Compiled, paths: Sequence[Path], only: str | None) -> list[ir.Test]:
    """The tests that stand in the files meant, not in those that they import, and have the name. Raises Usage."""
    assert compiled.program is not None
    shown = set(list(compiled.sources)[: len(paths)])
    tests = [test for test in compiled.program.tests if test.span.path in shown]
    names = ", ".join(f"`{path}`" for path in paths)
    if not tests:
        raise CommandFailure(f"there is no test in {names}", 'write one: `test "what must hold" { … }`')
    found = [test for test in tests if only is None or only.lower() in test.name.lower()]
    if not found:
        raise Usage(f"no test has `{only}` in its name", f"there are {len(tests)}: {_listed(tests)}")
    return found


def _listed(tests: Sequence[ir.Test]) -> str:
    few = ", ".join(f"`{test.name}`" for test in tests[:5])
    return few if len(tests) <= 5 else f"{few}, …"


def _server(dsn: str | None, folder: Path) -> AbstractContextManager[str]:
    """A DSN where databases may be created."""
    if dsn is not None:
        check_dsn(dsn)
        connect(dsn).close()
        return nullcontext(dsn)
    from jetpackc.postgres import project_database

    return project_database(folder)


def _tell(outcome: Outcome, compiled: Compiled) -> None:
    mark = fault("FAIL") if outcome.failure else "ok  "
    click.echo(f"{mark}  {outcome.test.name}{dim(f'  {outcome.seconds:.2f} s')}")
    if outcome.failure is not None:
        click.echo(_failure(outcome.failure, compiled))


def _failure(failure: Failure, compiled: Compiled) -> str:
    import sys

    from jetpackc.cli.output import colored, columns
    from jetpackc.diagnostics.render import FORMATS

    said = FORMATS["text"]([failure.diagnostic], compiled.sources, color=colored(sys.stdout), width=columns(sys.stdout))
    stories = ["\n".join(one.lines(strong=strong, dim=dim, fault=fault)) for one in failure.stories]
    return "\n".join(("", said, *(f"{story}\n" for story in stories)))


def _conclude(
    outcomes: Sequence[Outcome], program: ir.Program, compiled: Compiled, *, with_paths: bool, as_json: bool
) -> None:
    from jetpackc.testing.paths import paths
    from jetpackc.testing.reports import as_json as printed

    taken = {hop for outcome in outcomes for hop in outcome.taken}
    found = paths(program, compiled.sources, taken) if with_paths else None
    if as_json:
        click.echo(printed(outcomes, found), nl=False)
        return
    failed = sum(outcome.failure is not None for outcome in outcomes)
    passed = f"{len(outcomes) - failed} passed"
    click.echo(strong(f"{passed}, {fault(f'{failed} failed')}" if failed else passed))
    if found is not None:
        click.echo("\n".join(_missed(found)))


def _missed(found: Sequence[tuple[Transition, bool]]) -> list[str]:
    from jetpackc.testing.reports import percent

    taken = sum(is_taken for _, is_taken in found)
    missed = [path for path, is_taken in found if not is_taken]
    lines = [f"transitions taken: {taken} of {len(found)} ({percent(taken, len(found)):g} %)"]
    width = max((len(str(path)) for path in missed), default=0)
    machine = ""
    for path in missed:
        if path.machine != machine:
            machine = path.machine
            lines.append(strong(f"no test of {machine} takes"))
        lines.append(f"  {path!s:<{width}}  {dim(f'{path.span.path}:{path.span.line}')}")
    return lines
