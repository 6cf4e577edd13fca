"""The values of literals: strings with their escapes, durations."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_DURATION_PART = re.compile(r"(\d+)(ms|s|m|h|d)")
_LONGEST = 2**63 // 1000
"""Postgres keeps an interval's time as microseconds in 64 bits."""
_DIGITS = len(str(_LONGEST))
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class BadEscapeError(ValueError):
    """An escape that means nothing. `offset` and `length` are its place in the text between the quotes."""

    def __init__(self, reason: str, offset: int, length: int) -> None:
        super().__init__(reason)
        self.offset = offset
        self.length = length


def unescape(text: str) -> str:
    r"""The value of what stands between two quotes: `\n`, `\t`, `\"`, `\\` and `\u{1F600}`. Raises BadEscapeError."""

    def value(found: re.Match[str]) -> str:
        code, simple = found[1], found[2]
        if code is None and simple in _SIMPLE:
            return _SIMPLE[simple]
        number = int(code, 16) if code is not None else -1
        if 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF:
            return chr(number)
        reason = "no character that Postgres can store" if code is not None else "no escape of this language"
        raise BadEscapeError(reason, found.start(), len(found[0]))

    return _ESCAPE.sub(value, text)


def escape(text: str) -> str:
    """The inverse: how a string is written."""
    for char, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(char, written)
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):X}}}" for char in text)


def milliseconds(text: str) -> int | None:
    """The length of `1h30m`; a day is 24 h. None where Postgres's interval does not reach."""
    parts = [(count, unit) for count, unit in _DURATION_PART.findall(text)]
    if any(len(count.lstrip("0")) > _DIGITS for count, _ in parts):
        return None
    total = sum(int(count) * _MILLISECONDS[unit] for count, unit in parts)
    return total if total < _LONGEST else None


def duration(total: int) -> str:
    """The inverse: the largest units first, `0s` for nothing."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, total = divmod(total, _MILLISECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
