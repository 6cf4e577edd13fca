"""The functions of the queue: claim, resolve, and what keeps poison and lost leases from stopping it."""

from __future__ import annotations

from jetpackc.emit import lanes, step, uniques
from jetpackc.emit.expressions import expression
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.shape import KEYED, PINNED, SETTINGS, SINGLE, Shape
from jetpackc.emit.sql import ARGUMENT_PAIRS, Sql, ident, json_object, literal
from jetpackc.emit.timers import has_timers
from jetpackc.ir import model as ir


def work(shape: Shape) -> list[SqlObject]:
    """The functions that workers call; none for a machine without work but `retry`."""
    trouble = [_trouble(shape)] if shape.works or has_timers(shape.machine) or shape.company.hears else []
    found = [_settle(shape), _resolve(shape), _claim(shape), _lost(shape), _expire(shape)] if shape.works else []
    return [*trouble, *found, _retry(shape)]


def _names(shape: Shape) -> dict[str, object]:
    return {
        "table": shape.names.table,
        "hops": shape.names.internal("hops"),
        "trouble": shape.names.internal("trouble"),
        "settle": shape.names.internal("settle"),
        "retry": shape.names.public("retry"),
        "settings": SETTINGS,
        "single": SINGLE,
        "pinned": PINNED,
        "keyed": KEYED,
        "label": literal(shape.names.label),
        "claimable_list": shape.claimable_list,
        "running_list": shape.running_list,
        "error_list": shape.error_list,
        "applied": shape.applied,
        "taken": shape.taken,
        "hears": shape.company.hears,
        "missing_hint": literal(f"the ids of all its tasks: select id from {shape.names.table}"),
    }


def _public(shape: Shape, suffix: str, types: str, template: str = "", **values: object) -> SqlObject:
    """A public function whose body names its own arguments by the bare name of the function."""
    name = shape.names.public(suffix)
    text = render(template or suffix, **{**_names(shape), suffix: name, "me": shape.names.bare(suffix), **values})
    return function(name, text, types)


def _internal(shape: Shape, suffix: str, types: str, **values: object) -> SqlObject:
    name = shape.names.internal(suffix)
    return function(name, render(suffix, **{**_names(shape), suffix: name, **values}), types)


def _trouble(shape: Shape) -> SqlObject:
    return _internal(shape, "trouble", "bigint, text, jsonb, jsonb, text, text, bigint")


def _settle(shape: Shape) -> SqlObject:
    return _internal(shape, "settle", "bigint, text, bigint, bigint, text, jsonb, jsonb")


def _resolve(shape: Shape) -> SqlObject:
    return _public(shape, "resolve", "bigint, jsonb")


def _lost(shape: Shape) -> SqlObject:
    return _public(shape, "lost", "bigint, bigint[], bigint[]")


def _retry(shape: Shape) -> SqlObject:
    refused = {"unmet": uniques.unmet(shape), "of_work": shape.listed(uniques.OF_WORK)}
    return _public(shape, "retry", "bigint", **refused)


def _claim(shape: Shape) -> SqlObject:
    plain = shape.plain and len(step.plain_claims(shape.machine)) == len(shape.claimable)
    handler = _by_state(shape, [(leaf.name, literal(leaf.run)) for leaf in shape.running if leaf.run], "null")
    row = [Sql("t.id"), Sql("t._token"), Sql("t.attempts"), Sql("t.state"), handler, _data(shape)]
    template = "claim_lanes" if lanes.column(shape) else "claim"
    values = {"plain": plain, "row": row, **_pauses(shape), **lanes.for_claim(shape)}
    return _public(shape, "claim", "bigint, integer, jsonb", template=template, **values)


def _pauses(shape: Shape) -> dict[str, object]:
    """How a claim leaves out what is paused. Where there is one queue, that is all of it."""
    several = len(shape.claimable) > 1
    return {"several": several, "unpaused": Sql(" and t.state <> all(v_paused)" if several else "")}


def _by_state(shape: Shape, values: list[tuple[str, Sql]], otherwise: str) -> Sql:
    """One expression that depends on the running state."""
    if len(values) == 1 and len(shape.running) == 1:
        return values[0][1]
    if not values:
        return Sql(otherwise)
    arms = " ".join(f"when {literal(state)} then {value}" for state, value in values)
    return Sql(f"case t.state {arms} end")


def _data(shape: Shape) -> Sql:
    parts = [f"'params', {_object(shape.machine.params)}", f"'vars', {_object(shape.machine.vars)}"]
    parts.append(
        "'event', case when t._was_event is not null then json_build_object('name', t._was_event, 'payload', t._payload) end"
    )
    timeouts = _timeouts(shape)
    if timeouts:
        parts.append(f"'timeout', extract(epoch from {_by_state(shape, timeouts, 'null')})")
    return Sql(f"json_build_object({', '.join(parts)})")


def _object(fields: tuple[ir.Field, ...]) -> str:
    """As json, which costs a third less than jsonb to make and to print; more fields than one call takes as jsonb."""
    members = [(one.name, _told(one)) for one in fields]
    if len(members) > ARGUMENT_PAIRS:
        return json_object(members)
    return (
        f"json_build_object({', '.join(f'{literal(key)}, {value}' for key, value in members)})"
        if members
        else "'{}'::json"
    )


def _told(one: ir.Field) -> str:
    """How a value reaches a worker: intervals as seconds, for workers of any language."""
    column = f"t.{ident(one.name)}"
    if one.type.kind != "interval":
        return column
    if not one.type.array:
        return f"extract(epoch from {column})"
    seconds = "array(select extract(epoch from i.value) from unnest({0}) with ordinality i (value, n) order by i.n)"
    return f"case when {column} is not null then {seconds.format(column)} end"


def _timeouts(shape: Shape) -> list[tuple[str, Sql]]:
    return [
        (leaf.name, expression(leaf.timeout, shape.task_scope)) for leaf in shape.running if leaf.timeout is not None
    ]


def has_timeouts(shape: Shape) -> bool:
    """Whether a handler of this machine may run out of time."""
    return any(leaf.timeout is not None for leaf in shape.running)


def _expire(shape: Shape) -> SqlObject:
    timeouts = _timeouts(shape)
    timeout = _by_state(shape, timeouts, "null")
    event = (
        f"case when t.entered_at + {timeout} <= v_now then 'TIMEOUT' else 'LEASE_EXPIRED' end"
        if timeouts
        else "'LEASE_EXPIRED'"
    )
    return _internal(
        shape,
        "expire",
        "bigint[], boolean, integer" if timeouts else "bigint[], integer",
        expire=shape.names.internal("expire"),
        timeouts=bool(timeouts),
        timeout=timeout,
        event=Sql(event),
        order=Sql("t._priority, t._lane, t.run_at, t.id" if lanes.column(shape) else "t._priority, t.run_at, t.id"),
    )
