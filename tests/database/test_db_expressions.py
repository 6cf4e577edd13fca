"""What expressions come to inside Postgres: each operator and function, with null and at the edges."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from queue_client import Db

from jetpackc.check import compile_sources
from jetpackc.interpret import UndoneError, World
from jetpackc.source import Source
from jetpackc.values.text import Json

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
    ('ends_with(s, "bc")', "bool", True),
    ('ends_with(s, "")', "bool", True),
    ('ends_with("c", s)', "bool", False),
    ('contains(s, "b")', "bool", True),
    ('contains(s, "%")', "bool", False),
    ('contains(s, "")', "bool", True),
    ('split("a,b,,c", ",")', "text[]", ["a", "b", "", "c"]),
    ('split("", ",")', "text[]", []),
    ('split(s, "")', "text[]", ["Abc"]),
    ('join(["a", null, "b"], "-")', "text", "a-b"),
    ('join([], ",")', "text", ""),
    ('join(of: ts, with: ", ")', "text", "a, B"),
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
    # json
    ("c.firstName as text", "text", "Ada"),
    ('c["first name"] as text', "text", "Grace"),
    ("c.list[1] as int", "int", 20),
    ("c.list[i - 7] as int", "int", 10),
    ("c.list[0 - 1] as int", "int", None),
    ("c.list[-1]", "json", None),
    ("c.list[9] as int", "int", None),
    ("c.deep.er[0].est as bool", "bool", True),
    ("c.missing.er[0] as int", "int", None),
    ("c.nothing is null and c.missing is null", "bool", True),
    ("c.nothing as text", "text", None),
    ("c.n.x as text", "text", None),
    ("c.n as text", "text", "12"),
    ("c.list as text", "text", "[10, 20]"),
    ("c.n as int", "int", 12),
    ("(c.n as int) ?? 0 + 1", "int", 12),
    ("c.big as bigint", "bigint", 9007199254740993),
    ("c.price as numeric", "numeric", Decimal("12.50")),
    ("c.money as numeric", "numeric", Decimal("0.10")),
    ("c.n as float", "float", 12.0),
    ("c.day as date", "date", date(2026, 2, 3)),
    ("(c.at as timestamptz) == at", "bool", True),
    ("c.seconds as interval", "interval", timedelta(seconds=90)),
    ("c.wait as interval", "interval", timedelta(hours=1)),
    ("c.uuid as uuid as text", "text", "0198c0de-0000-7000-8000-000000000000"),
    ("c.colour as colour", "colour", "green"),
    ("(c.colour as colour) == green", "bool", True),
    ("c.list as int[]", "int[]", [10, 20]),
    ("c.texts as text[]", "text[]", ["a", None, "3"]),
    ("c.colours as colour[]", "colour[]", "{red,NULL}"),
    ("c.deep.er as json[]", "json[]", [{"est": True}]),
    ("length(c.list as int[] ?? [])", "int", 2),
    ("cn is null", "bool", True),
    ("cn.x as text", "text", None),
    ("cn ?? c.list", "json", [10, 20]),
    ("i as json", "json", 7),
    ("s as json", "json", "Abc"),
    ('"x" as json as text', "text", "x"),
    ("colour as json", "json", "red"),
    ("wait as json", "json", "00:01:30"),
    ("at as json", "json", "2026-03-29T00:30:00+00:00"),
    ("[1, 2] as json", "json", [1, 2]),
    ("none as json", "json", None),
    ("30s as json as interval", "interval", timedelta(seconds=30)),
    # arrays
    ("[1, 2]", "int[]", [1, 2]),
    ("[]", "text[]", []),
    ("[] as text[]", "text[]", []),
    ("[1, 2.5]", "numeric[]", [1, Decimal("2.5")]),
    ("[i, null, none]", "int[]", [7, None, None]),
    ("xs", "int[]", [1, 2, None]),
    ("xs[0]", "int", 1),
    ("xs[i - 6]", "int", 2),
    ("xs[2]", "int", None),
    ("xs[3]", "int", None),
    ("xs[-1]", "int", None),
    ("xs[2147483647]", "int", None),
    ("xs[i + 2147483640]", "int", None),
    ("xs[-2147483647 - 1]", "int", None),
    ('["x", "y"][1]', "text", "y"),
    ("length(xs) + length([] as int[])", "int", 3),
    ("xs ++ [4]", "int[]", [1, 2, None, 4]),
    ("[] ++ xs ++ []", "int[]", [1, 2, None]),
    ("[s] ++ ts", "text[]", ["Abc", "a", "B"]),
    ("2 in xs", "bool", True),
    ("9 in xs", "bool", False),
    ("not (9 in xs)", "bool", True),
    ("none in xs", "bool", None),
    ("1 in none_xs", "bool", None),
    ("1 in (none_xs ?? [1])", "bool", True),
    ('"a" in ts', "bool", True),
    ('s in ["Abc"]', "bool", True),
    ("i in [] ++ xs", "bool", False),
    ("red in colours", "bool", True),
    ("green in colours", "bool", False),
    ("colours[0] == red", "bool", True),
    ("colours ++ [green] == [red, green]", "bool", True),
    ("xs == [1, 2, null]", "bool", True),
    ("xs != [1, 2]", "bool", True),
    ("xs as text[]", "text[]", ["1", "2", None]),
    ('["1", "2"] as int[]', "int[]", [1, 2]),
    ("[colour.red] as text[]", "text[]", ["red"]),
    ('(["red"] as colour[])[0] == red', "bool", True),
    ("[30s, 1m][1]", "interval", timedelta(seconds=60)),
    ("none_xs", "int[]", None),
    ("none_xs[0]", "int", None),
    ("none_xs ?? [3]", "int[]", [3]),
    ("cs[0].x as int", "int", 5),
    ("cs[1] is null", "bool", True),
    ("(cs as json)[0].x as int", "int", 5),
]

FAILING = {
    "i / zero": psycopg.errors.DivisionByZero,
    "i % zero": psycopg.errors.DivisionByZero,
    "i + 2147483647": psycopg.errors.NumericValueOutOfRange,
    '(s ++ "1") as int': psycopg.errors.InvalidTextRepresentation,
    "(c.firstName as int) ?? 0": psycopg.errors.InvalidTextRepresentation,
    "(c.list as int) ?? 0": psycopg.errors.InvalidTextRepresentation,
    "(c.price as int) ?? 0": psycopg.errors.InvalidTextRepresentation,
    "(c.firstName as int[])[0] ?? 0": psycopg.errors.InvalidTextRepresentation,
    "length(c.texts as int[] ?? [])": psycopg.errors.InvalidTextRepresentation,
    'length((c.n as date) as text ?? "")': psycopg.errors.InvalidTextRepresentation,
    'length((c.n as bool) as text ?? "")': psycopg.errors.InvalidTextRepresentation,
    'length((c.firstName as colour) as text ?? "")': psycopg.errors.CheckViolation,
}

FIELDS = (
    "i: int, m: int, zero: int, s: text, none: int?, nil: text?, colour: colour, at: timestamptz, wait: interval, "
    "c: json, cn: json?, xs: int[], ts: text[], none_xs: int[]?, colours: colour[], cs: json[]"
)
EVENT = {
    **{"i": 7, "m": -7, "zero": 0, "s": "Abc", "colour": "red", "wait": "90 s"},
    "at": "2026-03-29T00:30:00Z",
    "xs": [1, 2, None],
    "ts": ["a", "B"],
    "colours": ["red"],
    "cs": [{"x": 5}, None],
    "cn": None,
    "c": {
        **{"firstName": "Ada", "first name": "Grace", "list": [10, 20], "nothing": None, "n": 12, "price": 12.50},
        **{"deep": {"er": [{"est": True}]}, "big": 9007199254740993, "money": "0.10", "day": "2026-02-03"},
        **{"at": "2026-03-29T02:30:00+02:00", "seconds": 90, "wait": "1h", "colour": "green"},
        **{"uuid": "0198c0de-0000-7000-8000-000000000000", "texts": ["a", None, 3], "colours": ["red", None]},
    },
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


def test_the_reference_interpreter_says_the_same() -> None:
    world, id = interpreted()
    world.send(id, "GO", EVENT, "test")
    found = {text: plain(world.tasks[id].vars[f"r{number}"]) for number, (text, _, _) in enumerate(EXPRESSIONS)}
    expected = {text: expected for text, _, expected in EXPRESSIONS}
    assert found == expected | {"c.colours as colour[]": ["red", None]}  # which psycopg does not read


@pytest.mark.parametrize("text", FAILING)
def test_the_reference_interpreter_fails_where_postgres_does(text: str) -> None:
    world, id = interpreted()
    before = dict(world.tasks)
    with pytest.raises(UndoneError) as raised:
        world.send(id, f"FAIL{list(FAILING).index(text)}", EVENT, "test")
    assert raised.value.sqlstate == FAILING[text].sqlstate
    assert world.tasks == before


def interpreted() -> tuple[World, int]:
    program = compile_sources([Source("workflows.jet", MACHINES)]).program
    assert program is not None
    world = World(program, datetime(2026, 1, 1, tzinfo=UTC))
    return world, world.create("m.calc", {}, "test")


def plain(value: Any) -> Any:
    """As psycopg reads it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Json) else value
