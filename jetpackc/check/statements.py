"""Clauses and their statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jetpackc.check import types
from jetpackc.check.expressions import guard, typed, value
from jetpackc.check.facts import where_not_true, where_true
from jetpackc.check.messages import send
from jetpackc.check.operators import arithmetic
from jetpackc.check.scope import RESERVED, Key, Scope
from jetpackc.check.spawn import BROKEN, spawn
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules, types as type_rules
from jetpackc.ir import model as ir
from jetpackc.records import dataclass, replace
from jetpackc.source import Span
from jetpackc.syntax import ast


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands. `entries` maps each state to the leaf that `->` to it enters (None: it has none),
    `owner` is the state of the clause (None: the machine), `events` are those it answers, `arrow` is its own `->`."""

    entries: Mapping[str, str | None]
    claimable: frozenset[str]
    owner: str | None
    in_exit: bool = False
    arrow: Span | None = None
    events: tuple[str, ...] = ()


def clause(node: ast.Clause, events: tuple[str, ...], scope: Scope, place: Place, span: Span) -> ir.Clause:
    """A clause; its own arrow becomes the last statement of its body."""
    condition = None if node.guard is None else guard(node.guard, scope) or BROKEN
    arrow = None if node.target is None else node.target.span
    inner, place = scope.knowing(where_true(condition)), replace(place, events=events, arrow=arrow)
    at = node.span if node.guard is None else node.guard.span
    if node.target is None:
        return ir.Clause(events, condition, block(node.body, inner, place), span, at)
    statements = block(node.body, inner, place)
    last = _goto(node.target, after(statements, inner), place)
    return ir.Clause(events, condition, (*statements, *last), span, at)


def block(nodes: Iterable[ast.Statement], scope: Scope, place: Place) -> tuple[ir.Statement, ...]:
    """Statements in order; each sees what the ones before it have shown or undone."""
    statements: list[ir.Statement] = []
    for node in nodes:
        if statements and ends(statements[-1]):
            behind = Label(statements[-1].span, "this ends the block")
            message = "nothing runs behind `->`"
            scope.report.add(flow_rules.CODE_AFTER_ARROW, message, node.span, "never runs", secondary=[behind])
            break
        lowered = _statement(node, scope, place)
        statements += lowered
        scope = after(lowered, scope)
    return tuple(statements)


def ends(statement: ir.Statement) -> bool:
    """Whether nothing can run behind the statement: it takes `->` or raises on every path."""
    match statement:
        case ir.Goto() | ir.Raise():
            return True
        case ir.When(branches=branches):
            return branches[-1].guard is None and all(arm.body and ends(arm.body[-1]) for arm in branches)
        case _:
            return False


def after(statements: Iterable[ir.Statement], scope: Scope) -> Scope:
    """The scope behind statements: a var that was set is as null as its value may be."""
    for statement in statements:
        match statement:
            case ir.Set(name=name, value=new):
                scope = scope.forgetting([name])
                scope = scope if new.type.optional else scope.knowing([("var", name)])
            case ir.Spawn(alias=alias) if alias:
                scope = scope.knowing([("var", alias)])
            case ir.When(branches=branches):
                assigned = {name for arm in branches for name in assigned_in(arm.body)}
                scope = scope.knowing(_shown(branches)).forgetting(assigned)
            case _:
                pass
    return scope


def _shown(branches: Sequence[ir.Branch]) -> frozenset[Key]:
    """What is not null behind a `when`: what all ways that lead out of it have shown."""
    before: frozenset[Key] = frozenset()
    ways: list[frozenset[Key]] = []
    for branch in branches:
        if not any(_stops(statement) for statement in branch.body):
            ways.append(before | where_true(branch.guard))
        before |= where_not_true(branch.guard)
    if branches[-1].guard is not None:
        ways.append(before)
    return frozenset.intersection(*ways) if ways else before


def _stops(statement: ir.Statement) -> bool:
    """Whether nothing of the clause runs behind the statement, on any path."""
    if isinstance(statement, ir.When):
        arms = statement.branches
        return arms[-1].guard is None and all(any(map(_stops, arm.body)) for arm in arms)
    return isinstance(statement, ir.Goto | ir.Raise | ir.Fail)


def assigned_in(statements: Iterable[ir.Statement]) -> set[str]:
    """The vars that statements may set."""
    found: set[str] = set()
    for statement in statements:
        match statement:
            case ir.Set(name=name) | ir.Spawn(alias=name):
                found.add(name)
            case ir.When(branches=branches):
                found.update(name for arm in branches for name in assigned_in(arm.body))
            case _:
                pass
    return found


def _statement(node: ast.Statement, scope: Scope, place: Place) -> tuple[ir.Statement, ...]:
    match node:
        case ast.Goto():
            return _arrow(node, scope, place)
        case ast.Raise():
            return _raise(node, scope, place)
        case ast.Set():
            return _set(node, scope)
        case ast.Increment():
            return _increment(node, scope)
        case ast.Fail():
            message = value(node.message, scope, types.TEXT)
            return (ir.Fail(message or BROKEN, node.span),)
        case ast.Spawn():
            return spawn(node, scope)
        case ast.When():
            return (_when(node, scope, place),)
        case ast.Send():
            return send(node, scope)
        case ast.Apply():
            return ()


# ---------------------------------------------------------------- arrows


def _arrow(node: ast.Goto, scope: Scope, place: Place) -> tuple[ir.Statement, ...]:
    """An arrow in a block, which may have none of its own."""
    return _goto(node, scope, place) if _may_leave(node.span, "`->`", scope, place) else ()


