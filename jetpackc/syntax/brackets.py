"""Brackets by themselves: which are open, and how deep they nest, in text that need not parse."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source

MAX_DEPTH = 100
"""How deep brackets may nest: far beyond what anybody writes, and far from what a recursive walk can take."""

_TOKENS = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|[()\[\]{}]')
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def innermost_open(text: str) -> tuple[str, str, int] | None:
    """The innermost bracket that nothing closes: it, what would close it, and its offset."""
    stack: list[tuple[str, int]] = []
    for offset, char in _brackets(text):
        if char in _CLOSING:
            stack.append((char, offset))
        elif stack and char == _CLOSING[stack[-1][0]]:
            stack.pop()
    return (stack[-1][0], _CLOSING[stack[-1][0]], stack[-1][1]) if stack else None


def too_deep(source: Source) -> Diagnostic | None:
    """The first bracket that nests too deeply."""
    depth = 0
    for offset, char in _brackets(source.text):
        depth += 1 if char in _CLOSING else -1
        if depth > MAX_DEPTH:
            message = f"brackets nest deeper than {MAX_DEPTH} levels"
            return Diagnostic(rules.SYNTAX_ERROR, message, source.span(offset, offset + 1), "too deep")
    return None


def _brackets(text: str) -> Iterator[tuple[int, str]]:
    """Brackets outside strings and comments, with their places."""
    return ((found.start(), found[0]) for found in _TOKENS.finditer(text) if found[0][0] not in '"/')
