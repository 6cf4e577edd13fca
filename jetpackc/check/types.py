"""The types of the language: how they read, which fit where, and what the operators make of them.

The rules are strict. Numbers widen (int, bigint, numeric, float) and nothing else converts unasked; `x as type` asks.
Dates are read in UTC: `date + interval` is a timestamptz, counted from midnight UTC.
"""

from __future__ import annotations

from math import isinf

from jetpackc.ir.model import Type, TypeKind
from jetpackc.records import replace

BOOL = Type("bool")
INT = Type("int")
BIGINT = Type("bigint")
FLOAT = Type("float")
NUMERIC = Type("numeric")
TEXT = Type("text")
TIMESTAMPTZ = Type("timestamptz")
DATE = Type("date")
INTERVAL = Type("interval")
JSON = Type("json")
NULL = Type("null", optional=True)
MEMBER = Type("json", optional=True)
"""What a member of json is before `as` says more."""

SCALARS: dict[str, TypeKind] = {
    "bool": "bool",
    "int": "int",
    "bigint": "bigint",
    "float": "float",
    "numeric": "numeric",
    "text": "text",
    "uuid": "uuid",
    "timestamptz": "timestamptz",
    "date": "date",
    "interval": "interval",
    "json": "json",
    "bytes": "bytes",
}
"""The types that have a name of their own, which no enum may take."""

_RANK = {"int": 0, "bigint": 1, "numeric": 2, "float": 3}
_ORDERED = frozenset(("text", "timestamptz", "date", "interval", *_RANK))
EXTREMES = frozenset(("timestamptz", "date", "interval", *_RANK))
"""What `min` and `max` compare: what has an order that is the same in every database, which text has not."""
_TEXT_FORM = frozenset(("bool", "uuid", "timestamptz", "date", "interval", "enum", *_RANK))
INT_RANGES = {"int": range(-(2**31), 2**31), "bigint": range(-(2**63), 2**63)}


def show(type: Type) -> str:
    """The type as it is written in the language."""
    name = type.enum if type.kind == "enum" else type.kind
    return f"{name}{'[]' if type.array else ''}{'?' if type.optional and type.kind != 'null' else ''}"


def required(type: Type) -> Type:
    """The type without null."""
    return Type(type.kind, type.enum, type.array) if type.optional else type


def optional_if(type: Type, *others: Type) -> Type:
    """The type, with null when one of the others has it."""
    if type.optional or not any(other.optional for other in others):
        return type
    return replace(type, optional=True)


def same(left: Type, right: Type) -> bool:
    """Whether they are one type, null aside."""
    return required(left) == required(right)


def element(type: Type) -> Type:
    """What an array of this type holds: values that may be null."""
    return replace(type, array=False, optional=True)


def array_of(type: Type) -> Type:
    """The type of an array of these."""
    return replace(type, array=True, optional=False)


def is_plain(type: Type, kind: str) -> bool:
    """Whether it is this kind itself, not an array of it."""
    return type.kind == kind and not type.array


def is_number(type: Type) -> bool:
    """Whether it is int, bigint, numeric or float."""
    return type.kind in _RANK and not type.array


def widens(found: Type, expected: Type) -> bool:
    """Whether a value of `found` is one of `expected` unasked: the same type or a narrower number. Null aside."""
    if is_number(found) and is_number(expected):
        return _RANK[found.kind] <= _RANK[expected.kind]
    return found.kind == "null" or same(found, expected)


def fits(found: Type, expected: Type) -> bool:
    """Whether a value of `found` may stand where `expected` is wanted."""
    return widens(found, expected) and (expected.optional or not found.optional)


def common(left: Type, right: Type) -> Type | None:
    """The narrowest type that both widen to, with null if one has it; None when there is none."""
    if widens(left, right):
        return optional_if(right, left)
    return optional_if(left, right) if widens(right, left) else None


def ordered(type: Type) -> bool:
    """Whether `<` compares it."""
    return type.kind in _ORDERED and not type.array


def equatable(type: Type) -> bool:
    """Whether `==` compares it: anything but json, and arrays of it."""
    return type.kind != "json"


def castable(found: Type, wanted: Type) -> bool:
    """Whether `x as wanted` means something for an `x` of `found`. Null aside."""
    if is_plain(found, "json") or is_plain(wanted, "json"):
        return True
    pair = (found.kind, wanted.kind)
    return found.array == wanted.array and (
        same(found, wanted)
        or (found.kind in _RANK and wanted.kind in _RANK)
        or pair in {("date", "timestamptz"), ("timestamptz", "date")}
        or (found.kind == "text" and wanted.kind in _TEXT_FORM)
        or (wanted.kind == "text" and found.kind in _TEXT_FORM)
    )


def arithmetic(operator: str, left: Type, right: Type) -> Type | None:
    """The type of `left operator right` for `+ - * / %`, operands without null; None when it means nothing."""
    if left.array or right.array:
        return None
    if is_number(left) and is_number(right):
        wider = left if _RANK[left.kind] >= _RANK[right.kind] else right
        return None if operator == "%" and wider.kind == "float" else wider
    found = _MOMENTS.get((left.kind, operator, right.kind))
    if found is None and left.kind == "interval" and operator in "*/" and is_number(right):
        return INTERVAL
    if found is None and right.kind == "interval" and operator == "*" and is_number(left):
        return INTERVAL
    return found


_MOMENTS: dict[tuple[str, str, str], Type] = {
    ("timestamptz", "+", "interval"): TIMESTAMPTZ,
    ("interval", "+", "timestamptz"): TIMESTAMPTZ,
    ("timestamptz", "-", "interval"): TIMESTAMPTZ,
    ("timestamptz", "-", "timestamptz"): INTERVAL,
    ("date", "+", "interval"): TIMESTAMPTZ,
    ("date", "-", "interval"): TIMESTAMPTZ,
    ("date", "+", "int"): DATE,
    ("date", "-", "int"): DATE,
    ("date", "-", "date"): INT,
    ("interval", "+", "interval"): INTERVAL,
    ("interval", "-", "interval"): INTERVAL,
}


def is_double(digits: str) -> bool:
    """Whether Postgres reads a number as a double: it refuses what would become infinite, and what would become 0."""
    value = float(digits)
    return not isinf(value) and (value != 0 or not digits.strip("-0."))
