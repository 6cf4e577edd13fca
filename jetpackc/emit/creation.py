"""The functions that create tasks: one by one, many at once, from outside and by spawning."""

from __future__ import annotations

from jetpackc.check.walk import is_constant
from jetpackc.emit.expressions import Scope, expression, top
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.shape import CONTROLS, SINGLE, Shape
from jetpackc.emit.sql import Sql, array_from_json, array_literal, ident, literal, wrap_list
from jetpackc.emit.statements import place
from jetpackc.emit.uniques import condition, keys as uniques_keys, meets_at_birth, taken
from jetpackc.ir import model as ir

_CONTROL_TYPES = {
    "_delay": "interval",
    "_run_at": "timestamptz",
    "_priority": "integer",
    "_key": "text",
    "_parent": "bigint",
    "_root": "bigint",
    "_depth": "integer",
    "_at": "timestamptz",
    "_by": "text",
    "_as": "bigint",
}
Values = dict[str, Sql]


def creation(shape: Shape) -> list[SqlObject]:
    """`m_create`, `m_create_many` and what stands behind them."""
    return [_add(shape), _create(shape), _insert_many(shape), _create_many(shape)]


def ordered_params(shape: Shape) -> list[ir.Field]:
    """Params without a default first: SQL wants it so, and the documents show named notation."""
    return sorted(shape.machine.params, key=has_default)


def has_default(field: ir.Field) -> bool:
    """Whether a caller may leave out this param, or field of an event."""
    return field.default is not None or field.type.optional


def _types(shape: Shape) -> list[Sql]:
    return [shape.type(param.type) for param in ordered_params(shape)]


def _add(shape: Shape) -> SqlObject:
    name = shape.names.internal("add")
    label = shape.names.bare_internal("add")
    scope = _argument_scope(shape, label)
    params = ordered_params(shape)
    control: Values = {key: Sql(f"{label}.{key}") for key in CONTROLS + shape.family}
    values = {param.name: scope.column(param.name) for param in params}
    insert = insert_lines(shape, scope, values, control, source=[], identity="v_id")
    text = render(
        "add",
        add=name,
        create=shape.names.public("create"),
        table=shape.names.table,
        identity=Sql(f"coalesce({label}._as, nextval('jet.task_id'))" if shape.named else "nextval('jet.task_id')"),
        settings=SINGLE,
        params=[
            *(f"{ident(param.name)} {shape.type(param.type)}" for param in params),
            *(f"{key} {_CONTROL_TYPES[key]}" for key in CONTROLS + shape.family),
        ],
        refused=[refusal for param in params for refusal in _refusals(shape, param, label)],
        conflicts=_conflicts(shape, scope, control["_key"]),
        insert=insert,
        wake=_wake(shape, f"{_not_later(control)} then", "end if;"),
        label=label,
        unique=bool(shape.machine.uniques),
        keys=uniques_keys(shape),
        claimable=shape.starts_claimable,
        no_delay=_no_delay(shape),
        gave_up=literal(f"{shape.names.label}: the tasks in the way keep changing; try again"),
    )
    types = ", ".join([*_types(shape), *(_CONTROL_TYPES[key] for key in CONTROLS + shape.family)])
    return function(name, text, types)


def _plain(param: ir.Field, argument: Sql) -> Sql:
    """A param as the language knows it: a JSON null is null, and an array counts from one place on."""
    if param.type.array:
        return Sql(f"({argument})[:]")
    return Sql(f"nullif({argument}, 'null'::jsonb)") if param.type.kind == "json" else argument


def _argument_scope(shape: Shape, label: Sql) -> Scope:
    """Inside the function that adds a task: its arguments, with their defaults in place of null."""
    params = {param.name: param for param in shape.machine.params}

    def column(name: str) -> Sql:
        if name not in params:
            return Sql("v_id") if name == "id" else Sql(f"{label}.{ident(name)}")
        given = _plain(params[name], Sql(f"{label}.{ident(name)}"))
        default = params[name].default
        return given if default is None else Sql(f"coalesce({given}, {top(default, scope)})")

    scope = Scope(shape.module.name, column, now="v_at")
    return scope


def _refusals(shape: Shape, param: ir.Field, label: Sql) -> list[dict[str, Sql]]:
    found = []
    argument = Sql(f"{label}.{ident(param.name)}")
    if not has_default(param):
        missing = literal(f"{shape.names.label} needs {param.name}")
        found.append({"condition": Sql(f"{_plain(param, argument)} is null"), "message": missing})
    if param.type.array:
        nested = literal(f"{shape.names.label}: {param.name} is an array of arrays")
        found.append({"condition": Sql(f"array_ndims({argument}) > 1"), "message": nested})
    return found


def _no_delay(shape: Shape) -> Sql:
    return literal(f"{shape.names.label} starts in {shape.machine.initial}, where no worker takes it: no delay")


def _not_later(control: Values) -> str:
    return f"if coalesce({control['_delay']}, interval '0 s') <= interval '0 s' and coalesce({control['_run_at']}, v_now) <= v_now"


