"""The operators and templates of files, and what is wrong with them whoever calls them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from jetpackc.check.names import duplicate, first_of_each
from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import expansion as rules
from jetpackc.source import Span
from jetpackc.syntax import ast

Named = TypeVar("Named", ast.Operator, ast.Template)


def definitions(kind: type[Named], files: Sequence[ast.File], report: Report) -> dict[str, Named]:
    """All of one kind by name, the first of each name."""
    found: dict[str, Named] = {}
    for item in (item for file in files for item in file.items if isinstance(item, kind)):
        _check_params(item, report)
        first = found.setdefault(item.name.text, item)
        if first is not item:
            duplicate(item.name, kind.__name__.lower(), first.name.span, report)
    return found


def _check_params(item: ast.Operator | ast.Template, report: Report) -> None:
    """Report params of one name, and states that are used as values."""
    first_of_each((param.name for param in item.params), "param", report)
    states = {param.name.text: param.name for param in item.params if param.type.name.text == "state"}
    for use in _values(item.body if isinstance(item, ast.Operator) else item.members):
        if use.name in states:
            message = f"`{use.name}` is a state, and a value is expected here"
            label = Label(states[use.name].span, "a state")
            help = "a state stands behind `->`, or is handed on to another operator"
            report.add(rules.STATE_ARGUMENT, message, use.span, "no value", secondary=[label], help=help)


def _values(node: Any) -> Iterator[ast.Variable]:
    """The bare names that stand for values; a call's function and an argument of an operator need not."""
    match node:
        case ast.Variable():
            yield node
        case ast.Call(arguments=arguments):
            yield from _values(arguments)
        case ast.Apply(arguments=arguments):
            yield from _values(tuple(one.value for one in arguments if not isinstance(one.value, ast.Variable)))
        case tuple():
            for item in node:
                yield from _values(item)
        case _ if is_dataclass(node) and not isinstance(node, Span):
            for field in fields(node):
                yield from _values(getattr(node, field.name))
        case _:
            return
