"""What expressions come to inside Postgres: each operator and function, with null and at the edges."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from queue_client import Db

# Of an event with i = 7, m = -7, s = "Abc", none = null (int), nil = null (text), at and day in 2026, wait = 90 s.
EXPRESSIONS: list[tuple[str, str, Any]] = [
    ("i + 2 * 3", "int", 13),
    ("(i + 2) * 3", "int", 27),
    ("i - 2 - 3", "int", 2),
    ("-i + 1", "int", -6),
    ("i / 2", "int", 3),
    ("m / 2", "int", -3),
    ("i % 4", "int", 3),
    ("m % 4", "int", -3),
    ("i / 2.0", "numeric", Decimal("3.5")),
    ("(i as numeric) / 2", "numeric", Decimal("3.5")),
    ("(i as float) / 2", "float", 3.5),
    ("0.1 + 0.2", "numeric", Decimal("0.3")),
    ("none ?? 5", "int", 5),
    ("none ?? none ?? 6", "int", 6),
    ('s ++ "-" ++ s', "text", "Abc-Abc"),
    ('s ++ (nil ?? "")', "text", "Abc"),
    ("i as text", "text", "7"),
    ('"12" as int', "int", 12),
    ('"2026-02-03" as date', "date", date(2026, 2, 3)),
    ("i == 7 and not (i > 7) or false", "bool", True),
    ("i != 7", "bool", False),
    ("1 <= i", "bool", True),
    ("i in (1, 7)", "bool", True),
    ('s in ("x", "y")', "bool", False),
    ("none == 1", "bool?", None),
    ("none is null", "bool", True),
    ("none is not null", "bool", False),
    ("none == 1 or i == 7", "bool?", True),
    ("none == 1 and i == 8", "bool?", False),
    ("(none == 1) ?? false", "bool", False),
    ('"B" < "a"', "bool", True),
    ('"Z" < "\u00e9"', "bool", True),
    ("colour == red", "bool", True),
    ('colour as text ++ "!"', "text", "red!"),
    ("30s + 1m", "interval", timedelta(seconds=90)),
    ("1d", "interval", timedelta(hours=24)),
    ("wait * 2", "interval", timedelta(seconds=180)),
    ("at + 1d > at + 23h59m", "bool", True),
    ("at - (at - wait)", "interval", timedelta(seconds=90)),
    ("at as date", "date", date(2026, 3, 29)),
    ("length(s)", "int", 3),
    ("lower(s) ++ upper(s)", "text", "abcABC"),
    ('trim("  x ")', "text", "x"),
    ('replace(s, "b", "--")', "text", "A--c"),
    ('starts_with(s, "Ab")', "bool", True),
    ('starts_with(s, "%")', "bool", False),
    ("abs(m)", "int", 7),
    ("round(2.5)", "numeric", Decimal(3)),
    ("round(2.345, 2)", "numeric", Decimal("2.35")),
    ("ceil(2.1) + floor(2.9)", "numeric", Decimal(5)),
    ("min(i, m, 3)", "int", -7),
    ("max(i, m, 3)", "int", 7),
    ("9007199254740993 + 1", "bigint", 9007199254740994),
    ("id > 0 and depth == 0 and root == id and parent is null", "bool", True),
    ("state", "text", "a"),
    ("now() >= created_at", "bool", True),
]

FAILING = {
    "i / zero": psycopg.errors.DivisionByZero,
    "i % zero": psycopg.errors.DivisionByZero,
    "i + 2147483647": psycopg.errors.NumericValueOutOfRange,
    '(s ++ "1") as int': psycopg.errors.InvalidTextRepresentation,
}

FIELDS = "i: int, m: int, zero: int, s: text, none: int?, nil: text?, colour: colour, at: timestamptz, wait: interval"
EVENT = {
    **{"i": 7, "m": -7, "zero": 0, "s": "Abc", "colour": "red", "wait": "90 s"},
    "at": "2026-03-29T00:30:00Z",
}


def _var(number: int, kind: str) -> str:
    return f"  var r{number}: {kind.removesuffix('?')}?"


MACHINES = "\n".join(
    [
        "module m",
        "enum colour { red, green }",
        f"event GO({FIELDS})",
        *(f"event FAIL{number}({FIELDS})" for number in range(len(FAILING))),
        "machine calc {",
        *(_var(number, kind) for number, (_, kind, _) in enumerate(EXPRESSIONS)),
        "  var n: int = 0",
        "  initial state a {",
        "    on GO {",
        *(f"      set r{number} = {text}" for number, (text, _, _) in enumerate(EXPRESSIONS)),
        "    }",
        *(f"    on FAIL{number} {{ set n = {text} }}" for number, text in enumerate(FAILING)),
        "    on STOP -> b",
        "  }",
        "  final state b",
        "}",
    ]
)


def test_each_expression_comes_to_what_the_language_says(db: Db) -> None:
    db.run("set timezone = 'America/New_York'")
    id = db.create("calc")
    db.send("calc", id, "GO", EVENT)
    task = db.task("calc", id)
    found = {text: task[f"r{number}"] for number, (text, _, _) in enumerate(EXPRESSIONS)}
    assert found == {text: expected for text, _, expected in EXPRESSIONS}


@pytest.mark.parametrize("text", FAILING)
def test_what_cannot_be_computed_undoes_the_dispatch(db: Db, text: str) -> None:
    id = db.create("calc")
    before = db.task("calc", id)
    with pytest.raises(FAILING[text]):
        db.send("calc", id, f"FAIL{list(FAILING).index(text)}", EVENT)
    assert db.task("calc", id) == before
