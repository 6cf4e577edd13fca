"""What removes tasks that have ended, and history, when their time is over. Nothing for a machine that keeps all."""

from __future__ import annotations

from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.shape import PINNED, SETTINGS, Shape
from jetpackc.emit.sql import Sql, interval_literal, literal, qualified

# Generated, so that nothing else has to write them, and values that a claim leaves as they are: an index on `state` or
# `entered_at` would cost it its HOT update.
_COLUMNS = {
    "_ended_in": 'text collate "C" generated always as (case when _ended then state end) stored',
    "_ended_at": "timestamptz generated always as (case when _ended then entered_at end) stored",
}


def definitions(shape: Shape) -> list[Sql]:
    """The columns, as they stand in the table's own definition."""
    return [Sql(f"{name} {type_}") for name, type_ in _COLUMNS.items()] if shape.machine.keeps else []


def columns(shape: Shape) -> list[SqlObject]:
    """The columns, for a table that exists already, which is written anew."""
    table = shape.names.table
    return [
        SqlObject(
            "column",
            f"{table}.{column}",
            f"alter table {table} add column {column};",
            f"alter table {table} drop column {column.split()[0]};",
            within=f"table {table}",
        )
        for column in definitions(shape)
    ]


def indexes(shape: Shape) -> list[tuple[Sql, str]]:
    """What ended when: names and texts."""
    if not shape.machine.keeps:
        return []
    name = shape.names.bare("ended")
    text = f"create index {name} on {shape.names.table} (_ended_in, _ended_at, id) where _ended_in is not null;"
    return [(name, text)]


def hop_indexes(shape: Shape) -> list[tuple[Sql, str]]:
    """What happened when: names and texts."""
    if shape.machine.keep_history is None:
        return []
    name = shape.names.bare_internal("hops_at")
    return [(name, f"create index {name} on {shape.names.internal('hops')} (at);")]


def history_age(shape: Shape) -> list[Sql]:
    """How old what is known may be; empty where all of it is."""
    length = shape.machine.keep_history
    return [] if length is None else [interval_literal(length)]


def retention(shape: Shape) -> list[SqlObject]:
    """The functions that remove, and a mark for each."""
    found = []
    if shape.machine.keeps:
        found += [*_awaited(shape), _forget(shape)]
    if shape.machine.keep_history is not None:
        found.append(_forget_hops(shape, shape.machine.keep_history))
    words = [keep.state for keep in shape.machine.keeps]
    words += ["history"] if shape.machine.keep_history is not None else []
    return [*found, *(_mark(shape, word) for word in words)]


def calls(shape: Shape) -> list[Sql]:
    """How a sweep calls them: in batches ten times as large as others, for they do no more than to remove."""
    names = ["forget"] if shape.machine.keeps else []
    names += ["forget_hops"] if shape.machine.keep_history is not None else []
    return [Sql(f"{shape.names.internal(name)}(10 * new.quota)") for name in names]


def _common(shape: Shape) -> dict[str, object]:
    return {
        "label": Sql(shape.names.label),
        "module": literal(shape.module.name),
        "machine": literal(shape.machine.name),
        "table": shape.names.table,
        "hops": shape.names.internal("hops"),
        "settings": SETTINGS,
        "pinned": PINNED,
    }


def _forget(shape: Shape) -> SqlObject:
    name = shape.names.internal("forget")
    rules = [f"({literal(keep.state)}, {interval_literal(keep.length)})" for keep in shape.machine.keeps]
    text = render(
        "forget",
        **_common(shape),
        forget=name,
        rules=[*(f"{rule}," for rule in rules[:-1]), rules[-1]],
        awaited=[shape.names.internal("awaited")] if _ancestors(shape) else [],
    )
    return function(name, text, "integer")


def _forget_hops(shape: Shape, length: int) -> SqlObject:
    name = shape.names.internal("forget_hops")
    text = render("forget_hops", **_common(shape), forget=name, age=interval_literal(length))
    return function(name, text, "integer")


def _ancestors(shape: Shape) -> tuple[str, ...]:
    return shape.kin.above(shape.names.label)


def _awaited(shape: Shape) -> list[SqlObject]:
    tables = [qualified(*name.split(".")) for name in _ancestors(shape)]
    if not tables:
        return []
    name = shape.names.internal("awaited")
    queries = [f"select p.parent, p._ended as ended from {table} p where p.id = up.id" for table in tables]
    lines = [*(f"{query} union all" for query in queries[:-1]), queries[-1]]
    text = render("awaited", awaited=name, pinned=PINNED, ancestors=lines)
    return [function(name, text, "bigint")]


def _mark(shape: Shape, word: str) -> SqlObject:
    key = f"{literal(shape.module.name)}, {literal(shape.machine.name)}, {literal(word)}"
    text = f"insert into jet.retention (module, machine, what) values ({key})\non conflict do nothing;"
    drop = f"delete from jet.retention where (module, machine, what) = ({key});"
    return SqlObject("data", f"jet.retention {shape.names.label} {word}", text, drop)
