"""`unique`: the index behind it, and what is said where an event would break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jetpackc.check.uniques import may_be_broken
from jetpackc.emit.expressions import Scope, top
from jetpackc.emit.objects import SqlObject
from jetpackc.emit.shape import Shape
from jetpackc.emit.sql import Sql, from_json, ident, literal, qualified
from jetpackc.emit.statements import Meets
from jetpackc.ir import chart, model as ir, text
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
    return taken(shape) if any(unique.verdict == "return" for unique in shape.machine.uniques) else []


def taken(shape: Shape) -> list[Sql]:
    """The table in which creates of many tasks take their keys first, where they take what is unique after that."""
    return [shape.names.internal("keys")] if shape.machine.uniques else []


def keys_table(shape: Shape) -> list[SqlObject]:
    """That table."""
    return [
        SqlObject("table", name, text.format(name, shape.names.bare_internal("keys_pkey")), f"drop table {name};")
        for name in taken(shape)
        for text in [_KEYS if keys(shape) else _TAKEN]
    ]


_TAKEN = """\
-- Where creates of many tasks take their idempotency keys, in order, before they take what is unique. Empty but for these.
create table {} (
  key text collate "C" not null,
  constraint {} primary key (key)
);"""
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
        for number, unique in _breakable(shape)
    ]


OF_WORK = ("LOCKED_BY_WORKER", "SUCCESS", "ERROR", "RELEASED", "TIMEOUT", "LEASE_EXPIRED")
"""What is never refused: work goes on, or comes to an end."""


def unmet(shape: Shape) -> Sql:
    """Why an event is refused, of the constraint that it broke: null where that is none of these. Empty, where none is."""
    arms = " ".join(f"when {one['constraint']} then {one['reason']}" for one in refusals(shape))
    own = f"v_schema = {literal(shape.module.name)} and v_table = {literal(shape.machine.name)}"
    return Sql(f"case when {own} then case v_why {arms} end end" if arms else "")


def in_step(shape: Shape) -> dict[str, object]:
    """What the template of the step function asks for. Where several events may come in one update, each is looked at
    by itself there; where one comes alone, the index does."""
    timed = bool(refusals(shape)) and any(state.timers for state in shape.machine.states)
    return {
        "broken": [_broken(shape, number, unique) for number, unique in _breakable(shape)]
        if shape.company.queues
        else [],
        "of_work": shape.listed(OF_WORK),
        "named_timers": _timer_names(shape) if timed else "",
    }


def _broken(shape: Shape, number: int, unique: ir.Unique) -> dict[str, Sql]:
    """Whether a step has broken it: the task has come to count, or changed what it counts by, and there is another."""

    def counts(row: str) -> str:
        return f"{row}.state in ({shape.listed(unique.states)})" if unique.states else f"not {row}._ended"

    changed = [f"new.{ident(name)} is distinct from old.{ident(name)}" for name in unique.columns]
    same = " and ".join(shape.same(name, Sql(f"new.{ident(name)}")) for name in unique.columns)
    other = f"select from {shape.names.table} t where t.id <> new.id and {same} and {condition(shape, number, 't.')}"
    came = " or ".join([f"not {counts('old')}", *changed]).replace("not not ", "")
    return {
        "condition": Sql(f"{counts('new')} and ({came})\n        and exists ({other})"),
        "reason": literal(_reason(unique)),
    }


def _timer_names(shape: Shape) -> Sql:
    """What the history calls the timer `v_timer` of the task's state."""
    arms = [
        f"when {literal(f'{leaf.name} {number}')} then {literal(text.timer(timer))}"
        for leaf in shape.leaves
        for number, timer in enumerate(chart.timers(shape.machine, leaf.name), 1)
    ]
    return Sql(f"case new.state || ' ' || v_timer {' '.join(arms)} end")


def _breakable(shape: Shape) -> list[tuple[int, ir.Unique]]:
    return [
        (number, unique)
        for number, unique in enumerate(shape.machine.uniques, 1)
        if may_be_broken(shape.machine, unique)
    ]


def _reason(unique: ir.Unique) -> str:
    where = f" while in ({', '.join(unique.states)})" if unique.states else ""
    return f"unique ({', '.join(unique.columns)}){where}: there is another such task"


def meets(maker: Shape, spawn: ir.Spawn) -> Meets | None:
    """None where the maker asks for no id of such a task, and counts none: what then comes of it is for the insert."""
    made = maker.of(full_name(spawn.machine, maker.module.name))
    if made is None or not maker.news.keeps(maker.names.label, made.names.label):
        return None
    returning = [
        (number, unique)
        for number, unique in enumerate(made.machine.uniques, 1)
        if unique.verdict == "return" and meets_at_birth(made.machine, unique)
    ]
    if not returning:
        return None
    given = {name: Sql(f"({top(value, maker.row_scope)})") for name, value in spawn.arguments}
    own, other = (
        _arguments(made, lambda field: given.get(field.name)),
        _arguments(made, lambda field: _stored(made, field)),
    )
    made_before = "coalesce(v_made, '[]') || " if maker.company.queues else ""
    pending = f"{made_before}coalesce(v_spawns, '[]')"
    source = f"jsonb_array_elements({pending}) s where s.value ->> 'machine' = {literal(spawn.machine)}"
    return Meets(
        [
            Sql(
                f"(select t.id from {made.names.table} t where {_same(made, unique, own)} and {condition(made, n, 't.')})"
            )
            for n, unique in returning
        ],
        [
            Sql(
                f"(select (s.value -> 'task' ->> '_as')::bigint from {source} and {_equal(unique, own, other)} limit 1)"
            )
            for _, unique in returning
        ],
        [Sql(", ".join(own(name) for name in unique.columns)) for _, unique in returning],
    )


def _stored(made: Shape, field: ir.Field) -> Sql | None:
    """A param of a task that is to be made."""
    if not any(param.name == field.name for param in made.machine.params):
        return None
    return from_json("s.value -> 'task'", field.name, field.type, made.module.name)


def _arguments(made: Shape, given: Callable[[ir.Field], Sql | None]) -> Callable[[str], Sql]:
    """The columns of a new task, of which some are given, as it will have them."""
    fields = {field.name: field for field in made.columns}

    def column(name: str) -> Sql:
        value, default = given(fields[name]), fields[name].default
        typed = None if value is None else f"{value}::{made.type(fields[name].type)}"
        if default is None:
            return Sql(typed or "null")
        return Sql(f"coalesce({typed}, {top(default, scope)})" if typed else f"({top(default, scope)})")

    scope = Scope(made.module.name, column)
    return column


def _equal(unique: ir.Unique, one: Callable[[str], Sql], other: Callable[[str], Sql]) -> str:
    return " and ".join(f"{other(name)} is not distinct from {one(name)}" for name in unique.columns)


def _same(shape: Shape, unique: ir.Unique, column: Callable[[str], Sql]) -> str:
    return " and ".join(shape.same(name, column(name)) for name in unique.columns)
