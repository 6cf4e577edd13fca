"""Messages between tasks: what the step function does with those that come, what the statement trigger hands on, and the
functions that post and apply them."""

from __future__ import annotations

from collections.abc import Sequence

from jetpackc.emit.company import Company
from jetpackc.emit.expressions import typed
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.shape import KEYED, PINNED, SETTINGS, SINGLE, Shape
from jetpackc.emit.sql import Sql, ident, literal, qualified
from jetpackc.ir import chart, model as ir
from jetpackc.ir.news import DONE, FLUSHED, UPDATE


def columns(shape: Shape) -> dict[str, str]:
    """The columns that all this takes, with their types."""
    return {column: type_ for column, _, type_ in (text.partition(" ") for text in shape.company.columns)}


def told(shape: Shape) -> dict[str, object]:
    """What workers, clients and tools must know: whether it takes messages, which machines may get some from it, and
    whether it keeps events for later."""
    found = {"hears": shape.company.hears, "reaches": shape.company.reached, "defers": shape.company.defers}
    return {key: value for key, value in found.items() if value}


def functions(shape: Shape) -> list[SqlObject]:
    """What posts, and what applies."""
    return [*_posting(shape), *_pumping(shape)]


def _posting(shape: Shape) -> list[SqlObject]:
    if not shape.company.posts:
        return []
    name = shape.names.internal("post")
    arms = shape.company.arms() or ["select null::text, null::bigint where false"]
    return [function(name, render("post", post=name, table=shape.names.table, settings=SINGLE, arms=arms), "jsonb")]


def _pumping(shape: Shape) -> list[SqlObject]:
    if not shape.company.hears:
        return []
    names = {
        "table": shape.names.table,
        "label": literal(shape.names.label),
        "apply": shape.names.internal("apply"),
        "alone": shape.names.internal("alone"),
        "pump": shape.names.public("pump"),
        "trouble": shape.names.internal("trouble"),
        "settings": SETTINGS,
        "pinned": PINNED,
        "keyed": KEYED,
    }
    types = {"apply": "bigint[], bigint[]", "alone": "bigint, bigint[]", "pump": "integer"}
    return [function(names[one], render(one, **names), types[one]) for one in types]


def pump_all(module: ir.Module, shapes: Sequence[Shape]) -> list[SqlObject]:
    """What jet.tick calls for the messages of this module."""
    pumps = [
        {"label": literal(shape.names.label), "pump": shape.names.public("pump")}
        for shape in shapes
        if shape.company.hears
    ]
    if not pumps:
        return []
    name, trigger = qualified(module.name, "_pump"), ident(f"{module.name}_pump")
    text = f"create trigger {trigger} after update of pumps on jet.pulse\n  for each row execute function {name}();"
    return [
        function(name, render("pump_all", pump_all=name, pumps=pumps), ""),
        SqlObject("trigger", f"jet.pulse.{trigger}", text, f"drop trigger {trigger} on jet.pulse;"),
    ]


def index(shape: Shape) -> tuple[Sql, str] | None:
    """The index by which a parent finds its children, where it looks for them."""
    if not shape.company.sought:
        return None
    name = shape.names.bare("parent")
    return name, f"create index {name} on {shape.names.table} (parent) where parent is not null;"


# ---------------------------------------------------------------- in the step function


def in_step(shape: Shape) -> dict[str, object]:
    """What the template of the step function asks for."""
    company = shape.company
    counted = [company.counts_subtree and "new._subtree", company.counts_children and "new._children"]
    handled = {DONE: company.hears_done, UPDATE: company.updates, FLUSHED: company.flushes}
    return {
        "queues": company.queues,
        "hears": company.hears,
        "says": company.says,
        "told": bool(company.told),
        "forwards": company.forwards,
        "defers": company.defers,
        "returns": company.returns,
        "flushes": bool(company.flushes),
        "updates": bool(company.updates),
        "stirs": _stirs(company),
        "gathers": _gathers(company),
        "owns": company.counts_children or _gathers(company),
        "flush_list": shape.listed(company.flushes),
        "flushed": _flushed(shape),
        "newborn_keys": company.newborn_keys,
        "counts": [Sql(column) for column in counted if column],
        "lifecycle": Sql(", ".join(literal(event) for event, there in handled.items() if there and company.told)),
        "deferred": _deferred(shape),
        "result": _result(shape),
        "fold": _fold(shape) if company.told else [],
        "sort_out": _sort_out(shape),
        "passes": _passes(shape),
        "step_was": shape.was_of("new", "old"),
    }


