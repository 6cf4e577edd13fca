"""What is written above a declaration with `///`, as comments of the database."""

from __future__ import annotations

from collections.abc import Iterable

from jetpackc.emit.objects import SqlObject
from jetpackc.emit.shape import Shape
from jetpackc.emit.sql import ident, literal
from jetpackc.ir import model as ir
from jetpackc.records import replace


def comment(kind: str, name: str, doc: str) -> list[SqlObject]:
    """The comment on a `kind` of object, `column` or the like; none without a text."""
    if not doc:
        return []
    on = f"comment on {kind} {name} is"
    return [SqlObject("comment", f"{kind} {name}", f"{on} {literal(doc)};", f"{on} null;")]


def comments(shape: Shape) -> list[SqlObject]:
    """Those of a machine: on its table, on the columns of its params and vars, and, for its states, on `state`."""
    table = shape.names.table
    found = comment("table", table, shape.machine.doc)
    found += comment("column", f"{table}.state", _listed((state.name, state.doc) for state in shape.machine.states))
    for field in shape.columns:
        found += comment("column", f"{table}.{ident(field.name)}", field.doc)
    return found


def documented(function: SqlObject, types: str, doc: str) -> SqlObject:
    """A function with its comment. It goes where the function goes; one that lost its doc is made anew without."""
    if not doc:
        return function
    text = f"{function.create}\ncomment on function {function.name}({types}) is {literal(doc)};"
    return replace(function, create=text, signature=f"{function.signature} with a comment")


def event_text(module: ir.Module, event: str, fields: Iterable[ir.Field]) -> str:
    """What is written above an event and above its fields."""
    own = next((found.doc for found in module.events if found.name == event), "")
    return "\n\n".join(filter(None, (own, _listed((field.name, field.doc) for field in fields))))


def _listed(docs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{name}: {doc}" for name, doc in docs if doc)