def _may_leave(span: Span, what: str, scope: Scope, place: Place) -> bool:
    if place.in_exit:
        message = f"{what} in an `exit` block"
        scope.report.add(flow_rules.ARROW_IN_EXIT, message, span, "the state is being left already")
        return False
    if place.arrow is not None:
        taken = Label(place.arrow, "the clause goes here")
        message = f"{what} in the block of a clause that has a target"
        help = "keep one of the two, or put both in the block behind `when` and `else`"
        scope.report.add(flow_rules.SECOND_TARGET, message, span, "a second target", secondary=[taken], help=help)
        return False
    return True


def _goto(node: ast.Goto, scope: Scope, place: Place) -> tuple[ir.Statement, ...]:
    if node.target is None:
        return _reenter(node, place)
    target = node.target.text
    delay = None if node.delay is None else value(node.delay, scope, types.INTERVAL) or BROKEN
    if target not in place.entries:
        scope.report.unknown(name_rules.UNKNOWN_STATE, "state", target, node.target.span, place.entries)
        return ()
    leaf = place.entries[target]
    if leaf is None:
        return ()
    if node.delay is not None and leaf not in place.claimable:
        message = f"`{target}` is not claimable, and `in` delays nothing but a claim"
        help = "only a state with an `on LOCKED_BY_WORKER` clause waits for a worker"
        scope.report.add(flow_rules.DELAY_NOT_CLAIMABLE, message, node.delay.span, "delays nothing", help=help)
    return (ir.Goto(leaf, delay, span=node.span),)


def _reenter(node: ast.Goto, place: Place) -> tuple[ir.Statement, ...]:
    leaf = "" if place.owner is None else place.entries[place.owner]
    return (ir.Goto(leaf, reenter=True, span=node.span),) if leaf is not None else ()


def _raise(node: ast.Raise, scope: Scope, place: Place) -> tuple[ir.Statement, ...]:
    if node.event.text != "ABANDONED":
        message = f"`{node.event.text}` cannot be raised"
        help = "a machine raises `ABANDONED` alone, to say that its attempts are used up"
        scope.report.add(flow_rules.LIFECYCLE_EVENT, message, node.event.span, "not by a machine", help=help)
        return ()
    if "ABANDONED" in place.events:
        message, label = "`ABANDONED` cannot be raised in answer to itself", "this would go on for ever"
        scope.report.add(flow_rules.LIFECYCLE_EVENT, message, node.event.span, label, help="go to a state, or `fail`")
        return ()
    return (ir.Raise("ABANDONED", node.span),) if _may_leave(node.span, "`raise`", scope, place) else ()


# ---------------------------------------------------------------- effects


def _set(node: ast.Set, scope: Scope) -> tuple[ir.Statement, ...]:
    known, wanted = _assignable(node.name, scope)
    declared = scope.vars[node.name.text].span if node.name.text in scope.vars else None
    found = typed(node.value, scope) if wanted is None else value(node.value, scope, wanted, declared)
    return (ir.Set(node.name.text, found or BROKEN, node.span),) if known else ()


def _increment(node: ast.Increment, scope: Scope) -> tuple[ir.Statement, ...]:
    known, declared = _assignable(node.name, scope)
    if not known or declared is None:
        return ()
    name = node.name.text
    if not types.is_number(declared):
        message = f"`increment` does not take `{types.show(declared)}`"
        scope.report.add(type_rules.BAD_OPERANDS, message, node.name.span, f"a `{types.show(declared)}`")
        return ()
    found = scope.member("var", name)
    old = ir.Ref("var", name, found[1]) if found and found[1] else ir.Ref("builtin", name, types.INT)
    written = ast.Binary("+", ast.Variable(name, node.name.span), ast.Constant("int", "1", node.span), node.span)
    new = arithmetic(written, old, ir.Literal(1, types.INT), scope.report)
    return (ir.Set(name, new or BROKEN, node.span),)


def _assignable(name: ast.Name, scope: Scope) -> tuple[bool, ir.Type | None]:
    """Whether it is a var (or `attempts`), and of which type."""
    if name.text in scope.vars:
        return True, scope.vars[name.text].type
    if name.text == "attempts":
        return True, types.INT
    kind = next((kind for kind, names in _fixed(scope).items() if name.text in names), None)
    if kind is None:
        candidates = [*scope.vars, "attempts"]
        scope.report.unknown(name_rules.UNKNOWN_VAR, "var", name.text, name.span, candidates)
    else:
        message = f"`{name.text}` is {kind} and cannot be set"
        help = "declare a var for what changes" if kind != "built in" else ""
        scope.report.add(type_rules.NOT_ASSIGNABLE, message, name.span, f"{kind}", help=help)
    return False, None


def _fixed(scope: Scope) -> dict[str, Iterable[str]]:
    return {"a param": scope.params, "built in": RESERVED, "a field of the event": scope.event or {}}


def _when(node: ast.When, scope: Scope, place: Place) -> ir.When:
    branches = []
    for branch in node.branches:
        condition = None if branch.guard is None else guard(branch.guard, scope) or BROKEN
        body = block(branch.body, scope.knowing(where_true(condition)), place)
        at = branch.span if branch.guard is None else branch.guard.span
        branches.append(ir.Branch(condition, body, branch.span, at))
        scope = scope.knowing(where_not_true(condition))
    return ir.When(tuple(branches), node.span)
