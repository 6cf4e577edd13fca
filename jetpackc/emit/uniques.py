"""`unique`: the index behind it, and what is said where an event would break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jetpackc.check import walk
from jetpackc.emit.expressions import Scope, top
from jetpackc.emit.objects import SqlObject
from jetpackc.emit.shape import Shape
from jetpackc.emit.sql import Sql, ident, literal, qualified
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import full_name


def condition(shape: Shape, number: int, alias: str = "") -> Sql:
    """Among which rows the unique of this number holds: by a column that changes only where a task comes to count or
    ceases to. In a predicate, `state` itself would take the claim its HOT update."""
    unique = shape.machine.uniques[number - 1]
    return Sql(f"{alias}{_member(number)}" if unique.states else f"not {alias}_ended")


def _member(number: int) -> str:
    return f"_in_{number}"


def columns(shape: Shape) -> list[SqlObject]:
    """A generated column for each `while in`."""
    table = shape.names.table
    return [
        SqlObject(
            "column",
            f"{table}.{_member(number)}",
            f"alter table {table} add column {definition};",
            f"alter table {table} drop column {_member(number)};",
            within=f"table {table}",
            identity=definition,
        )
        for number, definition in _definitions(shape)
    ]


def definitions(shape: Shape) -> list[Sql]:
    """These columns, as they stand in the table."""
    return [definition for _, definition in _definitions(shape)]


def _definitions(shape: Shape) -> Iterator[tuple[int, Sql]]:
    for number, unique in enumerate(shape.machine.uniques, 1):
        if unique.states:
            counted = f"state in ({shape.listed(unique.states)})"
            yield number, Sql(f"{_member(number)} boolean not null generated always as ({counted}) stored")


def indexes(shape: Shape) -> list[SqlObject]:
    """A partial index for each unique. One over a generated column goes with that column where its states change."""
    found = []
    for number, unique in enumerate(shape.machine.uniques, 1):
        name = shape.names.bare(f"unique_{number}")
        full = qualified(shape.module.name, str(name).strip('"'))
        over = ", ".join(ident(column) for column in unique.columns)
        text = (
            f"create unique index {name} on {shape.names.table} ({over}) nulls not distinct"
            f" where {condition(shape, number)};"
        )
        identity = f"{text} {shape.listed(unique.states)}" if unique.states else ""
        drop = f"drop index {'if exists ' if unique.states else ''}{full};"
        found.append(SqlObject("index", full, text, drop, identity=identity))
    return found


def keys(shape: Shape) -> list[Sql]:
    """The table of what idempotency keys were answered with, where that may be a task of another key, or none."""
    returns = any(unique.verdict == "return" for unique in shape.machine.uniques)
    return [shape.names.internal("keys")] if returns else []


def keys_table(shape: Shape) -> list[SqlObject]:
    """That table."""
    return [
        SqlObject("table", name, _KEYS.format(name, shape.names.bare_internal("keys_pkey")), f"drop table {name};")
        for name in keys(shape)
    ]


_KEYS = """\
-- Which task the create with a key gave, where `unique … or return` may have given one that was there.
create table {} (
  key text collate "C" not null,
  id bigint not null,
  constraint {} primary key (key)
);"""


def meets_at_birth(machine: ir.Machine, unique: ir.Unique) -> bool:
    """Whether a new task is held to it."""
    return not unique.states or machine.initial in unique.states


def refusals(shape: Shape) -> list[dict[str, Sql]]:
    """The uniques that an event may break, and why it is refused then."""
    return [
        {"constraint": literal(f"{shape.machine.name}_unique_{number}"), "reason": literal(_reason(unique))}
        for number, unique in enumerate(shape.machine.uniques, 1)
        if _may_be_broken(shape.machine, unique)
    ]


def _reason(unique: ir.Unique) -> str:
    where = f" while in ({', '.join(unique.states)})" if unique.states else ""
    return f"unique ({', '.join(unique.columns)}){where}: there is another such task"


def _may_be_broken(machine: ir.Machine, unique: ir.Unique) -> bool:
    """Whether an event can bring a task in among those that count, or change what must be unique."""
    if walk.assigned(walk.all_clauses(machine)).intersection(unique.columns):
        return True
    counted = unique.states or tuple(leaf.name for leaf in chart.leaves(machine) if leaf.kind == "plain")
    outside = [leaf.name for leaf in chart.leaves(machine) if leaf.name not in counted]
    return any(goto.target in counted for leaf in outside for goto in walk.gotos(_ways(machine, leaf)))


def _ways(machine: ir.Machine, leaf: str) -> Iterator[ir.Clause]:
    """The clauses that may take a task out of a leaf."""
    for event in chart.events(machine, leaf):
        yield from chart.clauses(machine, leaf, event)
    for state in chart.ancestors(machine, leaf):
        yield from state.enter


def live(maker: Shape, spawn: ir.Spawn) -> list[Sql]:
    """The queries for the task that a spawn would meet, one a `unique … or return` of its machine."""
    made = maker.of(full_name(spawn.machine, maker.module.name))
    if made is None:
        return []
    given = {name: f"({top(value, maker.row_scope)})" for name, value in spawn.arguments}
    fields = {field.name: field for field in made.columns}

    def column(name: str) -> Sql:
        field = fields[name]
        if name in given:
            return Sql(f"{given[name]}::{made.type(field.type)}")
        return Sql("null") if field.default is None else Sql(f"({top(field.default, there)})")

    there = Scope(made.module.name, column)
    return [
        Sql(f"(select t.id from {made.names.table} t where {_same(made, unique, column)} and {among})")
        for number, unique in enumerate(made.machine.uniques, 1)
        if unique.verdict == "return" and meets_at_birth(made.machine, unique)
        for among in [condition(made, number, "t.")]
    ]


def is_counted(maker: Shape, spawn: ir.Spawn) -> bool:
    """Whether a spawn makes a child that its maker counts, and may meet one that is there already."""
    made = full_name(spawn.machine, maker.module.name)
    return not spawn.root and made in maker.company.told and maker.news.may_meet(made)


def _same(shape: Shape, unique: ir.Unique, column: Callable[[str], Sql]) -> str:
    return " and ".join(shape.same(name, column(name)) for name in unique.columns)
