"""Constants that cannot be computed, such as `1 / 0`: Postgres fails on one even where nothing reaches it, for it
computes constants before anything else. docs/trust.md tells so; programs that have one are not compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args

from jetpackc.interpret import UndoneError
from jetpackc.interpret.expressions import Scope
from jetpackc.ir import model as ir

_EXPRESSIONS = get_args(ir.Expr)
_NOBODY: Any = None


def has_failing_constant(machine: ir.Machine, enums: dict[str, tuple[str, ...]]) -> bool:
    """Whether some expression of the machine reads nothing and fails."""
    scope = Scope(_NOBODY, _NOBODY, enums, {})
    return any(_fails(expr, scope) for expr in _expressions(machine) if not _reads(expr))


def _fails(expr: ir.Expr, scope: Scope) -> bool:
    try:
        scope.value(expr)
    except UndoneError:
        return True
    return False


def _reads(expr: ir.Expr) -> bool:
    """Whether anything in it changes from one time to the next."""
    return any(
        isinstance(node, ir.Ref | ir.Tree) or (isinstance(node, ir.Call) and node.function == "backoff")
        for node in nodes(expr)
    )


def _expressions(value: object) -> Iterator[ir.Expr]:
    return (node for node in nodes(value) if isinstance(node, _EXPRESSIONS))


def nodes(value: object) -> Iterator[object]:
    """All that a part of a program is made of, itself first."""
    if isinstance(value, tuple):
        for item in value:
            yield from nodes(item)
    elif is_dataclass(value):
        yield value
        kind: Any = type(value)
        for name in _fields(kind):
            yield from nodes(getattr(value, name))


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.compare)
