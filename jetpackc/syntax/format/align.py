"""Alignment: what is marked alike on adjacent lines stands below each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jetpackc.diagnostics.render.width import width_of
from jetpackc.records import dataclass
from jetpackc.syntax.format.doc import WIDTH, Line

_FURTHEST = 32
"""By how many columns at most a place moves: beyond that the eye does not follow the line."""

_KINDS = ("state", "on", "enter", "arm", "effects", "comment")
"""In the order in which they stand on a line."""


def align(lines: Sequence[Line]) -> None:
    """Fill lines up with spaces in front of their marks."""
    for kind in _KINDS:
        for run in _runs(lines, kind):
            furthest = max((place.column for place in run), default=0)
            for place in run:
                place.fill(furthest - place.column)


@dataclass(frozen=True, slots=True)
class _Place:
    """A mark on a line: its offset and its column."""

    line: Line
    offset: int
    column: int

    def fill(self, missing: int) -> None:
        """Move it to the right, with all behind it."""
        line = self.line
        line.text = f"{line.text[: self.offset]}{' ' * missing}{line.text[self.offset :]}"
        line.width += missing
        line.marks = [(kind, at + missing if at >= self.offset else at) for kind, at in line.marks]


@dataclass(slots=True)
class _Limits:
    """What lines can be aligned together: least and greatest column, and the longest that is behind the mark."""

    indent: int
    least: int
    most: int
    behind: int

    def joined(self, place: _Place, kind: str) -> bool:
        """Take a place in, if it can be."""
        line = place.line
        least, most = min(self.least, place.column), max(self.most, place.column)
        behind = max(self.behind, 0 if kind == "comment" else line.width - place.column)
        if line.indent != self.indent or most - least > _FURTHEST or (kind != "comment" and most + behind > WIDTH):
            return False
        self.least, self.most, self.behind = least, most, behind
        return True


def _runs(lines: Iterable[Line], kind: str) -> Iterator[list[_Place]]:
    """Places on adjacent lines, as many together as can be aligned."""
    run: list[_Place] = []
    limits: _Limits | None = None
    for line in lines:
        place = _place(line, kind)
        if place is not None and limits is not None and limits.joined(place, kind):
            run.append(place)
            continue
        yield run
        run = [place] if place else []
        limits = _Limits(line.indent, place.column, place.column, line.width - place.column) if place else None
    yield run


def _place(line: Line, kind: str) -> _Place | None:
    offset = next((at for name, at in line.marks if name == kind), None)
    if offset is None:
        return None
    before = line.text[:offset]
    return _Place(line, offset, line.indent + (offset if before.isascii() else width_of(before)))
