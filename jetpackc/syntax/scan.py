"""Text that need not parse, token by token: enough to tell brackets and words from strings and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

KEYWORDS = frozenset(
    ("module", "import", "enum", "event", "operator", "template", "machine", "schedule", "allow", "test"),
)
"""The words that a top-level block begins with."""

OPENING = {"(": ")", "[": "]", "{": "}"}
CLOSING = frozenset(OPENING.values())

_WHOLE = r"""
      (?P<skip> //[^\n]* )
    | (?P<foreign> /\*(?:[^*]|\*(?!/))*(?:\*/)? | \#[^\n]*(?:\n[ \t]*\#[^\n]*)* | (?<![^\n])--[^\n]*(?:\n--[^\n]*)* )
    | "(?:\\[^\n]|[^"\\\n])*"? | '[^'\n]*'
    """
"""Comments and strings, in which a bracket is none."""
_TOKEN = re.compile(rf"{_WHOLE} | \w+ | [^\s\w]", re.VERBOSE)
_BRACKET = re.compile(rf"{_WHOLE} | (?P<bracket> [()\[\]{{}}] )", re.VERBOSE)
_MEMBERS = frozenset(
    (
        *(
            "var",
            "unique",
            "limit",
            "fair",
            "priority",
            "keep",
            "removed",
            "initial",
            "final",
            "failure",
            "state",
            "step",
        ),
        *("enter", "exit", "on", "after", "at", "run", "timeout", "ignore", "defer", "return"),
        *("create", "send", "advance", "expect", "stub"),
    )
)
_GO_ON = frozenset(
    (
        "is",
        "was",
        "in",
        "every",
        "cron",
        "because",
        "missed",
        "or",
        "and",
        "not",
        "when",
        "else",
        "set",
        "spawn",
        "as",
        "for",
    )
)
_KEYWORD = re.compile(rf"^(?:{'|'.join(sorted(KEYWORDS))})\b", re.MULTILINE)
_NAMED = KEYWORDS - {"import", "allow", "test"} | {"is", "was", "missed"}


def tokens(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of each token but comments. Comments of other languages are tokens, each whole."""
    return ((found.start(), found[0]) for found in _TOKEN.finditer(text) if found.lastgroup != "skip")


def brackets(text: str) -> Iterator[tuple[int, str]]:
    """Brackets outside of strings and comments, with their places."""
    return ((found.start(), found[0]) for found in _BRACKET.finditer(text) if found.lastgroup == "bracket")


def end_of_last_token(text: str, start: int, end: int) -> int:
    """Where the last token of `text[start:end]` ends; `start` where there is none."""
    last = start
    for offset, token in tokens(text[start:end]):
        last = start + offset + len(token)
    return last


def heads(text: str) -> list[int]:
    """Where lines begin that look like the head of a top-level block."""
    return [found.start() for found in _KEYWORD.finditer(text)]


def block_starts(text: str) -> list[int]:
    """Where top-level blocks begin, as far as text shows that does not parse.

    A keyword where no bracket is open; one in the first column, whatever is open, for there a bracket was forgotten. In
    the first column any other word as well that neither goes on nor belongs inside, unless the block is not indented.
    """
    starts: list[int] = []
    depth, before, flat = 0, "", False
    for offset, word in tokens(text):
        if word in OPENING:
            depth += 1
        elif word in CLOSING:
            depth = max(depth - 1, 0)
        elif _begins(text, offset, word, depth, before) and not (flat and depth and word not in KEYWORDS):
            starts.append(offset)
            depth, before, flat = 0, word, False
            continue
        flat = flat or (depth > 0 and word in _MEMBERS and _in_first_column(text, offset))
        before = "" if before in _NAMED and word in KEYWORDS else word
    return starts


def _begins(text: str, offset: int, word: str, depth: int, before: str) -> bool:
    if not _in_first_column(text, offset):
        return word in KEYWORDS and depth == 0 and before not in _NAMED
    if word in KEYWORDS:
        return depth == 0 or (word != "allow" and not _FIELD.match(text, offset))
    if word[0] in "#/@-":
        return depth == 0
    is_head = bool(_HEAD.match(text, offset)) and word not in _MEMBERS | _GO_ON
    return is_head or (depth == 0 and before not in _NAMED and word.isidentifier() and word not in _MEMBERS | _GO_ON)


def _in_first_column(text: str, offset: int) -> bool:
    return offset == 0 or text[offset - 1] == "\n"


_FIELD = re.compile(r"\w+\s*[:=,.)]")
_HEAD = re.compile(r"[^\W\d]\w*[ \t]+[^\W\d]\w*")
"""Two words: what a block begins with, and no value."""
