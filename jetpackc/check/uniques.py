"""`unique (a, b)`: its columns and states."""

from __future__ import annotations

from collections.abc import Iterator

from jetpackc.check import walk
from jetpackc.check.names import first_of_each
from jetpackc.check.scope import Scope
from jetpackc.check.types import equatable, show
from jetpackc.diagnostics.rules import names as name_rules, types as type_rules
from jetpackc.ir import chart, model as ir
from jetpackc.syntax import ast


def unique(node: ast.Unique, scope: Scope) -> ir.Unique:
    """The columns that exist, and the leaves of the states that are named."""
    first_of_each(node.columns, "column", scope.report)
    columns = dict.fromkeys(name.text for name in node.columns if _is_column(name, scope))
    leaves = [leaf for name in node.states or () for leaf in _leaves(name, scope)]
    return ir.Unique(tuple(columns), tuple(dict.fromkeys(leaves)), node.verdict, node.span)


def may_be_broken(machine: ir.Machine, unique: ir.Unique) -> bool:
    """Whether an event can bring a task in among those that count, or change what must be unique."""
    if walk.assigned(walk.all_clauses(machine)).intersection(unique.columns):
        return True
    counted = unique.states or tuple(leaf.name for leaf in chart.leaves(machine) if leaf.kind == "plain")
    outside = [leaf.name for leaf in chart.leaves(machine) if leaf.name not in counted]
    return any(goto.target in counted for leaf in outside for goto in walk.gotos(_ways(machine, leaf)))


def _ways(machine: ir.Machine, leaf: str) -> Iterator[ir.Clause]:
    """The clauses that may take a task out of a leaf."""
    for event in chart.events(machine, leaf):
        yield from chart.clauses(machine, leaf, event)
    yield from (timer.clause for timer in chart.timers(machine, leaf))
    for state in chart.ancestors(machine, leaf):
        yield from state.enter


def _is_column(name: ast.Name, scope: Scope) -> bool:
    found = scope.vars.get(name.text) or scope.params.get(name.text)
    if found is None:
        candidates = [*scope.params, *scope.vars]
        scope.report.unknown(name_rules.UNKNOWN_NAME, "param or var", name.text, name.span, candidates)
        return False
    if found.type is not None and not equatable(found.type):
        message = f"`{show(found.type)}` has no equality, which `unique` needs"
        scope.report.add(type_rules.TYPE_MISMATCH, message, name.span, f"a `{show(found.type)}`")
    return True


def _leaves(name: ast.Name, scope: Scope) -> tuple[str, ...]:
    if name.text not in scope.states:
        scope.report.unknown(name_rules.UNKNOWN_STATE, "state", name.text, name.span, scope.states)
    return scope.states.get(name.text, ())