def _flushed(shape: Shape) -> Sql:
    """Whether nothing below the task is unfinished, those that this dispatch makes counted too."""
    if not shape.company.counts_subtree:
        return Sql("true")
    return Sql(f"jet.unfinished(jet.add(new._subtree, jet.newborn(v_spawns, {shape.company.newborn_keys}))) <= 0")


def _deferred(shape: Shape) -> Sql:
    machine = shape.machine
    found = {leaf.name: chart.deferred(machine, leaf.name) for leaf in shape.leaves}
    parts = (
        f"new.state = {literal(leaf)} and v_event in ({shape.listed(events)})"
        for leaf, events in found.items()
        if events
    )
    return Sql(" or ".join(parts))


def _result(shape: Shape) -> Sql:
    arms = [
        f"when {literal(leaf.name)} then coalesce(to_jsonb({typed(leaf.result, shape.row_scope)}), 'null')"
        for leaf in shape.leaves
        if leaf.result is not None
    ]
    return Sql(f"case new.state {' '.join(arms)} end")


def _fold(shape: Shape) -> list[str]:
    """What children report is counted, and goes up with the task's own news. What is left in the queue of it are the
    events that it causes here, those of all that came once and at the end."""
    company = shape.company
    lines = []
    if company.counts_children or _gathers(company):
        lines.append("v_own := jet.gathered(v_queue, 'own');")
    if _gathers(company):
        lines.append("v_news := jet.add(v_own, jet.gathered(v_queue, 'below'));")
    if company.flushes:
        lines.append("v_fell := jet.unfinished(new._subtree) > 0;")
    if company.counts_children:
        lines.append("new._children := jet.add(new._children, v_own);")
    if company.counts_subtree:
        lines.append("new._subtree := jet.add(new._subtree, v_news);")
    if company.flushes:
        lines.append("v_fell := v_fell and jet.unfinished(new._subtree) <= 0;")
    module = f"{shape.module.name}."
    if company.updates or _stirs(company):
        lines.append("v_told := exists (select from unnest(v_queue) m where m ->> 'event' = 'news');")
    lines.append(f"v_queue := jet.unfolded(v_queue, {literal(module)});")
    if company.updates:
        lines += ["if v_told then", f"  v_queue := v_queue || {_entry(UPDATE)};", "end if;"]
    if company.flushes:
        lines += ["if v_fell then", f"  v_queue := v_queue || {_entry(FLUSHED)};", "end if;"]
    return lines


def _gathers(company: Company) -> bool:
    """Whether it has to do with news of those below its children."""
    return company.counts_subtree or company.forwards


def _stirs(company: Company) -> bool:
    """Whether it hands on that something has changed, though no count has."""
    return company.forwards and company.stirs


def _entry(event: str) -> str:
    return f"jsonb_build_object('event', '{event}', 'actor', 'jet.pump')"


def _passes(shape: Shape) -> bool:
    """Whether it hands on what is for others."""
    return bool(shape.company.handed_on or (shape.company.spread and shape.company.says))


def _sort_out(shape: Shape) -> list[str]:
    """Messages that are not for this task, or not any more."""
    company = shape.company
    lines: list[str] = []
    if company.handed_on:
        lines += [
            "if v_one ->> 'way' = 'siblings' then",
            "  -- From one of its children to the others.",
            "  v_posts := coalesce(v_posts, '[]') || jsonb_build_object('way', 'children', 'event', v_one ->> 'event', 'payload', v_one -> 'payload',",
            "    'but', v_one -> 'sender', 'actor', v_one -> 'actor');",
            "  continue queue;",
            "end if;",
        ]
    if company.spread:
        if company.says:
            lines += [
                "if v_one ->> 'way' = 'subtree' then",
                "  v_posts := coalesce(v_posts, '[]') || jsonb_build_object('way', 'subtree', 'event', v_one ->> 'event', 'payload', v_one -> 'payload',",
                "    'actor', v_one -> 'actor');",
                "end if;",
            ]
        passing = tuple(sorted(event for event in company.spread if not shape.kin.takes(shape.names.label, event)))
        if passing:
            lines.append(f"continue queue when v_one ->> 'event' in ({shape.listed(passing)});")
    if _passes(shape):
        lines.append("continue queue when (v_one -> 'passed') is not null;")
    for event, leaves in ((DONE, company.hears_done), (UPDATE, company.updates)):
        if company.told and (leaves or event == DONE):
            elsewhere = f" and new.state not in ({shape.listed(leaves)})" if leaves else ""
            lines.append(f"continue queue when v_one ->> 'event' = '{event}'{elsewhere};")
    if company.told and company.flushes:
        lines.append(
            f"continue queue when v_one ->> 'event' = '{FLUSHED}' and (not v_fell or new.state not in ({shape.listed(company.flushes)})"
            " or jet.unfinished(new._subtree) > 0);"
        )
    return lines


