"""All SQL objects of one machine, in the order in which they can be created."""

from __future__ import annotations

from functools import partial

from jetpackc.emit import lanes, messages, retention, step, timers, uniques
from jetpackc.emit.comments import comments, documented, event_text
from jetpackc.emit.creation import creation, has_default
from jetpackc.emit.manifest import manifest, sendable
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.shape import SETTINGS, SINGLE, Shape
from jetpackc.emit.sql import Sql, ident, json_literal, json_object, literal, qualified, wrap_list
from jetpackc.emit.statements import place
from jetpackc.emit.work import work
from jetpackc.ir import model as ir
from jetpackc.ir.kin import full_name, spawns
from jetpackc.records import replace

# What the step function alone writes. The others (_event, _payload, _set, _at, _actor, _send_key, _worker, _fence) carry
# an event to it, and are what generated code sets.
_BUILT_IN = (
    *("id", "state", "attempts", "depth", "parent", "root", "created_at", "entered_at", "run_at"),
    *("_priority", "_seq", "_ended", "_applied", "_token", "_was_state", "_was_entered", "_was_event"),
    *("_changed", "_hops", "_spawns", "_stuck", "_creator", "_key"),
)


def machine_objects(shape: Shape, hash: str) -> list[SqlObject]:
    """Table, history, step and surface of one machine, which `hash` is the hash of."""
    return [
        _table(shape),
        _defaults(shape),
        *_columns(shape),
        *uniques.columns(shape),
        *_timer_columns(shape),
        *lanes.columns(shape),
        *retention.columns(shape),
        *_constraints(shape),
        *_indexes(shape),
        *_hops(shape),
        *lanes.tables(shape),
        *uniques.keys_table(shape),
        _step(shape),
        _log(shape),
        *_born(shape),
        *_triggers(shape),
        *creation(shape),
        *_send(shape),
        *work(shape),
        *messages.functions(shape),
        *timers.timer_objects(shape),
        *retention.retention(shape),
        _history(shape),
        _at(shape),
        *comments(shape),
        _data(shape, hash),
    ]


def _table(shape: Shape) -> SqlObject:
    def text(columns: list[Sql], constraints: list[Sql], initial: Sql, moments: list[Sql]) -> Sql:
        return render(
            "table",
            table=shape.names.table,
            label=Sql(shape.names.label),
            place=Sql(place(shape.machine.span)),
            initial=initial,
            initial_ended=_initial_ended(shape),
            columns=columns,
            timers=moments,
            constraints=constraints,
            pkey=shape.names.bare("pkey"),
        )

    whole = text(
        [
            *(shape.column(column) for column in shape.columns),
            *uniques.definitions(shape),
            *lanes.definitions(shape),
            *retention.definitions(shape),
        ],
        [_constraint(*one) for one in _checks(shape)],
        literal(shape.machine.initial),
        [Sql(f"{name} {type_}") for name, type_ in _moments(shape).items()],
    )
    table = shape.names.table
    return SqlObject("table", table, whole, f"drop table {table};", identity=text([], [], Sql("''"), []))


def _initial_ended(shape: Shape) -> Sql:
    return Sql("true" if shape.machine.initial in shape.ended else "false")


def _defaults(shape: Shape) -> SqlObject:
    """Where a new task starts, for a table that exists already."""
    table = shape.names.table
    text = (
        f"alter table {table} alter column state set default {literal(shape.machine.initial)},\n"
        f"  alter column _ended set default {_initial_ended(shape)};"
    )
    return SqlObject("column", f"{table} defaults", text, within=f"table {table}")


def _columns(shape: Shape) -> list[SqlObject]:
    return [_column(shape, column) for column in shape.columns]


def _column(shape: Shape, column: ir.Field) -> SqlObject:
    table, name = shape.names.table, ident(column.name)
    constant = shape.constant(column)
    add = f"alter table {table} add column {shape.column(column)}"
    if constant is not None and constant != "null":
        add += f" default {constant};\nalter table {table} alter column {name} drop default"
    drop = f"alter table {table} drop column {name};"
    definition = f"{shape.type(column.type)} {'null' if column.type.optional else 'not null'}"
    return SqlObject("column", f"{table}.{name}", f"{add};", drop, within=f"table {table}", identity=definition)


def _moments(shape: Shape) -> dict[str, str]:
    """The columns of a machine that has timers, with their types: the moment of each that runs, null where it is out,
    and the next one."""
    found = {"_timers": "timestamptz[]", "_timer_at": "timestamptz"} if timers.has_timers(shape.machine) else {}
    return {**found, **messages.columns(shape)}


