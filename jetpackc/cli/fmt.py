"""`fmt`: lays .jet files out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

import click

from jetpackc.cli.errors import Usage, missing
from jetpackc.cli.files import rewrite
from jetpackc.cli.output import say
from jetpackc.cli.project import decoded, print_diagnostics
from jetpackc.records import dataclass
from jetpackc.source import Source

_STDIN = Path("-")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class _Laid:
    """A text and what it is when it is laid out; None where it does not parse."""

    path: Path
    source: Source
    text: str | None

    @property
    def changes(self) -> bool:
        """Whether laying it out changes it."""
        return self.text is not None and self.text != self.source.text


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Write nothing; name the files that would change, and exit 1 if any would.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change, and exit 1 if anything would.")
def fmt(files: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Lay FILEs out, by default all .jet files in and below the current folder; `-` is stdin, written to stdout.

    A folder stands for all .jet files in it and below. A file that does not parse stays as it is. There are no options
    of style.

    \b
    jetpackc fmt
    jetpackc fmt --check            # for CI
    jetpackc fmt --diff shop.jet
    jetpackc fmt - < shop.jet       # for editors
    """
    if _STDIN in files and len(files) > 1:
        raise Usage("`-` goes with no other file", "name files, or pass one on stdin")
    found = [_laid_out(path) for path in _find(files or (Path(),))]
    changed = [one for one in found if one.changes]
    if diff:
        for one in changed:
            click.echo("".join(_diff(one)), nl=False)
    elif check:
        for one in changed:
            click.echo(one.source.path)
    else:
        for one in found:
            _write(one)
    if _STDIN not in files:
        _summarize(found, len(changed), "would change" if check or diff else "changed")
    return int(any(one.text is None for one in found) or (bool(changed) and (check or diff)))


def _find(files: Sequence[Path]) -> Iterator[Path]:
    """The files meant; folders that are hidden or hold what others wrote are left out. Raises Usage."""
    for path in files:
        if path == _STDIN or path.is_file():
            yield path
        elif path.is_dir():
            yield from sorted(_below(path))
        else:
            raise missing(path)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        yield from (Path(here, name) for name in names if name.endswith(".jet"))


def _laid_out(path: Path) -> _Laid:
    """One file, its diagnostics printed. Raises Failure, OSError."""
    from jetpackc.syntax import format_source  # the parser costs time to load

    is_stdin = path == _STDIN
    shown = "stdin" if is_stdin else path.as_posix()
    data = sys.stdin.buffer.read() if is_stdin else path.read_bytes()
    source = Source(shown, decoded(data, shown, "utf-8"))
    text, diagnostics = format_source(source)
    if diagnostics:
        print_diagnostics(diagnostics, {shown: source})
    return _Laid(path, source, text)


def _diff(one: _Laid) -> Iterator[str]:
    """A unified diff, one that `patch` can read where the last line has no end."""
    before, after = (_LINE.findall(text) for text in (one.source.text, one.text or ""))
    for line in unified_diff(before, after, one.source.path, one.source.path):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _write(one: _Laid) -> None:
    """Write what changed; what came from stdin goes to stdout in any case."""
    if one.path == _STDIN and one.text is not None:
        sys.stdout.buffer.write(one.text.encode())
    elif one.changes and one.text is not None:
        rewrite(one.path, one.source.text, one.text)
        say(f"{one.source.path}: changed")


def _summarize(found: Sequence[_Laid], changed: int, verb: str) -> None:
    if not found:
        raise Usage("there is no .jet file here", "name files or folders")
    broken = sum(one.text is None for one in found)
    counts = ((changed, verb), (len(found) - changed - broken, "as they should be"), (broken, "not parsed"))
    say(", ".join(f"{count} {what}" for count, what in counts if count))
