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


def path(expr: ir.Expr) -> Key | None:
    """The name that an expression is, or the fixed way into its json or array; a cast is null where its operand is."""
    match expr:
        case ir.Ref(scope=scope, name=name):
            return (scope, name)
        case ir.Access(operand=operand, key=ir.Literal(value=value)):
            base = path(operand)
            return base and (*base, repr(value))
        case ir.Cast(operand=operand):
            return path(operand)
        case _:
            return None


def _name(expr: ir.Expr) -> frozenset[Key]:
    """The path, and all on the way to it: what is in something that is null is null."""
    found = path(expr) or ()
    return frozenset(found[:length] for length in range(2, len(found) + 1))
