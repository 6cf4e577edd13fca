"""Safe fixes, applied to the sources over and over until none is left. Pure: what to write is the shell's matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from jetpackc.check.compile import compile_sources
from jetpackc.diagnostics.model import Diagnostic, Fix
from jetpackc.source import Source
from jetpackc.syntax import parses

ROUNDS = 200
"""How often to look again. A block shows one mistake of its text at a time, so that each may cost a round."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A fix that was applied, and the finding that it mends, with its place in the text as it was then."""

    diagnostic: Diagnostic
    fix: Fix


@dataclass(frozen=True, slots=True)
class Mended:
    """A source, and what made it so."""

    source: Source
    applied: tuple[Applied, ...] = ()


def check(sources: Sequence[Source]) -> Sequence[Diagnostic]:
    """All that the compiler says of them."""
    return compile_sources(sources).diagnostics


Check = Callable[[Sequence[Source]], Sequence[Diagnostic]]


def mend(sources: Sequence[Source], check: Check = check) -> tuple[Mended, ...]:
    """The sources, in their order, with all safe fixes applied that lead to a text that parses.

    A source that would not parse in the end comes back as it last did, or as it was. Ends when nothing is left to
    apply, when fixes turn in a circle, and after `ROUNDS`.
    """
    files = [_File(source) for source in sources]
    seen: set[tuple[str, ...]] = set()
    while (texts := tuple(file.source.text for file in files)) not in seen and len(seen) < ROUNDS:
        seen.add(texts)
        found = check([file.source for file in files])
        for file in files:
            file.apply(safe_fixes(found, file.source.path))
    return tuple(file.good for file in files)


def safe_fixes(diagnostics: Iterable[Diagnostic], path: str) -> list[Applied]:
    """The first safe fix of each finding in a file."""
    fixes = ((diagnostic, next((fix for fix in diagnostic.fixes if fix.safe), None)) for diagnostic in diagnostics)
    return [Applied(diagnostic, fix) for diagnostic, fix in fixes if fix is not None and fix.span.path == path]


def apart(fixes: Iterable[Applied]) -> list[Applied]:
    """Those that can be applied at once: from left to right, none that touches one before it."""
    chosen: list[Applied] = []
    for one in sorted(fixes, key=lambda each: (each.fix.span.start, each.fix.span.end)):
        if not chosen or one.fix.span.start > chosen[-1].fix.span.end:
            chosen.append(one)
    return chosen


def edited(source: Source, fixes: Iterable[Fix]) -> Source:
    """The source with edits that stand apart, in the order of the text, and with the line ends that it has."""
    line_end = "\r\n" if "\r\n" in source.text else "\n"
    parts: list[str] = []
    end = 0
    for fix in fixes:
        parts += [source.text[end : fix.span.start], fix.replacement.replace("\n", line_end)]
        end = fix.span.end
    return Source(source.path, "".join(parts) + source.text[end:])


@dataclass
class _File:
    """A file being mended: as it stands now, and the last version that parses."""

    source: Source
    applied: list[Applied] = field(default_factory=list)
    good: Mended = field(init=False)

    def __post_init__(self) -> None:
        self.good = Mended(self.source)

    def apply(self, fixes: Sequence[Applied]) -> None:
        chosen = apart(fixes)
        if not chosen:
            return
        self.source = edited(self.source, [one.fix for one in chosen])
        self.applied += chosen
        if parses(self.source):
            self.good = Mended(self.source, tuple(self.applied))
