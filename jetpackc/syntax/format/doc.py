"""Documents: text with places where a line may end, and the lines that come of it at a given width.

The algebra is that of Wadler, "A prettier printer" (2003), and the way through it Lindig's, "Strictly pretty" (2000):
a group goes on one line where it fits there with what follows up to the next possible break, else its own breaks are
taken. A group with a break in it that must be taken never fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from jetpackc.diagnostics.render.width import width_of
from jetpackc.records import dataclass

WIDTH = 96
"""The longest line that is written where there is another way, in columns. Comments do not count."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a line. `only` says in which mode it is there at all."""

    text: str
    width: int
    only: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a line, or `flat` where its group is on one line. Where the line is a lone `}`, `hug` keeps it."""

    flat: str = " "
    hard: bool = False
    blank: bool = False
    hug: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that is aligned with places of the same kind on adjacent lines, if it is not inside a line's group."""

    kind: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other, `indent` columns to the right of what is around it."""

    parts: tuple[Doc, ...]
    indent: int
    hard: bool


@dataclass(frozen=True, slots=True)
class Group:
    """On one line if it fits, and then `mark` is a Mark in front of it."""

    inside: Doc
    mark: str = ""

    @property
    def hard(self) -> bool:
        """Whether it cannot be on one line."""
        return is_hard(self.inside)


Doc = Text | Break | Mark | Sequence | Group


def is_hard(doc: Doc) -> bool:
    """Whether there is a break in it that must be taken."""
    return isinstance(doc, Break | Sequence | Group) and doc.hard


def text(written: str) -> Text:
    """A piece of code."""
    return Text(written, len(written) if written.isascii() else width_of(written))


def comment(written: str) -> Text:
    """A comment, for which no line is broken."""
    return Text(written, 0)


def sequence(parts: Iterable[Doc], indent: int = 0) -> Sequence:
    """One after the other."""
    found = tuple(parts)
    return Sequence(found, indent, any(is_hard(part) for part in found))


@dataclass(slots=True)
class Line:
    """A line that is written: its marks are kinds and offsets in the text."""

    indent: int = 0
    text: str = ""
    marks: list[tuple[str, int]] = field(default_factory=list)
    width: int = 0


Pending = tuple[int, bool, Doc]
"""Indentation, whether it is on one line, and what."""


def render(doc: Doc) -> list[Line]:
    """The lines, none of which ends in a space."""
    return _Renderer(doc).lines


class _Renderer:
    def __init__(self, doc: Doc) -> None:
        self.line = Line()
        self.lines = [self.line]
        self.pending: list[Pending] = [(0, False, doc)]
        while self.pending:
            self._put(*self.pending.pop())

    def _put(self, indent: int, flat: bool, doc: Doc) -> None:
        match doc:
            case Text():
                if not doc.only or (doc.only == "flat") == flat:
                    self._text(doc)
            case Break():
                self._break(indent, flat, doc)
            case Sequence(parts=parts):
                inner = indent + doc.indent
                self.pending.extend((inner, flat, part) for part in reversed(parts))
            case Group(inside=inside):
                fits = flat or (not is_hard(inside) and self._fits(inside))
                if fits and not flat and doc.mark:
                    self._put(indent, flat, Mark(doc.mark))
                self.pending.append((indent, fits, inside))
            case Mark(kind=kind):
                if not flat:
                    self.line.marks.append((kind, len(self.line.text)))

    def _text(self, doc: Text) -> None:
        self.line.text += doc.text
        self.line.width += doc.width

    def _break(self, indent: int, flat: bool, doc: Break) -> None:
        if flat or (doc.hug and self.line.text == "}"):
            self._text(text(doc.flat if flat else " "))
            return
        self.line.text = self.line.text.rstrip()
        if doc.blank:
            self.lines.append(Line())
        self.line = Line(indent, width=indent)
        self.lines.append(self.line)

    def _fits(self, inside: Doc) -> bool:
        """Whether it has room on this line with what follows up to the next break that may be taken there."""
        room = WIDTH - self.line.width
        ahead: list[tuple[bool, Doc]] = [(True, inside)]
        rest = len(self.pending)
        while room >= 0:
            if not ahead:
                rest -= 1
                if rest < 0:
                    return True
                _, flat, doc = self.pending[rest]
            else:
                flat, doc = ahead.pop()
            match doc:
                case Text():
                    if not doc.only or (doc.only == "flat") == flat:
                        room -= doc.width
                case Break():
                    if not flat:
                        return True
                    room -= len(doc.flat)
                case Sequence(parts=parts):
                    ahead.extend((flat, part) for part in reversed(parts))
                case Group(inside=inner):
                    ahead.append((flat, inner))
                case Mark():
                    pass
        return False
