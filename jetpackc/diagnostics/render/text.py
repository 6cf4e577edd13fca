"""For people: the message, the source lines that matter with carets below, notes, the way out, and fixes as a diff.

error[J101]: no state `runing` in machine `mail`
  --> workflows.jet:14:16
   |
14 |   on GO -> runing
   |            ^^^^^^ did you mean `running`?
   |
   = help: the states of `mail` are `ready` and `running`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap

from jetpackc.diagnostics.model import Diagnostic, Fix, Label
from jetpackc.diagnostics.render.order import end_of, in_order, one_line, printable
from jetpackc.diagnostics.render.paint import Paint
from jetpackc.diagnostics.render.width import shown, width_of
from jetpackc.records import dataclass
from jetpackc.source import Source

_LEAST = 20
"""Columns below which a terminal is no guide."""


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """The findings with their excerpts, a blank line between them."""
    blocks = (_Block(diagnostic, sources, Paint(color), width).lines() for diagnostic in in_order(diagnostics))
    return "\n".join("".join(f"{line.rstrip()}\n" for line in block) for block in blocks)


@dataclass(frozen=True, slots=True)
class View:
    """What is seen of a line: its characters from `start` to `end`."""

    text: str
    start: int
    end: int

    @property
    def shown(self) -> str:
        """It, with an ellipsis in place of the last character where something is cut off."""
        left = "…" if self.start else ""
        right = "…" if self.end < len(self.text) else ""
        return left + self.text[self.start + len(left) : self.end - len(right)] + right


@dataclass(frozen=True)
class _Block:
    """One finding being drawn."""

    diagnostic: Diagnostic
    sources: Mapping[str, Source]
    paint: Paint
    width: int

    def lines(self) -> Iterator[str]:
        rule, paint = self.diagnostic.rule, self.paint
        title = paint.severity(f"{rule.severity.value}[{rule.code}]", rule.severity)
        yield title + paint.strong(f": {one_line(self.diagnostic.message)}")
        yield from self._places()
        yield from self._advice()
        for fix in self.diagnostic.fixes:
            yield from self._fix(fix)

    # ------------------------------------------------------------ excerpts

    def _places(self) -> Iterator[str]:
        """The primary place's file first, then other files that have secondary labels."""
        if self.diagnostic.span is None:
            return
        primary = Label(self.diagnostic.span, self.diagnostic.label)
        here = primary.span.path
        labels = [primary, *self.diagnostic.secondary]
        yield from self._file("-->", [label for label in labels if label.span.path == here], primary)
        others = sorted((label for label in labels if label.span.path != here), key=_position)
        for _, group in groupby(others, key=lambda label: label.span.path):
            yield from self._file(":::", list(group), primary)

    def _file(self, arrow: str, labels: list[Label], primary: Label) -> Iterator[str]:
        first = labels[0].span
        place = f"{one_line(first.path)}:{first.line}:{first.column}"
        yield f"{' ' * self._gutter}{self.paint.gutter(arrow)} {place}"
        source = self.sources.get(first.path)
        if source is None:
            yield from (self._bar(one_line(label.text)) for label in labels if label.text)
            return
        yield self._bar("")
        before = None
        for number, group in groupby(sorted(labels, key=_line), key=_line):
            if before is not None and number > before + 1:
                yield self.paint.gutter("...")
            before = number
            marked = list(group)
            view = self._view(source.line(number), next((label for label in marked if label is primary), marked[0]))
            yield self._numbered(number, view.shown)
            for label in marked:
                yield self._mark(label, source, view, primary=label is primary)

    def _view(self, text: str, label: Label) -> View:
        """The part of a line that the terminal is wide enough for, around what is marked."""
        room = self.width - self._gutter - len(" | ")
        if not self.width or room < _LEAST or width_of(printable(text)) <= room:
            return View(text, 0, len(text))
        at = label.span.column - 1
        start = 0 if at < room * 2 // 3 else at - room // 3
        return View(text, start, min(start + room, len(text)))

    def _mark(self, label: Label, source: Source, view: View, *, primary: bool) -> str:
        """The row of carets under a line, and what they say; a span of several lines is marked on its first."""
        text = source.line(label.span.line)
        start = min(max(label.span.column - 1, view.start), view.end)
        end = min(label.span.column - 1 + label.span.end - label.span.start, len(text.rstrip()), view.end)
        column = width_of(printable(text[view.start : start]))
        length = max(1, width_of(printable(text[start:end])))
        row = f"{('^' if primary else '-') * length} {one_line(label.text)}".rstrip()
        severity = self.diagnostic.rule.severity
        return self._bar(" " * column + (self.paint.severity(row, severity) if primary else self.paint.gutter(row)))

    # ------------------------------------------------------------ advice

    def _advice(self) -> Iterator[str]:
        said = [("note", note) for note in self.diagnostic.notes]
        if self.diagnostic.help:
            said.append(("help", self.diagnostic.help))
        if (said or self.diagnostic.fixes) and self.diagnostic.span:
            yield self._bar("")
        for kind, text in said:
            yield from self._remark(kind, text)

    def _remark(self, kind: str, text: str) -> Iterator[str]:
        head = f"{' ' * (self._gutter + 1)}{self.paint.gutter('=')} {self.paint.strong(kind)}: "
        indent = " " * (self._gutter + 1 + len("= : ") + len(kind))
        first, *rest = self._wrapped(printable(text), self.width - len(indent)) or [""]
        yield head + first
        yield from (indent + line for line in rest)

    def _wrapped(self, text: str, room: int) -> list[str]:
        """Its lines, broken between words where the terminal is not wide enough."""
        if not self.width or room < _LEAST:
            return text.splitlines()
        lines = (wrap(line, room, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())
        return [part for parts in lines for part in parts or [""]]

    def _fix(self, fix: Fix) -> Iterator[str]:
        """The edit as a diff of the lines that it touches."""
        yield from self._remark("fix", fix.title)
        source = self.sources.get(fix.span.path)
        if source is None:
            return
        number, old, new = edited(fix, source)
        for offset, line in enumerate(old):
            yield self.paint.removed(f"{number + offset:>{self._gutter}} - {shown(printable(line))}")
        for offset, line in enumerate(new):
            yield self.paint.added(f"{number + offset:>{self._gutter}} + {shown(printable(line))}")

    # ------------------------------------------------------------ the gutter

    @property
    def _gutter(self) -> int:
        """Digits of the greatest line number that the finding shows."""
        spans = [label.span for label in self.diagnostic.secondary]
        numbers = [span.line for span in [*spans, self.diagnostic.span] if span]
        numbers += [fix.span.line + fix.replacement.count("\n") for fix in self.diagnostic.fixes]
        numbers += [end[0] for fix in self.diagnostic.fixes if (end := end_of(fix.span, self.sources))]
        return len(str(max(numbers, default=1)))

    def _bar(self, text: str) -> str:
        return f"{' ' * (self._gutter + 1)}{self.paint.gutter('|')} {text}"

    def _numbered(self, number: int, text: str) -> str:
        return f"{self.paint.gutter(f'{number:>{self._gutter}} |')} {shown(printable(text))}"


def edited(fix: Fix, source: Source) -> tuple[int, list[str], list[str]]:
    """What a fix changes, in whole lines: the first one's number, the lines as they are, the lines as they would be."""
    start = source.line_starts[fix.span.line - 1]
    end = source.text.find("\n", fix.span.end)
    end = len(source.text) if end < 0 else end
    old = _split(source.text[start:end])
    new = _split(source.text[start : fix.span.start] + fix.replacement + source.text[fix.span.end : end])
    number = fix.span.line
    while old and new and old[0] == new[0]:
        number, old, new = number + 1, old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return number, old, new


def _split(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.split("\n")]


def _line(label: Label) -> int:
    return label.span.line


def _position(label: Label) -> tuple[str, int]:
    return label.span.path, label.span.start