def _timer_columns(shape: Shape) -> list[SqlObject]:
    table = shape.names.table
    return [
        SqlObject(
            "column",
            f"{table}.{name}",
            f"alter table {table} add column {name} {type_};",
            f"alter table {table} drop column {name};",
            within=f"table {table}",
        )
        for name, type_ in _moments(shape).items()
    ]


def _checks(shape: Shape) -> list[tuple[Sql, Sql]]:
    states = shape.listed(tuple(leaf.name for leaf in shape.leaves))
    return [(shape.names.bare("state_check"), Sql(f"check (state in ({states}))"))]


def _constraint(name: Sql, definition: Sql) -> Sql:
    return Sql(f"constraint {name} {definition}")


def _constraints(shape: Shape) -> list[SqlObject]:
    table = shape.names.table
    return [
        SqlObject(
            "constraint",
            f"{table}.{name}",
            f"alter table {table} add {_constraint(name, definition)} not valid;\nalter table {table} validate constraint {name};",
            f"alter table {table} drop constraint {name};",
            within=f"table {table}",
        )
        for name, definition in _checks(shape)
    ]


def _indexes(shape: Shape) -> list[SqlObject]:
    table, bare = shape.names.table, shape.names.bare
    found = [
        _index(shape, bare("key"), f"create unique index {bare('key')} on {table} (_key) where _key is not null;"),
        _index(shape, bare("stuck"), f"create index {bare('stuck')} on {table} (id) where _stuck is not null;"),
    ]
    if shape.works:
        found.insert(0, lanes.claim_index(shape))
    if timers.has_timers(shape.machine):
        text = f"create index {bare('timer')} on {table} (_timer_at, id) where _timer_at is not null;"
        found.append(_index(shape, bare("timer"), text))
    if (parent := messages.index(shape)) is not None:
        found.append(_index(shape, *parent))
    found += [_index(shape, *one) for one in retention.indexes(shape)]
    return [*found, *uniques.indexes(shape)]


def _index(shape: Shape, name: Sql, text: str) -> SqlObject:
    full = qualified(shape.module.name, str(name).strip('"'))
    return SqlObject("index", full, text, f"drop index {full};")


def _hops(shape: Shape) -> list[SqlObject]:
    hops = shape.names.internal("hops")
    bare = shape.names.bare_internal
    text = render(
        "hops_table",
        hops=hops,
        label=Sql(shape.names.label),
        view=shape.names.public("history"),
        at=shape.names.public("at"),
    )
    by_id, by_key = bare("hops_id"), bare("hops_key")
    return [
        SqlObject("table", hops, text, f"drop table {hops};"),
        _index(shape, by_id, f"create index {by_id} on {hops} (id, seq);"),
        _index(shape, by_key, f"create unique index {by_key} on {hops} (id, send_key) where send_key is not null;"),
        *(_index(shape, *one) for one in retention.hop_indexes(shape)),
    ]


def _step(shape: Shape) -> SqlObject:
    context = replace(shape.context, meets=partial(uniques.meets, shape))
    where = f"machine {shape.names.label}, {place(shape.machine.span)}"
    settable = [
        {
            "key": literal(var.name),
            "column": Sql(f"new.{ident(var.name)}"),
            "former": Sql(f"old.{ident(var.name)}"),
            "value": shape.var_value(var, "new._set"),
        }
        for var in shape.machine.vars
    ]
    name = shape.names.internal("step")
    enters, timing = step.enter_lines(context), timers.in_step(context)
    dispatch, exits = step.dispatch_lines(context), step.exit_lines(context)
    lines = "\n".join([*dispatch, *enters, *exits])
    text = render(
        "step",
        step=name,
        claims=step.plain_claims(shape.machine) if shape.plain else [],
        spawns=bool(spawns(shape.machine)),
        ends=step.plain_ends(context) if shape.plain else [],
        work=shape.works,
        settable=settable,
        dispatch=dispatch,
        enters=enters,
        exits=exits,
        meets="v_coming :=" in lines,
        meets_each="v_element" in lines,
        **timing,
        asks_again="v_again" in f"{enters} {timing.get('passing_timers')}",
        **messages.in_step(shape),
        **uniques.in_step(shape),
        tracks_origin=step.tracks_origin(shape.machine),
        filled=step.filled(context),
        reenters=timers.reenters(shape.machine),
        claimable_list=shape.claimable_list,
        running_list=shape.running_list,
        ended=Sql(f"new.state in ({shape.listed(shape.ended)})") if shape.ended else Sql("false"),
        hop_message=literal(f"{shape.names.label}: in state "),
        hop_detail=literal(where),
    )
    return function(name, _indented(text), "")


