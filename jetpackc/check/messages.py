"""`send`: who it is for, and what it carries."""

from __future__ import annotations

from typing import Literal, cast

from jetpackc.check.arguments import Callee, match
from jetpackc.check.expressions import typed, value
from jetpackc.check.scope import Scope
from jetpackc.check.spawn import BROKEN, argument
from jetpackc.diagnostics.model import Fix
from jetpackc.diagnostics.rules import names
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.ir import chart, model as ir
from jetpackc.syntax import ast

Kinship = Literal["parent", "root", "siblings", "children", "subtree"]
KINSHIPS = ("parent", "root", "siblings", "children", "subtree")
_OWN = {"self": "id", "this": "id", "me": "id"}
"""What other languages call the task that speaks."""
_ID = ir.Type("bigint", optional=True)


def send(node: ast.Send, scope: Scope) -> tuple[ir.Statement, ...]:
    """The statement. That somebody may get it is checked once all machines are there."""
    kin, to = _receiver(node.receiver, scope)
    arguments = _arguments(node, scope)
    if node.event.text in chart.LIFECYCLE or (kin == "" and to is None):
        return ()
    return (ir.Send(kin, node.event.text, arguments, to, node.span),)


def _receiver(node: ast.Expr, scope: Scope) -> tuple[Kinship | Literal[""], ir.Expr | None]:
    if isinstance(node, ast.Variable) and node.name in KINSHIPS:
        return cast(Kinship, node.name), None
    if isinstance(node, ast.Variable) and scope.lookup(node.name) is None:
        _unknown(node, scope)
        return "", None
    return "", value(node, scope, _ID)


def _unknown(node: ast.Variable, scope: Scope) -> None:
    near = _OWN.get(node.name) or did_you_mean(node.name, [*KINSHIPS, *scope.names()])
    message = f"unknown receiver `{node.name}`"
    label = f"did you mean `{near}`?" if near else "no such name"
    help = "`parent`, `root`, `siblings`, `children`, `subtree`, or the id of a task, as `spawn … as hotel` keeps it"
    fixes = [Fix(f"change to `{near}`", node.span, near)] if near else []
    scope.report.add(names.UNKNOWN_NAME, message, node.span, label, help="" if near else help, fixes=fixes)


def _arguments(node: ast.Send, scope: Scope) -> tuple[tuple[str, ir.Expr], ...]:
    """What the event carries. One that this module does not declare is known where its receivers are."""
    fields = scope.module.events.get(node.event.text)
    if fields is None:
        named = {each.name.text: True for each in node.arguments if each.name is not None}
        given = match(Callee(node.event.text, named, node.span), node.arguments, scope.report).given
        return tuple((name, typed(written, scope) or BROKEN) for name, written in given.items())
    left_out = {field.name: field.may_be_left_out for field in fields.values()}
    places = {field.name: field.span for field in fields.values()}
    given = match(Callee(node.event.text, left_out, node.span, places=places), node.arguments, scope.report).given
    return tuple((name, argument(written, fields[name], scope)) for name, written in given.items())
