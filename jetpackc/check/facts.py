"""What a guard shows: the names that are not null where it is true, or where it is not."""

from __future__ import annotations

from jetpackc.check.scope import Key
from jetpackc.ir import model as ir

_COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
NOTHING: frozenset[Key] = frozenset()


def where_true(guard: ir.Expr | None) -> frozenset[Key]:
    """The names that cannot be null once the guard came out true: a comparison with null never does."""
    match guard:
        case ir.IsNull(operand=operand, negated=True):
            return _name(operand)
        case ir.Unary(operator="not", operand=ir.IsNull() as test):
            return where_not_true(test)
        case ir.Binary(operator="and", left=left, right=right):
            return where_true(left) | where_true(right)
        case ir.Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
            return _name(left) | _name(right)
        case ir.In(operand=operand, options=(one,)) if one.type.array:
            return _name(operand) | _name(one)
        case ir.In(operand=operand):
            return _name(operand)
        case _:
            return NOTHING


def where_not_true(guard: ir.Expr | None) -> frozenset[Key]:
    """The names that cannot be null once the guard came out false or null; `is null` itself is never null."""
    match guard:
        case ir.IsNull(operand=operand, negated=False):
            return _name(operand)
        case ir.Unary(operator="not", operand=ir.IsNull() as test):
            return where_true(test)
        case ir.Binary(operator="or", left=left, right=right):
            return where_not_true(left) | where_not_true(right)
        case _:
            return NOTHING


def _name(expr: ir.Expr) -> frozenset[Key]:
    return frozenset({(expr.scope, expr.name)}) if isinstance(expr, ir.Ref) else NOTHING
