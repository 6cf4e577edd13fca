"""What all formats share: the order of the findings, their count, and where a span ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.source import Source, Span


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings by path and position, those of no place first, each once.

    An operator that is used twice is checked twice: what is wrong inside it is said once.
    """
    return sorted(dict.fromkeys(diagnostics), key=_place)


def _place(diagnostic: Diagnostic) -> tuple[str, int, str]:
    span = diagnostic.span
    return (span.path, span.start, diagnostic.rule.code) if span else ("", 0, diagnostic.rule.code)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """How many there are of each severity: `2 errors, 1 warning`."""
    found = in_order(diagnostics)
    errors = sum(diagnostic.is_error for diagnostic in found)
    parts = [_count(errors, "error"), _count(len(found) - errors, "warning")]
    return ", ".join(part for part in parts if part) or "no errors"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""


def end_of(span: Span, sources: Mapping[str, Source]) -> tuple[int, int] | None:
    """Line and column just behind the span's last character, 1-based; None when its source is not at hand."""
    source = sources.get(span.path)
    if source is None:
        return None
    end = source.span(span.end, span.end)
    return end.line, end.column


def printable(text: str) -> str:
    """The text with what a terminal would obey (escapes, changes of direction) replaced, each by one character."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _obeyed(char) else char for char in text)


def one_line(text: str) -> str:
    """`printable`, and no line end."""
    return " ".join(printable(text).splitlines())


def _obeyed(char: str) -> bool:
    return (char < " " and char not in "\t\n") or "\x7f" <= char <= "\x9f" or char in _DIRECTION


_DIRECTION = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)))
