"""`spawn`: one task or one an element of an array, of another machine or of the same; and the var that keeps its id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jetpackc.check import types
from jetpackc.check.arguments import Callee, match
from jetpackc.check.expressions import typed, value
from jetpackc.check.report import Report
from jetpackc.check.scope import RESERVED, Fields, Scope, Typed
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules, types as type_rules
from jetpackc.ir import model as ir
from jetpackc.records import replace
from jetpackc.syntax import ast

BROKEN = ir.Literal(None, types.NULL)
"""Stands for an expression that has an error, so that the checks behind see the same shape."""


def spawn(node: ast.Spawn, scope: Scope) -> tuple[ir.Statement, ...]:
    """The statement, if there is such a machine."""
    name = scope.machine if node.machine.text == "self" else node.machine.text
    params = scope.module.machines.get(name.removeprefix(f"{scope.module.name}."))
    items, inner = _each(node, scope)
    _check_alias(node, scope)
    delay = None if node.delay is None else value(node.delay, inner, types.INTERVAL) or BROKEN
    if params is None:
        if node.machine.text != "self":  # which, in an operator by itself, is no machine yet
            _unknown(node, scope)
        return ()
    arguments = _arguments(node, params, inner)
    alias, item = (part.text if part is not None else "" for part in (node.alias, node.item))
    machine = name.removeprefix(f"{scope.module.name}.")
    return (ir.Spawn(machine, arguments, node.root, delay, alias, item, items, node.span),)


def _unknown(node: ast.Spawn, scope: Scope) -> None:
    module, _, _ = node.machine.text.rpartition(".")
    help = f"a file that is to name it begins with an import of the file of module `{module}`" if module else ""
    machines = [*scope.module.machines, "self"]
    report, name = scope.report, node.machine
    report.unknown(name_rules.UNKNOWN_MACHINE, "machine", name.text, name.span, machines, help=help)


def _each(node: ast.Spawn, scope: Scope) -> tuple[ir.Expr | None, Scope]:
    """The array behind `for`, and the scope in which its element has a name."""
    if node.items is None or node.item is None:
        return None, scope
    if node.item.text in RESERVED:
        message = f"`{node.item.text}` is built in and names no element"
        scope.report.add(name_rules.BUILTIN_NAME, message, node.item.span, "taken", help="choose another name")
    items = typed(node.items, scope)
    if items is not None and (not items.type.array or items.type.optional):
        shown = types.show(items.type)
        message = f"`for` goes through an array, and this is a `{shown}`"
        help = "say what stands in for null: `xs ?? []`" if items.type.array else ""
        scope.report.add(type_rules.TYPE_MISMATCH, message, node.items.span, f"a `{shown}`", help=help)
        items = None
    type = None if items is None else replace(items.type, array=False)
    return items or BROKEN, replace(scope, item=Typed(node.item.text, type, node.item.span))


def _arguments(node: ast.Spawn, params: Fields, scope: Scope) -> tuple[tuple[str, ir.Expr], ...]:
    left_out = {param.name: param.may_be_left_out for param in params.values()}
    places = {param.name: param.span for param in params.values()}
    at_hand = [param.name for param in params.values() if _is_at_hand(param, scope)]
    callee = Callee(node.machine.text, left_out, node.span, places=places, at_hand=at_hand)
    given = match(callee, node.arguments, scope.report).given
    return tuple((key, argument(written, params[key], scope)) for key, written in given.items())


def _is_at_hand(param: Typed, scope: Scope) -> bool:
    found = scope.lookup(param.name)
    type = found[1] if found is not None else None
    return type is not None and param.type is not None and types.fits(type, param.type)


def argument(node: ast.Expr, param: Typed, scope: Scope) -> ir.Expr:
    """What is given for a param or a field."""
    found = typed(node, scope) if param.type is None else value(node, scope, param.type, param.span)
    return found or BROKEN


# ---------------------------------------------------------------- `as`


def _check_alias(node: ast.Spawn, scope: Scope) -> None:
    if node.alias is not None and node.items is not None:
        message = "`as` keeps the id of one task, and `for` makes many"
        help = "spawn it without `as`, or one by one"
        scope.report.add(flow_rules.ALIAS_OF_MANY, message, node.alias.span, "of which of them?", help=help)


def with_aliases(machine: ast.Machine, report: Report) -> ast.Machine:
    """The machine with a `var hotel: bigint?` for each `spawn … as hotel` that has none."""
    written = {member.name.text: member for member in machine.members if isinstance(member, ast.Var)}
    params = {param.name.text: param.name for param in machine.params}
    added: dict[str, ast.Var] = {}
    for alias in _aliases(machine.members):
        if alias.text in params:
            taken = [Label(params[alias.text].span, "a param")]
            message = f"`{alias.text}` is a param and cannot keep the id of a task"
            report.add(
                flow_rules.ALIAS_TAKEN, message, alias.span, "taken", secondary=taken, help="choose another name"
            )
        elif alias.text in written:
            _check_var(alias, written[alias.text], report)
        else:
            added.setdefault(alias.text, ast.Var(alias, _id_type(alias), None, None, "", alias.span))
    return replace(machine, members=(*machine.members, *added.values())) if added else machine


def _check_var(alias: ast.Name, var: ast.Var, report: Report) -> None:
    type = var.type
    if (type.name.text, type.array) != ("bigint", False):
        taken = [Label(type.span, "its type")]
        message = f"var `{alias.text}` cannot keep the id of a task"
        help = "`as` declares its var; to declare it yourself write `bigint?`"
        report.add(flow_rules.ALIAS_TAKEN, message, alias.span, "an id is a bigint", secondary=taken, help=help)


def _id_type(alias: ast.Name) -> ast.TypeName:
    return ast.TypeName(ast.Name("bigint", alias.span), False, True, alias.span)


def _aliases(members: Sequence[ast.MachineMember | ast.StateMember]) -> Iterator[ast.Name]:
    for member in members:
        match member:
            case ast.State():
                yield from _aliases(member.members)
            case ast.On() | ast.Enter() | ast.Timer():
                yield from _aliases_in(member.clause.body)
            case ast.Exit():
                yield from _aliases_in(member.body)
            case _:
                pass


def _aliases_in(body: Sequence[ast.Statement]) -> Iterator[ast.Name]:
    for statement in body:
        if isinstance(statement, ast.Spawn) and statement.alias is not None:
            yield statement.alias
        elif isinstance(statement, ast.When):
            for branch in statement.branches:
                yield from _aliases_in(branch.body)
