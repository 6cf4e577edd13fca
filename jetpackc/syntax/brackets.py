"""Brackets by themselves: which are open, and how deep they nest, in text that need not parse."""

from __future__ import annotations

from jetpackc.diagnostics.model import Diagnostic, Fix
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.records import dataclass
from jetpackc.source import Source
from jetpackc.syntax.scan import OPENING, brackets, end_of_last_token

MAX_DEPTH = 100
"""How deep brackets may nest: far beyond what anybody writes, and far from what a recursive walk can take."""


@dataclass(frozen=True, slots=True)
class Open:
    """A bracket that nothing closes, and where the text ends that it may hold: before what closes one around it."""

    bracket: str
    offset: int
    end: int


def unclosed(text: str) -> Open | None:
    """The bracket that was most likely forgotten to be closed; None where all are.

    Indentation tells: of two that one `}` could close, it closes the one whose line begins in its column. Else it is
    the innermost.
    """
    stack: list[tuple[str, int]] = []
    suspect: Open | None = None
    for offset, char in brackets(text):
        if char in OPENING:
            stack.append((char, offset))
        elif stack and char == OPENING[stack[-1][0]]:
            opening, place = stack.pop()
            if suspect is None and _leads(text, offset) and _indent(text, offset) < _indent(text, place):
                suspect = Open(opening, place, offset)
    if not stack:
        return None
    return suspect or Open(*stack[-1], len(text))


def unclosed_bracket(source: Source, start: int, end: int) -> Diagnostic | None:
    """What is to be said of a block with a bracket that nothing closes."""
    found = unclosed(source.text[start:end])
    if found is None:
        return None
    bracket, closing = found.bracket, OPENING[found.bracket]
    span = source.span(start + found.offset, start + found.offset + 1)
    fixes = (_close(source, start + found.offset, start + found.end),) if bracket == "{" else ()
    message, label, help = f"this `{bracket}` is never closed", f"no `{closing}` for it", f"add `{closing}`"
    return Diagnostic(rules.UNCLOSED_BRACKET, message, span, label, help="" if fixes else help, fixes=fixes)


def _close(source: Source, offset: int, end: int) -> Fix:
    """A `}` on the bracket's line, where something follows it there, else below what it holds."""
    text = source.text
    line_end = text.find("\n", offset)
    on_line = end_of_last_token(text, offset, line_end if line_end >= 0 else end)
    if on_line > offset + 1:
        place, added = on_line, " }"
    else:
        place, added = (
            end_of_last_token(text, offset, _held(text, offset, end)),
            f"\n{text[_line_start(text, offset) : offset]}",
        )
        added = added[: len(added) - len(added[1:].lstrip())] + "}"
    return Fix("close it here", source.span(place, place), added)


def _held(text: str, offset: int, end: int) -> int:
    """Where what a bracket holds ends by its indentation: before the next line that is indented no more than it is."""
    outer = _indent(text, offset)
    start = text.find("\n", offset) + 1
    while 0 < start < end:
        line_end = text.find("\n", start)
        line = text[start : line_end if line_end >= 0 else end]
        if line.strip() and len(line.expandtabs()) - len(line.expandtabs().lstrip()) <= outer:
            return start
        start = line_end + 1
    return end


def too_deep(source: Source, start: int, end: int) -> Diagnostic | None:
    """The first bracket of a part that nests too deeply."""
    depth = 0
    for offset, char in brackets(source.text[start:end]):
        depth += 1 if char in OPENING else -1
        if depth > MAX_DEPTH:
            message = f"brackets nest deeper than {MAX_DEPTH} levels"
            return Diagnostic(rules.SYNTAX_ERROR, message, source.span(start + offset, start + offset + 1), "too deep")
    return None


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _leads(text: str, offset: int) -> bool:
    """Whether nothing stands before it on its line."""
    return not text[_line_start(text, offset) : offset].strip()


def _indent(text: str, offset: int) -> int:
    """Columns of white space that the line of a place begins with."""
    line = text[_line_start(text, offset) : offset]
    return len(line.expandtabs()) - len(line.expandtabs().lstrip())
