"""`check --fix` and `check --diff`: safe fixes, written to the files or only shown."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import unified_diff
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.files import rewrite
from jetpackc.cli.output import say
from jetpackc.cli.project import read, with_imports

if TYPE_CHECKING:
    from jetpackc.check.mend import Mended
    from jetpackc.source import Source


def fix_files(paths: Sequence[Path]) -> None:
    """Apply safe fixes to files, and say on stderr which. Raises Failure, OSError."""
    for path, before, mended in _mended(paths):
        if mended.source.text != before.text:
            rewrite(path, before.text, mended.source.text)
            _tell("fixed", mended)


def print_diff(paths: Sequence[Path]) -> None:
    """Print what safe fixes would change, as a unified diff. Raises Failure, OSError."""
    for _, before, mended in _mended(paths):
        old, new = (StringIO(text, newline="\n").readlines() for text in (before.text, mended.source.text))
        for line in unified_diff(old, new, f"a/{before.path}", f"b/{before.path}"):
            click.echo(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n", nl=False)
        _tell("would fix", mended)


def _mended(paths: Sequence[Path]) -> list[tuple[Path, Source, Mended]]:
    """Only the files that are named; what they import is read along, so that names mean what they do."""
    from jetpackc.check import compile_sources
    from jetpackc.check.mend import mend

    sources = [read(path, Path()) for path in paths]
    named = {source.path for source in sources}
    beside = [source for path, source in with_imports(sources, Path()).items() if path not in named]
    mended = mend(sources, lambda current: compile_sources([*current, *beside]).diagnostics)
    return list(zip(paths, sources, mended, strict=True))


def _tell(verb: str, mended: Mended) -> None:
    for applied in mended.applied:
        span, code = applied.fix.span, applied.diagnostic.rule.code
        say(f"{verb} {span.path}:{span.line}: {applied.fix.title} [{code}]")
