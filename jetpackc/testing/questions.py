"""The SQL that a test asks its database: values of arguments, conditions over a task. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from jetpackc.emit.expressions import Scope, top, typed
from jetpackc.emit.sql import Sql, ident, json_object, qualified, sql_type
from jetpackc.ir import model as ir

NOW = "jet.now()"


def payload(arguments: Sequence[tuple[str, ir.Expr]], module: str) -> Sql:
    """A query for the arguments as the text of a JSON object."""
    scope = _scope(module)
    members = [(name, Sql(f"to_jsonb({_value(node, scope)})")) for name, node in arguments]
    return Sql(f"select ({json_object(members)})::text")


def length(node: ir.Expr, module: str) -> Sql:
    """A query for an interval."""
    return Sql(f"select ({top(node, _scope(module))})::interval")


def condition(node: ir.Expr, machine: str, id: int) -> Sql:
    """A query for whether a condition is true of a task, and for what each of its parts is, as text."""
    module, _, name = machine.partition(".")
    scope = _scope(module)
    shown = ", ".join(f"({expression(part, scope)})::text" for part in parts(node))
    whole = f"coalesce({top(node, scope)}, false)"
    return Sql(f"select {whole}, array[{shown}]::text[] from {qualified(module, name)} t where t.id = {id}")


def parts(node: ir.Expr) -> list[ir.Expr]:
    """What a reader wants to see of a condition that does not hold: the names in it, each once."""
    return list(dict.fromkeys(_parts(node)))


def _parts(node: object) -> Iterator[ir.Expr]:
    if isinstance(node, ir.Ref):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from _parts(item)
    elif is_dataclass(node):
        for one in fields(node):
            yield from _parts(getattr(node, one.name))


def expression(node: ir.Expr, scope: Scope) -> Sql:
    """One part of a condition."""
    return top(node, scope)


def _value(node: ir.Expr, scope: Scope) -> Sql:
    """Of a type that Postgres can tell."""
    text = typed(node, scope)
    return text if isinstance(node, ir.Literal) else Sql(f"({text})::{sql_type(node.type, scope.schema)}")


def _scope(module: str) -> Scope:
    return Scope(module, lambda name: Sql(f"t.{ident(name)}"), now=NOW)
