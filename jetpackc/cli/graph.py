"""`graph`: draws machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.output import say
from jetpackc.cli.project import compile_or_fail, files_argument
from jetpackc.diagnostics.suggest import did_you_mean

if TYPE_CHECKING:
    from jetpackc.graph import Chart
    from jetpackc.ir import model as ir

_MERMAID = frozenset(("", ".mmd", ".mermaid", ".md", ".txt"))


@click.command()
@files_argument
@click.option("--machine", "names", multiple=True, metavar="NAME", help="Draw this one; may be repeated [all].")
@click.option("--format", "form", type=click.Choice(["mermaid", "dot", "svg"]), help="[by -o's ending, else mermaid]")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write this file [stdout].")
def graph(files: tuple[Path, ...], names: tuple[str, ...], form: str | None, out: Path | None) -> int:
    """Draw the machines of FILEs: states, what leads where and when, and what is spawned.

    \b
    jetpackc graph                                  # Mermaid, for a Markdown page
    jetpackc graph --machine checkout -o checkout.svg
    jetpackc graph --format dot | dot -Tpdf -o shop.pdf
    """
    wanted = form or _usual(out)
    program, _ = compile_or_fail(files)
    text = _drawn(_charts(program, names), wanted)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8", newline="\n")
        say(f"wrote {out}")
    return 0


def _usual(out: Path | None) -> str:
    """Raises Usage for an ending of something else."""
    if out is None or out.suffix.lower() in _MERMAID:
        return "mermaid"
    endings = {".svg": "svg", ".dot": "dot", ".gv": "dot"}
    if out.suffix.lower() not in endings:
        help = "it may end in `.svg`, `.dot`, `.mmd` or `.md`; or say `--format`"
        raise Usage(f"nothing is known to draw as `{out.suffix}`", help)
    return endings[out.suffix.lower()]


def _charts(program: ir.Program, names: tuple[str, ...]) -> list[Chart]:
    """Those named, else all. Raises Usage."""
    from jetpackc.graph import charts_of

    charts = list(charts_of(program))
    known = [chart.name for chart in charts]
    wanted = {_full(name, known) for name in names} or known
    if not charts:
        raise Usage("there is no machine to draw")
    return [chart for chart in charts if chart.name in wanted]


def _full(name: str, known: list[str]) -> str:
    """The full name of the machine meant. Raises Usage."""
    found = [full for full in known if name in (full, full.partition(".")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise Usage(f"several modules have a machine `{name}`", f"say which: {', '.join(found)}")
    near = did_you_mean(name, known) or did_you_mean(name, [full.partition(".")[2] for full in known])
    raise Usage(f"there is no machine `{name}`", f"did you mean `{near}`?" if near else f"there is {', '.join(known)}")


def _drawn(charts: list[Chart], form: str) -> str:
    """Raises Failure where nothing lays out a drawing."""
    from jetpackc.graph import LayoutError, dot, drawing, mermaid

    if form == "mermaid":
        return mermaid(charts)
    if form == "dot":
        return dot(charts)
    try:
        return drawing(charts)
    except LayoutError as error:
        raise Failure(str(error), error.help) from None