# ---------------------------------------------------------------- in the statement triggers


def posts(shape: Shape, *, born: bool) -> list[str]:
    """The query for all that the rows of a statement have for other tasks."""
    company = shape.company
    parts = [_said()] if company.says else []
    parts += [_news(shape, born=born)] if company.tells else []
    if not parts:
        return []
    lines = ["select jsonb_agg(x.post order by x.part, x.id, x.place) from ("]
    for number, part in enumerate(parts):
        lines += [f"  {line}" for line in (["union all"] if number else []) + part]
    return [*lines[:-1], f"{lines[-1]}) x (part, id, place, post)"]


def _said() -> list[str]:
    return [
        "select 1, n.id, p.ordinality, jsonb_build_object('sender', n.id, 'actor', n._actor, 'at', n._at) || p.value",
        "from n cross join lateral jsonb_array_elements(n._posts) with ordinality p where n._posts is not null",
    ]


def _news(shape: Shape, *, born: bool) -> list[str]:
    """One message a parent, with all that its children of this statement have to report: a task that ends and makes
    another at once must not be seen between the two."""
    company = shape.company
    before = literal(shape.machine.initial) if born else Sql("o.state")
    source = "n" if born else "n join o on o.id = n.id"
    ended = str(shape.machine.initial in shape.ended).lower() if born else "o._ended"
    # Two that change places change no count; they are news where somebody asks for each change.
    having = "" if company.stirs else " having sum({}) <> 0"
    new, old = company.key_of("n.state"), company.key_of(str(before))
    lines = [
        "select 2, null::bigint, null::bigint, jsonb_build_object('way', 'one', 'receiver', c.parent, 'event', 'news', 'actor', 'jet.pump',",
        "  'at', c.at, 'payload', jsonb_build_object('own', c.own, 'below', c.below, 'done', c.done))",
        "from (",
        "  select c.parent, max(c.at) as at, jsonb_object_agg(c.key, c.number) filter (where c.part = 'own') as own,",
        "    jsonb_object_agg(c.key, c.number) filter (where c.part = 'below') as below,",
        "    jsonb_agg(c.done order by c.id) filter (where c.part = 'done') as done",
        "  from (",
        "    select n.parent, 'own' as part, k.key, sum(k.number) as number, null::jsonb as done, null::bigint as id, max(n._at) as at",
        f"    from {source} cross join lateral (values ({new}, 1), ({old}, -1)) k (key, number)",
        f"    where n.parent is not null and {new} <> {old} group by n.parent, k.key{having.format('k.number')}",
    ]
    if company.forwards:
        lines += [
            "    union all",
            "    select n.parent, 'below', b.key, sum(b.value::bigint), null, null, max(n._at) from n cross join lateral jsonb_each_text(n._news) b",
            f"    where n.parent is not null group by n.parent, b.key{having.format('b.value::bigint')}",
        ]
    if company.tells_done:
        result = "n._result" if company.returns else "null"
        lines += [
            "    union all",
            f"    select n.parent, 'done', null, null, jsonb_build_object('machine', {literal(shape.names.label)}, 'id', n.id, 'state', n.state,",
            f"      'result', {result}), n.id, n._at from {source} where n.parent is not null and n._ended and not {ended}",
        ]
    return [*lines[:-1], f"{lines[-1]}) c group by c.parent) c"]
