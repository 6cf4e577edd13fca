"""What a misspelled name was likely meant to be."""

from __future__ import annotations

from collections.abc import Collection

CONFUSED: dict[str, str] = {
    # words of statecharts in JavaScript
    "onenter": "enter",
    "onentry": "enter",
    "entry": "enter",
    "onexit": "exit",
    "onevent": "on",
    "then": "->",
    "target": "->",
    "goto": "->",
    "cond": "when",
    "if": "when",
    "elif": "else when",
    "elsif": "else when",
    "elseif": "else when",
    "states": "state",
    "context": "var",
    "let": "var",
    "const": "var",
    "scheduletask": "spawn",
    "createtask": "spawn",
    "extends": "is",
    "throw": "fail",
    # signs and words of other languages
    "=>": "->",
    "&&": "and",
    "||": "or",
    "!": "not",
    "===": "==",
    "!==": "!=",
    "<>": "!=",
    "none": "null",
    "nil": "null",
    "undefined": "null",
    "nothing": "null",
    "ctx": "var",
    "this": "var",
    "self": "var",
    # functions
    "len": "length",
    "size": "length",
    "char_length": "length",
    "strlen": "length",
    "greatest": "max",
    "least": "min",
    "ceiling": "ceil",
    "strip": "trim",
    "btrim": "trim",
    "startswith": "starts_with",
    "lowercase": "lower",
    "uppercase": "upper",
    # types of Postgres, Python and others
    "varchar": "text",
    "string": "text",
    "str": "text",
    "char": "text",
    "integer": "int",
    "int4": "int",
    "smallint": "int",
    "number": "numeric",
    "int8": "bigint",
    "long": "bigint",
    "serial": "bigint",
    "boolean": "bool",
    "timestamp": "timestamptz",
    "datetime": "timestamptz",
    "double": "float",
    "float8": "float",
    "real": "float",
    "jsonb": "json",
    "object": "json",
    "dict": "json",
    "decimal": "numeric",
    "money": "numeric",
    "bytea": "bytes",
    "blob": "bytes",
    "duration": "interval",
    "timedelta": "interval",
    "child": "children",
    "childs": "children",
    "kids": "children",
    "descendants": "subtree",
}

UNSURE = frozenset(
    (
        "char",
        "smallint",
        "serial",
        "timestamp",
        "number",
        "object",
        "dict",
        "money",
        "context",
        "ctx",
        "this",
        "self",
        "if",
        "child",
    )
)
"""Confusions that may be meant otherwise: a fix for one is not made unasked."""


def is_known(name: str, meant: str) -> bool:
    """Whether `meant` is what another language calls `name`, and nothing else."""
    return CONFUSED.get(name.lower()) == meant and name.lower() not in UNSURE


def did_you_mean(name: str, candidates: Collection[str]) -> str | None:
    """The candidate that was likely meant by `name`, or None when nothing is near.

    A known confusion comes first (`varchar` for `text`), then another case, then the nearest spelling.
    """
    known = CONFUSED.get(name.lower())
    if known is not None and known in candidates:
        return known
    folded = {candidate.lower(): candidate for candidate in sorted(candidates, reverse=True)}
    if name.lower() in folded and folded[name.lower()] != name:
        return folded[name.lower()]
    return _nearest(name, [candidate for candidate in candidates if candidate != name])


def _nearest(name: str, candidates: Collection[str]) -> str | None:
    """The candidate within a third of the longer word's length in edits, and not all of it; by distance, then name."""
    near: list[tuple[int, str]] = []
    for candidate in candidates:
        allowed = max(len(name), len(candidate), 3) // 3
        if abs(len(name) - len(candidate)) > allowed:
            continue
        distance = edit_distance(name.lower(), candidate.lower())
        if distance <= allowed and distance < min(len(name), len(candidate)):
            near.append((distance, candidate))
    return min(near)[1] if near else None


def edit_distance(left: str, right: str) -> int:
    """The least number of insertions, deletions, replacements and swaps of neighbours that turn one into the other.

    Damerau's distance in the restricted form (no part is edited twice), by dynamic programming over three rows.
    """
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, row, last = row, [i], before
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
