"""How a value of one type becomes one of another: casts, widening, JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from jetpackc.ir.model import Literal, Type
from jetpackc.records import replace
from jetpackc.values.errors import BAD_TEXT, OUT_OF_RANGE, UndoneError
from jetpackc.values.numbers import rounded, tidy, whole
from jetpackc.values.text import Enums, Json, iso, parse, text

_KINDS = {**dict.fromkeys(("timestamptz", "date", "uuid", "bytes"), str), "bool": bool}
"""What json they are taken from, and no other."""


def literal(expr: Literal) -> Any:
    """The value of a constant."""
    value = expr.value
    if value is None:
        return None
    if expr.type.kind == "numeric":
        return Decimal(value)
    if expr.type.kind == "interval":
        return timedelta(milliseconds=int(value))
    return float(value) if expr.type.kind == "float" else value


def cast(value: Any, found: Type, wanted: Type, enums: Enums) -> Any:
    """`value as wanted`, and what widening does unasked; null stays null. Raises UndoneError."""
    if value is None or (found.kind, found.enum, found.array) == (wanted.kind, wanted.enum, wanted.array):
        return value
    if isinstance(value, Json):
        return from_json(value.value, wanted, enums)
    if wanted.kind == "json" and not wanted.array:
        return Json(to_json(value, found.kind))
    if isinstance(value, tuple):
        return tuple(cast(item, element(found), element(wanted), enums) for item in value)
    if wanted.kind == "text":
        return text(value, found.kind)
    if found.kind == "text":
        return parse(value, wanted, enums)
    if wanted.kind == "date":
        return value.astimezone(UTC).date()
    if found.kind == "date":
        return datetime.combine(value, time(), UTC)
    return number(value, wanted.kind)


def element(type: Type) -> Type:
    """The type of an array's elements."""
    return replace(type, array=False)


def number(value: Any, kind: str) -> Any:
    """A number as one of another type: to whole ones, floats round half to even and numerics half away from zero."""
    if kind in {"int", "bigint"}:
        return whole(round(value) if isinstance(value, float) else int(rounded(Decimal(value), 0)), kind)
    if kind == "float":
        return _wide(value)
    return tidy(Decimal(f"{value:.15g}") if isinstance(value, float) else Decimal(value))


def _wide(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise UndoneError(OUT_OF_RANGE, "out of range for type double precision") from None


# ---------------------------------------------------------------- JSON


def from_json(value: Any, type: Type, enums: Enums) -> Any:
    """A member of a payload, as `json.loads` with Decimals gives it, as a value of a type. Raises UndoneError."""
    if value is None:
        return None
    if type.array:
        return _elements(value, element(type), enums)
    if type.kind == "json":
        return Json(value)
    if not isinstance(value, _KINDS.get(type.kind, object)):
        raise UndoneError(BAD_TEXT, f"no {type.kind}: {json_text(value)}")
    return parse(value if isinstance(value, str) else json_text(value), type, enums)


def _elements(value: Any, type: Type, enums: Enums) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UndoneError(BAD_TEXT, f"no array: {json_text(value)}")
    return tuple(from_json(item, type, enums) for item in value)


def to_json(value: Any, kind: str) -> Any:
    """A value in JSON: a number, a boolean, a list, or its text; a moment as ISO has it."""
    if isinstance(value, tuple):
        return [to_json(item, kind) for item in value]
    if value is None or kind in {"bool", "int", "bigint", "numeric", "float"}:
        return Decimal(repr(value)) if isinstance(value, float) else value
    if kind == "timestamptz":
        return iso(value, "T") + "+00:00"
    return value.value if isinstance(value, Json) else text(value, kind)


def json_text(value: Any) -> str:
    """JSON as jsonb writes it: keys by length and then by letters, a space behind each comma and colon."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_quoted(key)}: {json_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return text(tidy(Decimal(value)), "numeric")


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
