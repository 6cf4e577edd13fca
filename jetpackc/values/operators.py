"""What operators make of values, of which any may be null."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from jetpackc.ir import model as ir
from jetpackc.values import numbers
from jetpackc.values.convert import cast, element
from jetpackc.values.text import Enums, Json

_NUMBERS = ("int", "bigint", "numeric", "float")
_COMPARE = {
    **{"==": operator.eq, "!=": operator.ne},
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
}


def binary(expr: ir.Binary, left: Any, right: Any, enums: Enums) -> Any:
    """Arithmetic, `++` and comparison; null where either side is. Raises UndoneError."""
    if left is None or right is None:
        return None
    if expr.operator == "++":
        return left + right
    one, other = expr.left.type, expr.right.type
    if one.kind in _NUMBERS and other.kind in _NUMBERS:
        wider = expr.type if expr.type.kind in _NUMBERS else _wider(one, other)
        left, right = cast(left, one, wider, enums), cast(right, other, wider, enums)
    if expr.operator in _COMPARE:
        return _COMPARE[expr.operator](left, right)
    # days between two dates are an int, and no arithmetic of ints
    return numbers.arithmetic(expr.operator, left, right, "date" if one.kind == "date" else expr.type.kind)


def unary(expr: ir.Unary, value: Any) -> Any:
    """`-x`, `not x`. Raises UndoneError."""
    if value is None:
        return None
    return numbers.negated(value, expr.type.kind) if expr.operator == "-" else not value


def logic(decides: bool, left: bool | None, right: bool | None) -> bool | None:
    """`or`, which true decides, and `and`, which false does; of three values."""
    if decides in (left, right):
        return decides
    return None if left is None or right is None else not decides


def among(expr: ir.In, operand: Any, options: Sequence[Any], enums: Enums) -> bool | None:
    """`x in (a, b)`, `x in xs`: null where none is equal and one is null; but a null element of an array is equal to
    nothing."""
    sought, only = expr.operand.type, expr.options[0].type
    if len(options) == 1 and only.array and not sought.array:
        if operand is None or options[0] is None:
            return None
        return any(_equal(operand, sought, item, element(only), enums) for item in options[0])
    pairs = zip(options, expr.options, strict=True)
    found = [None if operand is None else _equal(operand, sought, value, option.type, enums) for value, option in pairs]
    return True if True in found else None if None in found else False


def member(value: Any, key: Any) -> Any:
    """`c.name`, `c["k"]`, `c[0]` of json, `xs[0]` of an array; None where there is no such thing."""
    inside = value.value if isinstance(value, Json) else value
    found = None
    if isinstance(key, str):
        found = inside.get(key) if isinstance(inside, dict) else None
    elif isinstance(inside, list | tuple) and key is not None and 0 <= key < len(inside):
        found = inside[key]
    return Json(found) if isinstance(value, Json) and found is not None else found


def _equal(left: Any, one: ir.Type, right: Any, other: ir.Type, enums: Enums) -> bool | None:
    if right is None:
        return None
    wider = _wider(one, other)
    return bool(cast(left, one, wider, enums) == cast(right, other, wider, enums))


def _wider(one: ir.Type, other: ir.Type) -> ir.Type:
    if one.kind in _NUMBERS and other.kind in _NUMBERS:
        return one if _NUMBERS.index(one.kind) >= _NUMBERS.index(other.kind) else other
    return one
