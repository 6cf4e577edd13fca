"""Operators and templates by themselves, as far as they mean something without a machine that uses them.

Each becomes a machine that is checked and thrown away: its params are given as they are, a state that it takes is any
state. Of what is found then, only that is said which no use could mend; the rest depends on the machine around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jetpackc.check import machines
from jetpackc.check.expansion.arguments import Binding, substitute
from jetpackc.check.names import typed_fields
from jetpackc.check.report import Report
from jetpackc.check.scope import ModuleScope
from jetpackc.diagnostics.rules import names, types
from jetpackc.records import replace
from jetpackc.syntax import ast

_CERTAIN = frozenset(
    rule.code
    for rule in (
        names.UNKNOWN_FUNCTION,
        names.UNKNOWN_TYPE,
        names.UNKNOWN_MACHINE,
        types.TYPE_MISMATCH,
        types.MISSING_ARGUMENT,
        types.EXTRA_ARGUMENT,
        types.DUPLICATE_ARGUMENT,
        types.UNKNOWN_ARGUMENT,
        types.OUT_OF_RANGE,
        types.BAD_OPERANDS,
        types.NOT_CALLABLE,
        types.BAD_CAST,
        types.NULL_COMPARISON,
    )
)


def with_probes(file: ast.File) -> ast.File:
    """The file with a machine for each operator and template that it defines, under a name that nobody can write."""
    probes = [_probe(item) for item in file.items if isinstance(item, ast.Operator | ast.Template)]
    return replace(file, items=(*file.items, *probes)) if probes else file


def is_probe(machine: ast.Machine) -> bool:
    """Whether it is none that somebody wrote."""
    return " " in machine.name.text


def check_probes(probes: Iterable[ast.Machine], scope: ModuleScope, report: Report) -> None:
    """Report what is certain of expanded probes."""
    for probe in probes:
        found = Report()
        params = typed_fields(probe.params, "param", scope.enums, found)
        machines.lower(machines.Declared(probe, params), scope, found)
        for each in found.diagnostics:
            if each.rule.code in _CERTAIN:
                report.take(each)


def _probe(item: ast.Operator | ast.Template) -> ast.Machine:
    what = type(item).__name__.lower()
    values = [param for param in item.params if param.type.name.text != "state"]
    given: dict[str, Binding] = {param.name.text: param.name for param in item.params}
    for param in values:
        given[param.name.text] = ast.Ascribed(_given(param), param.type, param.name, what, param.span)
    members = substitute(_members(item), given)
    params = tuple(replace(param, name=replace(param.name, text=_given(param).name), default=None) for param in values)
    name = replace(item.name, text=f"{what} {item.name.text}")
    return ast.Machine(name, params, None, None, (), tuple(members), "", item.span)


def _given(param: ast.Field) -> ast.Variable:
    """A name that no var or field in the body can have as well."""
    return ast.Variable(f"{param.name.text} given", param.name.span)


def _members(item: ast.Operator | ast.Template) -> Sequence[ast.MachineMember]:
    if isinstance(item, ast.Template):
        return item.members
    enter = ast.Enter(ast.Clause(None, None, item.body, item.span), item.span)
    return (ast.State(("initial",), (replace(item.name, text="here"),), None, (enter,), "", item.span),)
