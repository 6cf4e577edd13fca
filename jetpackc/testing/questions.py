"""The SQL that a test asks its database: values of arguments, conditions over a task. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jetpackc.check import walk
from jetpackc.emit.expressions import Scope, top, typed
from jetpackc.emit.sql import Sql, ident, json_object, qualified, sql_type
from jetpackc.ir import model as ir
from jetpackc.ir.news import News
from jetpackc.records import replace
from jetpackc.testing.looks import Looks

NOW = "jet.now()"


def payload(arguments: Sequence[tuple[str, ir.Expr]], module: str) -> Sql:
    """A query for the arguments as the text of a JSON object."""
    scope = _scope(module)
    members = [(name, Sql(f"to_jsonb({_value(node, scope)})")) for name, node in arguments]
    return Sql(f"select ({json_object(members)})::text")


def length(node: ir.Expr, module: str) -> Sql:
    """A query for an interval."""
    return Sql(f"select ({top(node, _scope(module))})::interval")


Task = tuple[str, int]
"""A machine, as `module.machine`, and an id."""


def condition(node: ir.Expr, task: Task, others: Mapping[str, Task], news: News) -> Sql:
    """A query for whether a condition is true of a task, and for what each of its parts is, as text."""
    scope = replace(_scope(task[0].partition(".")[0]), look=Looks(news, task[0]).look)
    shown = ", ".join(f"({top(part, scope)})::text" for part in parts(node))
    rows: dict[str, Task] = {"t": task}
    rows.update((_alias(name), other) for name, other in others.items())
    tables = ", ".join(f"{_table(machine)} {alias}" for alias, (machine, _) in rows.items())
    found = " and ".join(f"{alias}.id = {id}" for alias, (_, id) in rows.items())
    return Sql(f"select coalesce({top(node, scope)}, false), array[{shown}]::text[] from {tables} where {found}")


def tasks(machine: str) -> bytes:
    """The query for the ids of a machine's tasks in their order, the children of `parent` unless that is null."""
    child = "(%(parent)s::bigint is null or parent = %(parent)s)"
    return f"select id from {_table(machine)} where {child} order by id".encode()


def _table(machine: str) -> Sql:
    module, _, name = machine.partition(".")
    return qualified(module, name)


def _alias(name: str) -> Sql:
    return ident(f"_{name}")


def parts(node: ir.Expr) -> list[ir.Expr]:
    """What a reader wants to see of a condition that does not hold: the names in it, each once."""
    return list(dict.fromkeys(_parts(node)))


def _parts(node: ir.Expr) -> Iterator[ir.Expr]:
    if isinstance(node, ir.Ref | ir.Tree):
        yield node
    for part in walk.parts(node):
        yield from _parts(part)


def _value(node: ir.Expr, scope: Scope) -> Sql:
    """Of a type that Postgres can tell."""
    text = typed(node, scope)
    return text if isinstance(node, ir.Literal) else Sql(f"({text})::{sql_type(node.type, scope.schema)}")


def _scope(module: str) -> Scope:
    return Scope(module, _column, now=NOW)


def _column(name: str) -> Sql:
    task, _, column = name.rpartition(".")
    return Sql(f"{_alias(task) if task else 't'}.{ident(column)}")