def _indented(text: Sql) -> Sql:
    """What stands between the marks of the loop over several events, one level deeper."""
    before, mark, rest = text.partition("--QUEUE\n")
    inside, _, after = rest.partition("--END\n")
    deeper = "".join(f"  {line}" if line.strip() else line for line in inside.splitlines(keepends=True))
    return Sql(before + deeper + after) if mark else text


def _spawned(shape: Shape) -> list[str]:
    """One call a machine that this one spawns, with all its new tasks."""
    lines: list[str] = []
    # By name, not as they stand: no two machines then wait for each other's unique tasks crosswise.
    for target in sorted({node.machine for node in spawns(shape.machine)}):
        schema, _, machine = target.rpartition(".")
        insert = qualified(schema or shape.module.name, f"_{machine}_insert")
        lines += _spawn_call(
            insert, target, checked=shape.news.keeps(shape.names.label, full_name(target, shape.module.name))
        )
    return lines


def _spawn_call(insert: Sql, target: str, *, checked: bool) -> list[str]:
    """`checked`: a task may turn out to be another than the one whose id was kept."""
    tasks = [
        "select jsonb_agg(s.value -> 'task' || jsonb_build_object('_at', n._at, '_by', n._actor) || case when not (s.value -> 'root')::boolean then",
        "  jsonb_build_object('_parent', n.id, '_root', n.root, '_depth', n.depth + 1) else '{}' end order by n.id, s.ordinality)",
        f"from n cross join lateral jsonb_array_elements(n._spawns) with ordinality s where s.value ->> 'machine' = {literal(target)}",
    ]
    if not checked:
        return [f"perform {insert}((", *(f"  {line}" for line in tasks[:-1]), f"  {tasks[-1]}));"]
    return [
        f"perform jet.need_named(v_tasks, array(select {insert}(v_tasks)), {literal(target)}) from (",
        *(f"  {line}" for line in tasks[:-1]),
        f"  {tasks[-1]}) x (v_tasks);",
    ]


def _log(shape: Shape) -> SqlObject:
    name = shape.names.internal("log")
    text = render(
        "log",
        log=name,
        table=shape.names.table,
        hops=shape.names.internal("hops"),
        was=shape.was,
        queues=shape.company.queues,
        post=shape.names.internal("post"),
        posts=messages.posts(shape, born=False),
        spawned=_spawned(shape),
        claimable=shape.works,
        claimable_list=shape.claimable_list,
        timers=timers.has_timers(shape.machine),
        work=shape.works,
        label=literal(shape.names.label),
        lost_label=literal(f"{shape.names.label} lost"),
        **lanes.for_log(shape),
    )
    return function(name, text, "")


def _begins(shape: Shape) -> bool:
    """Whether creating a task runs anything."""
    return step.begins(shape.machine) or shape.machine.initial in shape.company.flushes


def _born(shape: Shape) -> list[SqlObject]:
    if not _begins(shape):
        return []
    name = shape.names.internal("born")
    text = render(
        "born",
        born=name,
        hops=shape.names.internal("hops"),
        initial=literal(shape.machine.initial),
        was=Sql("null"),
        post=shape.names.internal("post"),
        posts=messages.posts(shape, born=True),
        spawned=_spawned(shape),
        claimable=shape.works,
        claimable_list=shape.claimable_list,
        timers=timers.has_timers(shape.machine),
        label=literal(shape.names.label),
    )
    return [function(name, text, "")]


def _triggers(shape: Shape) -> list[SqlObject]:
    table, internal = shape.names.table, shape.names.internal
    guarded = "\n    ".join(
        wrap_list([*_BUILT_IN, *_moments(shape), *(ident(column.name) for column in shape.columns)])
    )
    initial = literal(shape.machine.initial)
    fresh = (
        f"new.state <> {initial} or new.attempts <> 0 or new._seq <> 1 or new._event is not null or new._worker is not null\n"
        "    or new._hops is not null or new._spawns is not null or new._was_state is not null or new._stuck is not null"
    )
    if timers.has_timers(shape.machine):
        fresh += "\n    or num_nonnulls(new._timers, new._timer_at) > 0"
    found = {
        "refuse_update": f"before update of\n    {guarded}\n  on {table}\n  for each statement execute function jet.refuse_write();",
        "refuse_insert": f"before insert on {table}\n  for each row when (\n    {fresh})\n  execute function jet.refuse_write();",
        "step": f"before update of _event on {table}\n  for each row execute function {internal('step')}();",
        "log": f"after update on {table} referencing new table as n old table as o\n"
        f"  for each statement execute function {internal('log')}();",
    }
    if _begins(shape):
        found["step_insert"] = f"before insert on {table}\n  for each row execute function {internal('step')}();"
        found["born"] = (
            f"after insert on {table} referencing new table as n\n  for each statement execute function {internal('born')}();"
        )
    return [
        SqlObject("trigger", f"{table}.{name}", f"create trigger {name} {body}", f"drop trigger {name} on {table};")
        for name, body in found.items()
    ]


