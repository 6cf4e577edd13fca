"""The pure functions of the language: `jetpackc.check.functions` lists them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from jetpackc.ir import model as ir
from jetpackc.values import numbers
from jetpackc.values.convert import cast
from jetpackc.values.errors import MOMENT_OUT_OF_RANGE, UndoneError
from jetpackc.values.text import Enums

_NUMERIC = ir.Type("numeric")


def call(expr: ir.Call, values: Sequence[Any], enums: Enums) -> Any:
    """What a function gives for these arguments; all but `backoff`. Null of null, but min and max leave nulls out.
    Raises UndoneError."""
    types = [argument.type for argument in expr.arguments]
    if expr.function not in {"min", "max"} and any(value is None for value in values):
        return None
    match expr.function:
        case "min" | "max" as which:
            wide = [cast(value, type, expr.type, enums) for value, type in zip(values, types, strict=True)]
            there = [value for value in wide if value is not None]
            return (min if which == "min" else max)(there, default=None)
        case "abs":
            return numbers.negated(values[0], expr.type.kind) if values[0] < 0 else values[0]
        case "round":
            return numbers.rounded(cast(values[0], types[0], _NUMERIC, enums), values[1])
        case "ceil" | "floor" as which:
            mode = ROUND_CEILING if which == "ceil" else ROUND_FLOOR
            exact: Decimal = cast(values[0], types[0], _NUMERIC, enums)
            return numbers.tidy(exact.quantize(Decimal(1), mode, numbers.EXACT))
    return _TEXTS[expr.function](*values)


_TEXTS: dict[str, Any] = {
    "length": len,
    "lower": str.lower,
    "upper": str.upper,
    "trim": lambda value: value.strip(" "),
    "replace": lambda value, old, new: value.replace(old, new) if old else value,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": lambda value, part: part in value,
    "split": lambda value, at: tuple(value.split(at) if at and value else [value] if value else []),
    "join": lambda items, between: between.join(item for item in items if item is not None),
}


def backoff(base: timedelta | None, attempts: int | None, cap: timedelta | None, id: int) -> timedelta | None:
    """From half to all of `base`, doubled with each attempt behind the first up to `cap`; id and attempts say where."""
    if base is None or attempts is None or cap is None:
        return None
    digest = hashlib.sha256(f"{id} {attempts}".encode()).digest()
    full = min(cap.total_seconds(), base.total_seconds() * 2.0 ** min(max(attempts, 1) - 1, 60))
    microseconds = round(full * (0.5 + int.from_bytes(digest[:3], "big") / 33554432) * 1_000_000)
    if not -(2**63) <= microseconds < 2**63:
        raise UndoneError(MOMENT_OUT_OF_RANGE, "interval out of range")
    return timedelta(microseconds=microseconds)
