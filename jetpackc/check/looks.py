"""`subtree.…` and `children.…`: what a task sees of those that it made."""

from __future__ import annotations

from typing import Literal, cast

from jetpackc.check import types
from jetpackc.check.scope import Scope
from jetpackc.diagnostics.rules import flow as flow_rules, names as rules
from jetpackc.ir import model as ir
from jetpackc.syntax import ast

_FUNCTIONS = {"count": types.INT, "all": types.BOOL, "some": types.BOOL}
_NAMES = {"subtree": [*_FUNCTIONS], "children": [*_FUNCTIONS, "results"]}
Of = Literal["subtree", "children"]


def results(of: str, node: ast.Member, scope: Scope) -> ir.Expr | None:
    """`children.results`."""
    if (of, node.name.text) == ("children", "results"):
        return _placed(ir.Tree("children", "results", (), types.JSON, node.span), scope)
    if node.name.text in _FUNCTIONS:
        message = f"`{of}.{node.name.text}` is called, with states: `{of}.{node.name.text}(done)`"
        scope.report.add(rules.UNKNOWN_NAME, message, node.span, "of which states?")
    else:
        scope.report.unknown(rules.UNKNOWN_NAME, of, node.name.text, node.name.span, _NAMES[of])
    return None


def count(node: ast.Call, scope: Scope) -> ir.Expr | None:
    """`subtree.count(done, parcel.lost)`, and the same with `all`, `some` and `children`."""
    function = node.function
    if not isinstance(function, ast.Member) or not isinstance(function.base, ast.Variable):
        return None
    of, name = function.base.name, function.name
    if name.text not in _FUNCTIONS:
        scope.report.unknown(rules.UNKNOWN_FUNCTION, "function", name.text, name.span, _NAMES[of])
        return None
    names = [_state(argument, scope) for argument in node.arguments]
    if not names:
        message = f"`{of}.{name.text}` of which states?"
        help = "name them: a state, `machine.state`, `final` or `failure`"
        scope.report.add(flow_rules.COUNT_OF_NOTHING, message, node.span, "names none", help=help)
    found = tuple(one for one in names if one is not None)
    if not found or len(found) < len(names):
        return None
    word = cast(Literal["count", "all", "some"], name.text)
    places = tuple(argument.value.span for argument in node.arguments)
    return _placed(ir.Tree(cast(Of, of), word, found, _FUNCTIONS[name.text], node.span, places), scope)


def _state(argument: ast.Argument, scope: Scope) -> str | None:
    parts: list[str] = []
    node = argument.value
    while isinstance(node, ast.Member):
        parts.append(node.name.text)
        node = node.base
    if isinstance(node, ast.Variable) and argument.name is None:
        return ".".join([node.name, *reversed(parts)])
    message = "what is counted are states"
    help = "name a state, `machine.state`, `final` or `failure`"
    scope.report.add(flow_rules.COUNT_OF_NOTHING, message, argument.span, "no state's name", help=help)
    return None


def _placed(found: ir.Tree, scope: Scope) -> ir.Expr | None:
    """Only what a task does can look at its children: not a default, nor what is read before it is there."""
    if scope.builtins:
        return found
    message = f"`{found.of}` is known to a task that is there, and this is read before"
    scope.report.add(flow_rules.COUNT_OF_NOTHING, message, found.span, "there are no children yet")
    return None
