"""The tokens of a text that parses, and what stands between them: comments and line breaks, which no tree has."""

from __future__ import annotations

import re

from jetpackc.records import dataclass

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
      | (?P<space>\s+)
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_]* | [0-9][A-Za-z0-9_]*(?:\.[0-9]+)?)
      | (?P<sign>->|\.\.|[=!<>]=|\+\+|\?\? | .)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, by its number in the text; `start` and `end` are offsets."""

    number: int
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Gap:
    """What stands between two tokens.

    `trailing` is a comment behind the former on its line, `own` are comments on lines of their own, each with whether a
    blank line stands above it. `blank` tells the same of the latter token, `newline` whether the two are on one line.
    """

    trailing: str | None = None
    own: tuple[tuple[bool, str], ...] = ()
    blank: bool = False
    newline: bool = False

    @property
    def commented(self) -> bool:
        """Whether there are comments."""
        return self.trailing is not None or bool(self.own)


@dataclass(frozen=True, slots=True)
class Tokens:
    """All of a text: a gap before each token, and one at the end."""

    tokens: tuple[Token, ...]
    gaps: tuple[Gap, ...]


def scan(text: str) -> Tokens:
    """The tokens of a text; nothing in it is judged."""
    tokens: list[Token] = []
    gaps = [Gap()]
    breaks = 0
    for found in _TOKEN.finditer(text):
        gap, written = gaps[-1], found[0]
        if found.lastgroup == "space":
            breaks += written.count("\n")
            continue
        gap.newline |= breaks > 0
        if found.lastgroup == "comment":
            _comment(gap, written.rstrip(), breaks, first=not tokens)
        else:
            gap.blank = breaks > 1
            tokens.append(Token(len(tokens), written, *found.span()))
            gaps.append(Gap())
        breaks = 0
    gaps[-1].newline |= breaks > 0
    return Tokens(tuple(tokens), tuple(gaps))


def _comment(gap: Gap, text: str, breaks: int, *, first: bool) -> None:
    if breaks == 0 and not gap.own and gap.trailing is None and not first:
        gap.trailing = text
    else:
        gap.own += ((breaks > 1, text),)
