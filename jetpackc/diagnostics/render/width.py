"""How many columns of a terminal a text takes, so that carets stand below what they mean."""

from __future__ import annotations

import unicodedata

TAB = 4


def shown(text: str) -> str:
    """The text as it is printed: a tab is always as wide as `TAB` spaces, wherever it stands."""
    return text.replace("\t", " " * TAB)


def width_of(text: str) -> int:
    """Columns of `shown(text)`: two for a wide character (UAX 11: W and F), none for a combining one."""
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if char == "\t":
        return TAB
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
