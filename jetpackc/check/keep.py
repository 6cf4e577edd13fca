"""Retention: how long tasks that have ended, and what happened to them, are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jetpackc.check.names import first_of_each
from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules
from jetpackc.ir import model as ir
from jetpackc.syntax import ast

HISTORY = "history"
_KINDS = ("final", "failure")


def keeps(members: Iterable[ast.MachineMember], states: Sequence[ir.State], report: Report) -> tuple[ir.Keep, ...]:
    """For each state that tasks end in, the clause that says most of it: its own, that of failures, that of all."""
    found = [member for member in members if isinstance(member, ast.Keep)]
    first_of_each((member.what for member in found), "keep", report)
    clauses = {member.what.text: member for member in reversed(found)}
    kinds = {state.name: state.kind for state in states if state.initial is None}
    for member in found:
        _check(member.what, kinds, report)
    return tuple(
        ir.Keep(name, clauses[word].length, clauses[word].span)
        for name, kind in kinds.items()
        for word in [_closest(name, kind, clauses)]
        if word
    )


def keep_history(members: Iterable[ast.MachineMember]) -> int | None:
    """How long history is kept, in milliseconds; None for ever."""
    found = (member.length for member in members if isinstance(member, ast.Keep) and member.what.text == HISTORY)
    return next(found, None)


def _closest(name: str, kind: str, clauses: Iterable[str]) -> str | None:
    words = () if kind == "plain" else (name, "failure", "final") if kind == "failure" else (name, "final")
    return next((word for word in words if word in clauses and word != HISTORY), None)


def _check(what: ast.Name, kinds: Mapping[str, str], report: Report) -> None:
    name = what.text
    ends = [state for state, kind in kinds.items() if kind != "plain"]
    if name == HISTORY or (name in _KINDS and any(name in ("final", kinds[state]) for state in ends)):
        return
    if name in _KINDS:
        message = "no state of this machine fails a task" if name == "failure" else "no state of this machine is final"
        help = "remove it, or name a state where tasks end"
        report.add(flow_rules.KEPT_FOR_LIFE, message, what.span, "keeps nothing", help=help)
        return
    if name not in kinds:
        help = "name a final state, or `final`, `failure` or `history`"
        report.unknown(name_rules.UNKNOWN_STATE, "state", name, what.span, [*ends, *_KINDS, HISTORY], help=help)
    elif name not in ends:
        message = f"tasks do not end in `{name}`, so nothing says from when on to count"
        help = "a task is kept as long as it lives; `keep` takes a final state, `final`, `failure` or `history`"
        report.add(flow_rules.KEPT_FOR_LIFE, message, what.span, "not final", help=help)
