"""IR statements as PL/pgSQL lines inside the step function.

A taken arrow sets `v_to`, a raised event `v_event`; where something would still follow in an enclosing block, it leaves
the labelled block `clause` so that nothing runs behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jetpackc.emit.expressions import Scope, expression, top
from jetpackc.emit.sql import Sql, comment, interval_literal, json_object, literal
from jetpackc.ir import model as ir
from jetpackc.records import dataclass
from jetpackc.source import Span

Lines = Iterator[str]
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Meets:
    """What a spawn may meet under `unique … or return`: queries for the task that is there, and for the id of one that
    this update is about to make; by what those of one spawn are the same, a list of values a unique."""

    there: list[Sql]
    coming: list[Sql]
    by: list[Sql]


@dataclass(frozen=True, slots=True)
class Context:
    """What the statements of one machine need to know: their machine's vars, and how to reach things."""

    module: ir.Module
    machine: ir.Machine
    scope: Scope
    reentered: str = ""
    """The state that `reenter` means where the statements stand."""
    meets: Callable[[ir.Spawn], Meets | None] | None = None
    """What a spawn may meet, where it matters which task it is."""
    hears: bool = False
    """Whether one update may be several dispatches, each with its own actor and time."""

    @property
    def var_names(self) -> frozenset[str]:
        """The machine's own vars, which the history tells of when they change."""
        return frozenset(var.name for var in self.machine.vars)


def place(span: Span) -> str:
    """`workflows.jet line 14`, for comments; empty where nothing is known. Without folders: the same wherever it is built."""
    return comment(f"{span.path.rpartition('/')[2]} line {span.line}") if span.line else ""


def block(statements: tuple[ir.Statement, ...], context: Context, *, tail: bool = True) -> Lines:
    """The lines of a block. `tail`: nothing follows it in its clause, so a jump needs no `exit`."""
    if not statements:
        yield "null;"
    for index, node in enumerate(statements):
        yield from _statement(node, context, tail=tail and index == len(statements) - 1)


def conditional(branches: tuple[tuple[ir.Expr | None, list[str]], ...], context: Context, otherwise: str = "") -> Lines:
    """`if … elsif … else … end if;` over arms of ready lines; `otherwise` stands in the last `else` if there is none."""
    if branches[0][0] is None:
        yield from branches[0][1]
        return
    for index, (guard, lines) in enumerate(branches):
        if guard is None:
            yield "else"
        else:
            yield f"{'els' if index else ''}if {top(guard, context.scope)} then"
        yield from indent(lines)
        if guard is None:
            break
    else:
        if otherwise:
            yield "else"
            yield INDENT + otherwise
    yield "end if;"


def indent(lines: list[str]) -> Lines:
    """One level deeper."""
    return (INDENT + line for line in lines)


def _statement(node: ir.Statement, context: Context, *, tail: bool) -> Lines:
    match node:
        case ir.Set():
            yield from _set(node, context)
        case ir.Goto():
            yield from _goto(node, context, tail=tail)
        case ir.Raise():
            yield f"v_raised := {literal(node.event)};"
            if not tail:
                yield "exit clause;"
        case ir.Fail():
            yield from _fail(node, context)
        case ir.Spawn():
            yield from _spawn(node, context)
        case ir.Send():
            yield from _send(node, context)
        case ir.When():
            arms = tuple((branch.guard, list(block(branch.body, context, tail=tail))) for branch in node.branches)
            yield from conditional(arms, context)


def _set(node: ir.Set, context: Context) -> Lines:
    column = context.scope.column(node.name)
    yield f"{column} := {top(node.value, context.scope)};"
    if node.name in context.var_names:
        yield f"v_changed := coalesce(v_changed, '{{}}') || jsonb_build_object({literal(node.name)}, {column});"


def _goto(node: ir.Goto, context: Context, *, tail: bool) -> Lines:
    yield f"v_to := {literal(node.target)};"
    if node.delay is not None:
        yield f"v_delay := {top(node.delay, context.scope)};"
    if node.reenter:
        yield f"v_reenter := {literal(context.reentered)};"
    if not tail:
        yield "exit clause;"


def _fail(node: ir.Fail, context: Context) -> Lines:
    where = f"machine {context.module.name}.{context.machine.name}, {place(node.span)}"
    yield f"raise exception using message = {top(node.message, context.scope)}, errcode = 'P0001',"
    yield f"  detail = {literal(where)};"