def _wake(shape: Shape, before: str = "", after: str = "") -> list[str]:
    if not shape.starts_claimable:
        return []
    call = f"perform jet.wake({literal(shape.names.label)});"
    return [before, f"  {call}", after] if before else [call]


def insert_lines(
    shape: Shape, scope: Scope, values: Values, control: Values, *, source: list[str], identity: str
) -> list[str]:
    """`insert into the table`, for one row (`source` empty) or for the rows of `source`."""
    machine = shape.machine
    columns = [
        *("id", "root", "parent", "depth", "created_at", "entered_at", "_at"),
        *("_priority", "_key", "_actor", "_creator"),
    ]
    cells: list[str] = [
        identity,
        f"coalesce({control['_root']}, {identity})",
        control["_parent"],
        f"coalesce({control['_depth']}, 0)",
        *[scope.now] * 3,
        f"coalesce({control['_priority']}, {_priority(machine, scope)})",
        control["_key"],
        *[f"coalesce({control['_by']}, v_actor)"] * 2,
    ]
    if shape.starts_claimable:
        columns.append("run_at")
        cells.append(
            # Never before this function's own clock, read after the transaction's id: see the mark in claim.sql.jinja.
            f"greatest(coalesce({control['_run_at']}, {scope.now} + coalesce({control['_delay']}, interval '0 s')), v_now)"
        )
    columns += [ident(column.name) for column in shape.columns]
    cells += [values[param.name] for param in machine.params]
    cells += [top(var.default, scope) if var.default is not None else "null" for var in machine.vars]
    head = [f"insert into {shape.names.table} (", *(f"  {line}" for line in wrap_list(columns))]
    head[-1] += ")"
    row = wrap_list(cells)
    if not source:
        return [*head, "values (", *(f"  {line}" for line in row[:-1]), f"  {row[-1]})"]
    return [*head, "select", *(f"  {line}" for line in row), f"from {source[0]}", *source[1:]]


def _priority(machine: ir.Machine, scope: Scope) -> Sql:
    """That of a new task whose creator gives none."""
    return Sql("0") if machine.priority is None else top(machine.priority, scope)


def _conflicts(shape: Shape, scope: Scope, key: Sql) -> list[dict[str, object]]:
    """What can stand in the way of a new row: its idempotency key, and what must be unique."""
    found: list[dict[str, object]] = [{"key": True, "condition": Sql(f"t._key = {key}"), "returns": True}]
    for number, unique in enumerate(shape.machine.uniques, 1):
        if not meets_at_birth(shape.machine, unique):
            continue
        given = {
            name: scope.column(name)
            if any(param.name == name for param in shape.machine.params)
            else _var(shape, name, scope)
            for name in unique.columns
        }
        same = " and ".join(shape.same(name, value) for name, value in given.items())
        told = " || ', ' || ".join(
            f"{literal(name + ' = ')} || coalesce({value}::text, 'null')" for name, value in given.items()
        )
        found.append(
            {
                "key": False,
                "condition": Sql(f"{same} and {condition(shape, number, 't.')}"),
                "returns": unique.verdict == "return",
                "message": Sql(
                    f"{literal(f'{shape.names.label} already has a live task with ')} || {told} || ', task '"
                ),
                "constraint": literal(f"{shape.machine.name}_unique_{number}"),
                "hint": literal(
                    "it is unique until that task ends; with or return the create would give that task's id"
                ),
            }
        )
    return found


def _var(shape: Shape, name: str, scope: Scope) -> Sql:
    var = next(var for var in shape.machine.vars if var.name == name)
    return expression(var.default, scope) if var.default is not None else Sql("null")


def _create(shape: Shape) -> SqlObject:
    name, label = shape.names.public("create"), shape.names.bare("create")
    scope = Scope(shape.module.name, lambda column: Sql(f"{label}.{ident(column)}"))
    params = ordered_params(shape)
    text = render(
        "create",
        create=name,
        add=shape.names.internal("add"),
        params=[
            *(f"{ident(param.name)} {shape.type(param.type)}{_default(shape, param)}" for param in params),
            *(f"{key} {_CONTROL_TYPES[key]} default null" for key in CONTROLS),
        ],
        arguments=[
            *(scope.column(param.name) for param in params),
            *(f"{label}.{key}" for key in CONTROLS),
            *("null", "null", "0", "null", "null"),
            *(["null"] if shape.named else []),
        ],
        place=Sql(place(shape.machine.span)),
    )
    types = ", ".join([*_types(shape), *(_CONTROL_TYPES[key] for key in CONTROLS)])
    return function(name, text, types)


def _default(shape: Shape, param: ir.Field) -> Sql:
    if not has_default(param):
        return Sql("")
    return Sql(f" default {shape.constant(param) or 'null'}")


