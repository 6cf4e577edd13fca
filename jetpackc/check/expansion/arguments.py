"""Arguments in place of params: hygienic, since an argument keeps the meaning it has where it was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jetpackc.check.arguments import Callee, match
from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import expansion as rules
from jetpackc.records import dataclass, replace
from jetpackc.source import Span
from jetpackc.syntax import ast
from jetpackc.syntax.rewrite import T, placed, rewrite

Binding = ast.Ascribed | ast.Name
"""What stands in for a param: a value of its type, or a state."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An operator or a template, as far as a call of it cares. `shipped`: from the prelude, whose text no user has."""

    what: str
    name: ast.Name
    params: tuple[ast.Field, ...]
    shipped: bool


def bind(
    definition: Definition, arguments: Sequence[ast.Argument], span: Span, report: Report
) -> Mapping[str, Binding] | None:
    """Each param's argument or default; None, and findings, where they do not match."""
    params = {param.name.text: param.default is not None for param in definition.params}
    declared = None if definition.shipped else definition.name.span
    matched = match(Callee(definition.name.text, params, span, declared), arguments, report)
    if not matched.complete:
        return None
    bound: dict[str, Binding] = {}
    for param in placed(definition.params, span) if definition.shipped else definition.params:
        value = matched.given.get(param.name.text)
        if value is None and param.default is not None:
            value = substitute(param.default, bound)
        if value is not None and not _bind(definition, param, value, bound, report):
            return None
    return bound


def _bind(definition: Definition, param: ast.Field, value: ast.Expr, bound: dict[str, Binding], report: Report) -> bool:
    if param.type.name.text != "state":
        owner = f"{definition.what} `{definition.name.text}`"
        bound[param.name.text] = ast.Ascribed(value, param.type, param.name, owner, value.span)
        return True
    state = _state(value)
    if state is None:
        label = Label(param.name.span, "takes a state")
        report.add(
            rules.STATE_ARGUMENT,
            f"`{param.name.text}` of {definition.what} `{definition.name.text}` is a state",
            value.span,
            "a value",
            secondary=() if definition.shipped else [label],
            help="give it the name of a state",
        )
        return False
    bound[param.name.text] = state
    return True


def _state(value: ast.Expr) -> ast.Name | None:
    if isinstance(value, ast.Variable):
        return ast.Name(value.name, value.span)
    if isinstance(value, ast.Member) and isinstance(value.base, ast.Variable):
        return ast.Name(f"{value.base.name}.{value.name.text}", value.span)
    return None


def substitute(node: T, bound: Mapping[str, Binding]) -> T:
    """The tree with every use of a param replaced. What is called is a function, whatever params are named alike."""

    def change(found: Any) -> Any:
        if isinstance(found, ast.Variable) and found.name in bound:
            return _value(bound[found.name])
        if isinstance(found, ast.Goto) and found.target is not None:
            return _goto(found, found.target, bound)
        return found

    return rewrite(node, change, but=[(ast.Call, "function")]) if bound else node


def _value(binding: Binding) -> ast.Expr:
    """A state is handed on to another operator by its name."""
    return ast.Variable(binding.text, binding.span) if isinstance(binding, ast.Name) else binding


def _goto(goto: ast.Goto, target: ast.Name, bound: Mapping[str, Binding]) -> ast.Goto:
    binding = bound.get(target.text)
    return replace(goto, target=binding) if isinstance(binding, ast.Name) else goto