def _spawn(node: ir.Spawn, context: Context) -> Lines:
    meets = context.meets(node) if context.meets is not None else None
    if meets is not None:
        yield from _meeting(node, meets, context)
        return
    if node.alias:
        yield from _keep_id(node, "nextval('jet.task_id')", context)
    told = _told(node, [("_as", context.scope.column(node.alias))] if node.alias else [], context)
    if node.items is None:
        yield "v_spawns := coalesce(v_spawns, '[]') || jsonb_build_object("
        yield f"  {told});"
        return
    yield "v_spawns := coalesce(v_spawns, '[]') || ("
    yield "  select coalesce(jsonb_agg(jsonb_build_object("
    yield f"    {told}) order by i.n), '[]')"
    yield f"  from {_elements(node, context)} as i (value, n));"


def _keep_id(node: ir.Spawn, id: str, context: Context) -> Lines:
    column = context.scope.column(node.alias)
    yield f"{column} := {id};"
    yield f"v_changed := coalesce(v_changed, '{{}}') || jsonb_build_object({literal(node.alias)}, {column});"


def _told(node: ir.Spawn, more: list[tuple[str, Sql]], context: Context, met: str = "") -> str:
    """The members of a task to be made."""
    members = [(name, json_value(value, context.scope)) for name, value in node.arguments]
    if node.delay is not None:
        members.append(("_delay", expression(node.delay, context.scope)))
    root = "true" if node.root else "false"
    told = f" 'met', {met}," if met else ""
    return f"'machine', {literal(node.machine)}, 'root', {root},{told} 'task', {json_object([*members, *more])}"


def _elements(node: ir.Spawn, context: Context) -> str:
    return f"unnest({top(node.items, context.scope)}) with ordinality" if node.items is not None else ""


def _meeting(node: ir.Spawn, meets: Meets, context: Context) -> Lines:
    """A spawn whose task may be there already, or be about to be made by this update: that one is no task more."""
    there, coming = (f"coalesce({', '.join(found)})" for found in (meets.there, meets.coming))
    if node.items is None:
        yield f"v_coming := {coming};"
        yield f"v_there := {there};"
        if node.alias:
            yield from _keep_id(node, "coalesce(v_coming, v_there, nextval('jet.task_id'))", context)
        id = context.scope.column(node.alias) if node.alias else Sql("coalesce(v_there, nextval('jet.task_id'))")
        yield "if v_coming is null then"
        yield "  v_spawns := coalesce(v_spawns, '[]') || jsonb_build_object("
        yield f"    {_told(node, [('_as', id)], context, 'v_there is not null')});"
        yield "end if;"
        return
    told = _told(node, [("_as", Sql("coalesce(i.there, nextval('jet.task_id'))"))], context, "i.there is not null")
    first, elements = f"row_number() over (partition by {meets.by[0]} order by i.n)", _elements(node, context)
    several = len(meets.by) > 1
    if several:
        # One by one: each may meet one before it by one unique and another by another.
        yield f"for v_element in select x.value, x.n from {elements} as x (value, n) order by x.n loop"
        first, elements = "1", "(select v_element.value, v_element.n)"
    lines = [
        "v_spawns := coalesce(v_spawns, '[]') || (",
        "  select coalesce(jsonb_agg(jsonb_build_object(",
        f"    {told}) order by i.n), '[]')",
        f"  from (select i.value, i.n, {there} as there, {coming} as coming, {first} as nth from {elements} as i (value, n) order by i.n) i",
        "  where i.coming is null and i.nth = 1);",
    ]
    yield from indent(lines) if several else lines
    if several:
        yield "end loop;"


def _send(node: ir.Send, context: Context) -> Lines:
    """A message, which the statement trigger hands on: to one task, where there is one, or to kin that it finds."""
    members = [(name, json_value(value, context.scope)) for name, value in node.arguments]
    payload = json_object(members) if members else "null::jsonb"
    way = {"children": "children", "subtree": "subtree", "siblings": "siblings"}.get(node.kin, "one")
    to = {"parent": "new.parent", "siblings": "new.parent", "root": "new.root"}.get(node.kin, "null")
    if node.to is not None:
        to = top(node.to, context.scope)
    told = [f"'way', '{way}', 'event', {literal(node.event)}, 'payload', {payload}"]
    told += [f"'receiver', {to}"] if to != "null" else []
    told += ["'but', new.id"] if way == "siblings" else []
    told += ["'actor', new._actor, 'at', v_now"] if context.hears else []
    line = f"v_posts := coalesce(v_posts, '[]') || jsonb_build_object({', '.join(told)});"
    if to in {"null", "new.root"}:
        yield line
        return
    yield f"if {to} is not null then"
    yield f"  {line}"
    yield "end if;"


def json_value(value: ir.Expr, scope: Scope) -> Sql:
    """A value as an argument of `jsonb_build_object`, which is told no types."""
    text = top(value, scope)
    if isinstance(value, ir.Literal) and value.type.kind == "interval" and isinstance(value.value, int):
        return interval_literal(value.value)
    if isinstance(value, ir.Literal) and value.value is None:
        return Sql("null::text")
    return text