def _records(shape: Shape) -> list[str]:
    members = [
        (param.name, Sql("jsonb") if param.type.array else shape.type(param.type)) for param in shape.machine.params
    ]
    members += [(key, Sql(_CONTROL_TYPES[key])) for key in CONTROLS + shape.family]
    typed = [f"{ident(name)} {type_}" for name, type_ in members]
    plain = [ident(name) for name, _ in members]
    return [
        "rows from (jsonb_to_recordset(_tasks) as (",
        *(f"  {line}" for line in wrap_list(typed)),
        ")) with ordinality as x (",
        *(f"  {line}" for line in wrap_list([*plain, "_ordinal)"])),
    ]


def _given(shape: Shape, param: ir.Field, alias: str) -> Sql:
    """A param out of a record: what is missing takes its default. One that is no constant is computed once a row, in
    the query that inserts it; a row that goes through the function for one task takes it there."""
    value = Sql(f"{alias}.{ident(param.name)}")
    if param.type.array:
        value = array_from_json(value, param.type, shape.module.name)
    default = shape.constant(param)
    if default is None and param.default is not None and alias == "x":
        default = top(param.default, _record_scope(shape))
    return Sql(f"coalesce({value}, {default})") if default is not None and default != "null" else value


def _insert_many(shape: Shape) -> SqlObject:
    name = shape.names.internal("insert")
    source = _records(shape)
    fresh = "coalesce(x._as, nextval('jet.task_id'))" if shape.named else "nextval('jet.task_id')"
    numbered = ["(", f"  select {fresh} as _id, x.* from {source[0]}", *source[1:-1], f"{source[-1]}) x"]
    sort = [
        _given_column(shape, column)
        for one in shape.machine.uniques
        for column in one.columns
        if _varies(shape, column)
    ]
    text = render(
        "insert_many",
        insert_many=name,
        add=shape.names.internal("add"),
        table=shape.names.table,
        settings=SINGLE,
        unique=bool(shape.machine.uniques),
        keys=uniques_keys(shape),
        taken=taken(shape),
        named=shape.named,
        arguments=[
            *(_given(shape, param, "v_row") for param in ordered_params(shape)),
            *(f"v_row.{key}" for key in CONTROLS + shape.family),
        ],
        plain_insert=_insert_rows(shape, numbered, "x._id"),
        insert=_insert_rows(shape, source, "v_ids[x._ordinal]"),
        records=source,
        sort=[*sort, Sql("x._key")],
        wake=_wake(shape),
        label=literal(shape.names.label),
        claimable=shape.starts_claimable,
        no_delay=_no_delay(shape),
        controls=shape.controls,
        spec=shape.spec(shape.machine.params),
        hint=_params_hint(shape),
    )
    return function(name, text, "jsonb")


def _varies(shape: Shape, name: str) -> bool:
    """Whether a column may differ between new rows. (A constant cannot be ordered by, even.)"""
    var = next((var for var in shape.machine.vars if var.name == name), None)
    return var is None or not (var.default is None or is_constant(var.default))


def _insert_rows(shape: Shape, source: list[str], identity: str) -> list[str]:
    scope = _record_scope(shape, identity)
    values = {param.name: scope.column(param.name) for param in shape.machine.params}
    control: Values = {key: Sql(f"x.{key}") for key in CONTROLS + shape.family}
    return insert_lines(shape, scope, values, control, source=source, identity=identity)


def _given_column(shape: Shape, name: str, identity: str = "null") -> Sql:
    """A param of a record under the alias `x`, the start value of a var, or the id to be."""
    if name == "id":
        return Sql(identity)
    param = next((param for param in shape.machine.params if param.name == name), None)
    if param is not None:
        return _given(shape, param, "x")
    return _var(shape, name, _record_scope(shape))


def _record_scope(shape: Shape, identity: str = "null") -> Scope:
    """In a query over the records; a spawned task begins at the time of the dispatch that spawns it."""
    return Scope(shape.module.name, lambda name: _given_column(shape, name, identity), now="coalesce(x._at, v_now)")


def _params_hint(shape: Shape) -> Sql:
    return Sql(f"'its params are: ' || {shape.described(shape.machine.params)}")


_KINDS = {
    **dict.fromkeys(("text", "bytes", "timestamptz", "date"), ("string", "null")),
    **{"interval": ("string", "number", "null"), "bool": ("boolean", "null")},
}
"""The kinds of json that stand for a value, of the types that Postgres makes out of others, too."""


def _create_many(shape: Shape) -> SqlObject:
    name = shape.names.public("create_many")
    text = render(
        "create_many",
        create_many=name,
        insert_many=shape.names.internal("insert"),
        label=literal(shape.names.label),
        controls=array_literal(CONTROLS),
        known=shape.known,
        kinds=[
            {"name": literal(param.name), "kinds": Sql(", ".join(map(literal, _KINDS[param.type.kind])))}
            for param in shape.machine.params
            if param.type.kind in _KINDS and not param.type.array
        ],
        spec=shape.spec(shape.machine.params),
        hint=_params_hint(shape),
    )
    return function(name, text, "jsonb")
