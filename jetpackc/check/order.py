"""`priority`: which task of a machine is claimed next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from jetpackc.check.expressions import value
from jetpackc.check.report import Report
from jetpackc.check.scope import Scope
from jetpackc.check.types import INT
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as rules, syntax as syntax_rules
from jetpackc.ir import model as ir
from jetpackc.syntax import ast

Members = Iterable[ast.MachineMember]


def priority(members: Members, scope: Scope) -> ir.Expr | None:
    """The expression of `priority`, over the params: it is read once, when a task is created."""
    found = [member for member in members if isinstance(member, ast.Priority)]
    _once(found, "priority", scope.report)
    narrow = replace(Scope(scope.module, scope.report, scope.params), elsewhere=scope.elsewhere)
    return value(found[0].value, narrow, INT) if found else None


def refuse_later(members: Members, report: Report) -> None:
    """Report `limit` and `fair`, which come later."""
    for member in members:
        if isinstance(member, ast.Limit | ast.Fair):
            report.unsupported(f"`{type(member).__name__.lower()}`", member.span)


def _once(found: Sequence[ast.Priority], word: str, report: Report) -> None:
    for member in found[1:]:
        first = Label(found[0].span, "first written here")
        message = f"`{word}` is written twice"
        report.add(syntax_rules.REPEATED_CLAUSE, message, member.span, "written again", secondary=[first])


def check_queue(members: Members, claimable: Collection[str], report: Report) -> None:
    """Warn of an order or a limit of work in a machine that no worker claims from."""
    for member in members if not claimable else ():
        if isinstance(member, ast.Priority | ast.Limit | ast.Fair):
            word = type(member).__name__.lower()
            message = f"`{word}` has no use in a machine that no worker claims from"
            label, help = "nothing is claimed here", "remove it, or give the machine a state with LOCKED_BY_WORKER"
            report.add(rules.NO_QUEUE, message, member.span, label, help=help)
