"""Pieces of SQL text: identifiers, literals, types. What is not of type `Sql` cannot get into a template unquoted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache

from jetpackc.emit.keywords import RESERVED
from jetpackc.ir.model import Type

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
# What some migration runner would read as its own: Alembic and SQLAlchemy bind names (`:name`), psycopg placeholders
# (`%`), Django and JDBC (`?`), Flyway (`${`); a line end or a backslash would not survive every re-indentation.
_UNSAFE = re.compile(r"[%?\\!\x00-\x1f\x7f]|:(?=[A-Za-z_])|\$(?=[{A-Za-z_$])")

ARGUMENT_PAIRS = 50
"""Keys with values that one call takes: Postgres allows a function 100 arguments."""

_TYPES = {
    "bool": "boolean",
    "int": "integer",
    "bigint": "bigint",
    "float": "double precision",
    "numeric": "numeric",
    "text": "text",
    "uuid": "uuid",
    "timestamptz": "timestamptz",
    "date": "date",
    "interval": "interval",
    "json": "jsonb",
    "bytes": "bytea",
    "null": "text",
}
_UNITS = (("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1))


class Sql(str):
    """Text that is SQL already."""

    __slots__ = ()


@lru_cache(maxsize=4096)
def ident(name: str) -> Sql:
    """A name, quoted where Postgres asks for it.

    >>> ident("cart"), ident("order"), ident("charging.ready")
    ('cart', '"order"', '"charging.ready"')
    """
    if _PLAIN.fullmatch(name) and name not in RESERVED:
        return Sql(name)
    return Sql('"' + name.replace('"', '""') + '"')


@lru_cache(maxsize=4096)
def qualified(schema: str, name: str) -> Sql:
    """`schema.name`, each quoted where needed."""
    return Sql(f"{ident(schema)}.{ident(name)}")


@lru_cache(maxsize=4096)
def literal(text: str) -> Sql:
    """A string constant that every migration runner passes on verbatim.

    >>> literal("it's"), literal("100%")
    ("'it''s'", "U&'100!0025' uescape '!'")
    """
    if not _UNSAFE.search(text):
        return Sql("'" + text.replace("'", "''") + "'")
    escaped = _UNSAFE.sub(lambda found: f"!{ord(found[0]):04X}", text)
    return Sql("U&'" + escaped.replace("'", "''") + "' uescape '!'")


def json_literal(value: object) -> Sql:
    """A jsonb constant; the space behind each colon keeps it from reading as a bound name."""
    return Sql(literal(json.dumps(value, ensure_ascii=False, separators=(", ", ": "))) + "::jsonb")


def json_object(members: Sequence[tuple[str, str]]) -> Sql:
    """A jsonb object of keys and SQL values, in as many calls as Postgres's limit of 100 arguments asks for."""
    pairs = [f"{literal(key)}, {value}" for key, value in members]
    groups = [pairs[start : start + ARGUMENT_PAIRS] for start in range(0, len(pairs), ARGUMENT_PAIRS)] or [[]]
    return Sql(" || ".join(f"jsonb_build_object({', '.join(group)})" for group in groups))


def comment(text: str) -> Sql:
    """Text for a `--` comment: one line, without what a migration runner would take for its own."""
    return Sql(_UNSAFE.sub(" ", text))


def array_literal(names: tuple[str, ...]) -> Sql:
    """`array['a', 'b']::text[]`."""
    return Sql(f"array[{', '.join(literal(name) for name in names)}]::text[]")


def interval_literal(milliseconds: int) -> Sql:
    """A duration; days are spelled in hours, since a `.jet` day is 24 h whatever the time zone does.

    >>> interval_literal(5_400_000)
    "interval '1 h 30 min'"
    """
    parts, rest = [], abs(milliseconds)
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{'-' if milliseconds < 0 else ''}{count} {unit}")
    return Sql(f"interval '{' '.join(parts) or '0 s'}'")


def sql_type(type_: Type, schema: str) -> Sql:
    """The column type."""
    module, _, enum = type_.enum.rpartition(".")
    base = qualified(module or schema, enum) if type_.kind == "enum" else Sql(_TYPES[type_.kind])
    return Sql(f"{base}[]") if type_.array else base


def wrap_list(values: list[str], width: int = 110) -> list[str]:
    """Comma-separated values as lines of at most `width`, as far as single values allow."""
    lines, line = [], ""
    for index, value in enumerate(values, 1):
        piece = value if index == len(values) else f"{value},"
        if line and len(line) + len(piece) >= width:
            lines.append(line)
            line = piece
        else:
            line = f"{line} {piece}" if line else piece
    return [*lines, line]


def from_json(container: str, name: str, type_: Type, schema: str) -> Sql:
    """The typed value of one member of a jsonb object; JSON's null and a missing member are both null."""
    if type_.array:
        return array_from_json(Sql(f"{container} -> {literal(name)}"), type_, schema)
    if type_.kind == "json":
        return Sql(f"nullif({container} -> {literal(name)}, 'null'::jsonb)")
    text = f"{container} ->> {literal(name)}"
    return Sql(f"({text})") if type_.kind == "text" else Sql(f"({text})::{sql_type(type_, schema)}")


def scalar_from_json(value: Sql, type_: Type, schema: str) -> Sql:
    """The typed value of any json value; an error where it is of another kind."""
    return Sql(f"jet.scalar({value}, {literal(kind_name(type_))})::{sql_type(type_, schema)}")


def array_from_json(value: Sql, type_: Type, schema: str) -> Sql:
    """The array of a json array."""
    if type_.kind == "json":
        return Sql(f"jet.values({value})")
    return Sql(f"jet.items({value}, {literal(kind_name(type_))})::{sql_type(type_, schema)}")


def kind_name(type_: Type) -> str:
    """What messages call one value of it."""
    return type_.enum or type_.kind