def _send(shape: Shape) -> list[SqlObject]:
    events = sendable(shape.machine)
    if not events:
        return []
    name, me = shape.names.public("send"), shape.names.bare("send")
    early = f"case when t._deferred -> -1 ->> 'event' = {me}._event then 'state ' || t.state || ' keeps ' || {me}._event || ' for later' else "
    reason = f"'state ' || t.state || ' does not take ' || {me}._event"
    if uniques.refusals(shape) and shape.company.queues:
        reason = f"case when t._event = 'refused' then t._payload ->> 'reason' else {reason} end"
    text = render(
        "send",
        applied=shape.applied,
        reason=Sql(f"{early}{reason} end" if shape.company.defers else reason),
        me=shape.names.bare("send"),
        send=name,
        table=shape.names.table,
        hops=shape.names.internal("hops"),
        settings=SINGLE,
        label=literal(shape.names.label),
        events=[
            {"name": literal(event), "spec": shape.spec(fields), "fields": shape.described(fields)}
            for event, fields in events.items()
        ],
        event_hint=literal(f"it takes {', '.join(events)}"),
        missing_hint=literal(f"the ids of all its tasks: select id from {shape.names.table}"),
        refusals=uniques.refusals(shape),
        unmet=uniques.unmet(shape),
        hears=shape.company.hears,
    )
    found = [function(name, text, "bigint, text, jsonb, text")]
    return [*found, *(_send_event(shape, event, fields) for event, fields in events.items())]


def _send_event(shape: Shape, event: str, fields: tuple[ir.Field, ...]) -> SqlObject:
    suffix = f"send_{event.lower()}"
    name, label = shape.names.public(suffix), shape.names.bare(suffix)
    ordered = sorted(fields, key=has_default)
    typed = (
        f"{ident(one.name)} {shape.type(one.type)}{' default null' if has_default(one) else ''}" for one in ordered
    )
    text = render(
        "send_event",
        function=name,
        me=label,
        name=Sql(event),
        event=literal(event),
        send=shape.names.public("send"),
        settings=SETTINGS,
        params=["_id bigint", *typed, "_key text default null"],
        payload=json_object([(one.name, f"{label}.{ident(one.name)}") for one in ordered]),
    )
    types = ", ".join(["bigint", *(shape.type(one.type) for one in ordered), "text"])
    return documented(function(name, text, types), types, event_text(shape.module, event, fields))


def _history(shape: Shape) -> SqlObject:
    view = shape.names.public("history")
    text = render(
        "history_view",
        view=view,
        hops=shape.names.internal("hops"),
        table=shape.names.table,
        trimmed=shape.machine.keep_history is not None,
    )
    return SqlObject("view", view, text, f"drop view {view};", signature="1")


def _at(shape: Shape) -> SqlObject:
    name = shape.names.public("at")
    built_in = "id bigint, state text, attempts integer, depth integer, parent bigint, root bigint"
    times = "created_at timestamptz, entered_at timestamptz, run_at timestamptz"
    returns = [Sql(built_in), Sql(times), *(Sql(f"{ident(one.name)} {shape.type(one.type)}") for one in shape.columns)]
    counting = [claim.state for claim in (step.plain_claims(shape.machine) if shape.plain else []) if claim.increments]

    def counted(column: str) -> Sql:
        return Sql(f"case when {column} in ({', '.join(counting)}) then 1 else 0 end" if counting else "0")

    text = render(
        "at",
        label=literal(shape.names.label),
        kept=retention.history_age(shape),
        at=name,
        table=shape.names.table,
        hops=shape.names.internal("hops"),
        returns=returns,
        pending_attempts=counted("t._was_state"),
        logged_attempts=counted("h.claimed_state"),
        params=[ident(param.name) for param in shape.machine.params],
        vars=[{"column": ident(var.name), "value": shape.var_value(var, "w.was")} for var in shape.machine.vars],
    )
    return function(name, text, "timestamptz")


def _data(shape: Shape, hash: str) -> SqlObject:
    module, machine = shape.module, shape.machine
    where = f"module = {literal(module.name)} and name = {literal(machine.name)}"
    text = (
        "insert into jet.machine (module, name, hash, manifest)\n"
        f"values ({literal(module.name)}, {literal(machine.name)}, {literal(hash)},\n"
        f"  {json_literal({**manifest(module, machine), **messages.told(shape)})})\n"
        "on conflict (module, name) do update set hash = excluded.hash, manifest = excluded.manifest;"
    )
    return SqlObject("data", f"jet.machine {shape.names.label}", text, f"delete from jet.machine where {where};")
