"""Source text and places in it."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate

from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters in one source; line and column are 1-based and those of its start."""

    path: str
    start: int
    end: int
    line: int
    column: int

    def __contains__(self, other: Span) -> bool:
        """Whether all of `other` lies in this one."""
        return self.path == other.path and self.start <= other.start and other.end <= self.end

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.path, self.start, max(self.end, other.end), self.line, self.column)


@dataclass(frozen=True)
class Source:
    """One file's text. `path` is what messages and generated comments show: relative, with forward slashes."""

    path: str
    text: str

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offset of the first character of each line."""
        lengths = (len(line) + 1 for line in self.text.split("\n"))
        return (0, *accumulate(lengths))[:-1]

    def span(self, start: int, end: int) -> Span:
        """The span of `text[start:end]`."""
        line = bisect_right(self.line_starts, start)
        return Span(self.path, start, end, line, start - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its line end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")
