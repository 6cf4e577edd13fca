"""What an expression comes to."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from jetpackc.interpret import numbers
from jetpackc.interpret.errors import MOMENT_OUT_OF_RANGE, UndoneError
from jetpackc.interpret.model import Task
from jetpackc.interpret.values import Enums, Json, cast
from jetpackc.ir import model as ir

_BOOL = ir.Type("bool")
_NUMBERS = ("int", "bigint", "numeric", "float")
_COMPARE = {
    **{"==": operator.eq, "!=": operator.ne},
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean: the task as it is, the event's fields, the dispatch's one moment."""

    task: Task
    now: datetime
    enums: Enums
    event: Mapping[str, Any]

    def value(self, expr: ir.Expr, wanted: ir.Type | None = None) -> Any:
        """What an expression comes to, as a value of the wanted type. Null is None. Raises UndoneError."""
        found = _value(expr, self)
        return found if wanted is None else cast(found, expr.type, wanted, self.enums)

    def holds(self, guard: ir.Expr | None) -> bool:
        """Whether a guard lets pass: null is false."""
        return guard is None or _value(guard, self) is True


def _value(expr: ir.Expr, scope: Scope) -> Any:
    match expr:
        case ir.Literal():
            return literal(expr)
        case ir.Ref():
            return _read(expr, scope)
        case ir.Binary():
            return _binary(expr, scope)
        case ir.Unary():
            value = _value(expr.operand, scope)
            negate = expr.operator == "-"
            return None if value is None else numbers.negated(value, expr.type.kind) if negate else not value
        case ir.IsNull():
            return (_value(expr.operand, scope) is None) != expr.negated
        case ir.In():
            return _in(expr, scope)
        case ir.Cast():
            return scope.value(expr.operand, expr.type)
        case ir.Call():
            return _call(expr, scope)
        case ir.Access():
            return _access(_value(expr.operand, scope), _value(expr.key, scope))
        case ir.Array():
            return tuple(scope.value(item, replace(expr.type, array=False)) for item in expr.items)


def literal(expr: ir.Literal) -> Any:
    """The value of a constant."""
    value = expr.value
    if value is None:
        return None
    if expr.type.kind == "numeric":
        return Decimal(value)
    if expr.type.kind == "interval":
        return timedelta(milliseconds=int(value))
    return float(value) if expr.type.kind == "float" else value


def _read(ref: ir.Ref, scope: Scope) -> Any:
    if ref.scope == "event":
        return scope.event[ref.name]
    if ref.scope == "builtin":
        return scope.now if ref.name == "now" else getattr(scope.task, ref.name)
    return (scope.task.vars if ref.scope == "var" else scope.task.params)[ref.name]


# ---------------------------------------------------------------- operators


def _binary(expr: ir.Binary, scope: Scope) -> Any:
    if expr.operator in {"and", "or"}:
        return _logic(expr, scope)
    if expr.operator == "??":
        left = scope.value(expr.left, expr.type)
        return scope.value(expr.right, expr.type) if left is None else left
    left, right = _value(expr.left, scope), _value(expr.right, scope)
    if left is None or right is None:
        return None
    if expr.operator == "++":
        return left + right
    wider = expr.type if expr.type.kind in _NUMBERS else _wider(expr.left.type, expr.right.type)
    if expr.left.type.kind in _NUMBERS and expr.right.type.kind in _NUMBERS:
        left = cast(left, expr.left.type, wider, scope.enums)
        right = cast(right, expr.right.type, wider, scope.enums)
    if expr.operator in _COMPARE:
        return _COMPARE[expr.operator](left, right)
    return numbers.arithmetic(expr.operator, left, right, _kind(expr))


def _kind(expr: ir.Binary) -> str:
    """Days between two dates are an int, and no arithmetic of ints."""
    return "date" if expr.left.type.kind == "date" else expr.type.kind


def _wider(left: ir.Type, right: ir.Type) -> ir.Type:
    if left.kind in _NUMBERS and right.kind in _NUMBERS:
        return left if _NUMBERS.index(left.kind) >= _NUMBERS.index(right.kind) else right
    return left


def _logic(expr: ir.Binary, scope: Scope) -> bool | None:
    """Of three values; the right side is not asked where the left one decides."""
    decides = expr.operator == "or"
    left: bool | None = _value(expr.left, scope)
    if left is decides:
        return decides
    right: bool | None = _value(expr.right, scope)
    if right is decides:
        return decides
    return None if left is None or right is None else not decides


def _in(expr: ir.In, scope: Scope) -> bool | None:
    """Null where none is equal and one is null; but a null element of an array is equal to nothing."""
    operand, only = _value(expr.operand, scope), expr.options[0]
    if len(expr.options) == 1 and only.type.array and not expr.operand.type.array:
        items, element = _value(only, scope), replace(only.type, array=False)
        if operand is None or items is None:
            return None
        return any(_equal(operand, expr.operand.type, item, element, scope) for item in items)
    options = [(_value(option, scope), option.type) for option in expr.options]
    found = [None if operand is None else _equal(operand, expr.operand.type, *option, scope) for option in options]
    return True if True in found else None if None in found else False


def _equal(left: Any, found: ir.Type, right: Any, other: ir.Type, scope: Scope) -> bool | None:
    if right is None:
        return None
    wider = _wider(found, other)
    return bool(cast(left, found, wider, scope.enums) == cast(right, other, wider, scope.enums))


def _access(value: Any, key: Any) -> Any:
    found = value.value if isinstance(value, Json) else value
    if isinstance(key, str):
        member = found.get(key) if isinstance(found, dict) else None
    else:
        inside = isinstance(found, list | tuple) and key is not None and 0 <= key < len(found)
        member = found[key] if inside else None
    return Json(member) if isinstance(value, Json) and member is not None else member


# ---------------------------------------------------------------- functions


def _call(expr: ir.Call, scope: Scope) -> Any:
    values = [_value(argument, scope) for argument in expr.arguments]
    if expr.function == "backoff":
        return backoff(values[0], values[1], values[2], scope.task.id)
    if expr.function in {"min", "max"}:
        wide = [
            cast(value, each.type, expr.type, scope.enums) for value, each in zip(values, expr.arguments, strict=True)
        ]
        return min(wide) if expr.function == "min" else max(wide)
    if expr.function == "abs":
        return numbers.negated(values[0], expr.type.kind) if values[0] < 0 else values[0]
    if expr.function in {"round", "ceil", "floor"}:
        return _rounded(
            expr.function, [scope.value(each, ir.Type("numeric")) for each in expr.arguments[:1]] + values[1:]
        )
    return _TEXTS[expr.function](*values)


def _rounded(function: str, values: list[Any]) -> Decimal:
    if function == "round":
        return numbers.rounded(values[0], values[1])
    mode = ROUND_CEILING if function == "ceil" else ROUND_FLOOR
    return numbers.tidy(values[0].quantize(Decimal(1), mode, numbers.EXACT))


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


def backoff(base: timedelta, attempts: int, cap: timedelta, id: int) -> timedelta:
    """From half to all of `base`, doubled with each attempt behind the first up to `cap`; id and attempts say where."""
    digest = hashlib.sha256(f"{id} {attempts}".encode()).digest()
    full = min(cap.total_seconds(), base.total_seconds() * 2.0 ** min(max(attempts, 1) - 1, 60))
    seconds = full * (0.5 + int.from_bytes(digest[:3], "big") / 33554432)
    try:
        return timedelta(microseconds=round(seconds * 1_000_000))
    except OverflowError:
        raise UndoneError(MOMENT_OUT_OF_RANGE, "interval out of range") from None
