"""`priority`, `limit` and `fair`: which task of a machine is claimed next, and how many may be at work."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from jetpackc.check.expressions import value
from jetpackc.check.report import Report
from jetpackc.check.scope import Scope
from jetpackc.check.types import INT, show
from jetpackc.diagnostics.model import Fix, Label
from jetpackc.diagnostics.rules import flow as rules, names as name_rules, syntax as syntax_rules, types as type_rules
from jetpackc.ir import model as ir
from jetpackc.records import replace
from jetpackc.syntax import ast

_PERIODS = {"second": "1s", "minute": "1m", "hour": "1h", "day": "1d"}
Members = Iterable[ast.MachineMember]
MOST = 2**31 - 1
KEYS = frozenset(("bool", "int", "bigint", "text", "uuid", "enum"))
"""Types whose text does not hang on any setting of the session."""


def priority(members: Members, scope: Scope) -> ir.Expr | None:
    """The expression of `priority`, over the params: it is read once, when a task is created."""
    found = [member for member in members if isinstance(member, ast.Priority)]
    _once(found, "priority", scope.report)
    why = "`priority` is read once, before the task is there: it reads params alone"
    unread = dict.fromkeys([*scope.vars, *scope.builtins], why)
    narrow = replace(Scope(scope.module, scope.report, scope.params), elsewhere=scope.elsewhere, unread=unread)
    return value(found[0].value, narrow, INT) if found else None


def limits(members: Members, scope: Scope) -> tuple[ir.Limit, ...]:
    """Every `limit` that makes sense."""
    found = [member for member in members if isinstance(member, ast.Limit)]
    return tuple(one for member in found if (one := _limit(member, scope)) is not None)


def _limit(node: ast.Limit, scope: Scope) -> ir.Limit | None:
    if not 0 < node.count <= MOST or node.window == 0:
        what = "a rate over no time" if node.window == 0 else f"a limit of {node.count} tasks"
        help = "remove it" if node.count > MOST else "to stop work for a while, `jetpackc pause` it"
        label = "no time" if node.window == 0 and 0 < node.count <= MOST else f"from 1 to {MOST}"
        scope.report.add(rules.EMPTY_LIMIT, f"{what} is none", node.span, label, help=help)
        return None
    by = "" if node.by is None else _key(node.by, "limit", scope)
    return None if by is None else ir.Limit(node.count, node.window, by, node.span)


def fair(members: Members, scope: Scope) -> str:
    """The param of `fair by`, or nothing."""
    found = [member for member in members if isinstance(member, ast.Fair)]
    _once(found, "fair", scope.report)
    return (_key(found[0].by, "fair", scope) if found else None) or ""


def _key(name: ast.Name, word: str, scope: Scope) -> str | None:
    """The param that a limit goes by; None, and a finding, where it is none."""
    param = scope.params.get(name.text)
    if param is None and name.text in scope.vars:
        label, help = "a var, which may change while a task waits", "make it a param: what a task is created with"
        message = f"`{word}` goes by a param, and `{name.text}` is a var"
        scope.report.add(rules.LIMIT_BY_VAR, message, name.span, label, help=help)
    elif param is None and word == "limit" and name.text in _PERIODS:
        message, near = f"`{name.text}` is no param", _PERIODS[name.text]
        fix = Fix(f"write `{near}`", name.span, near)
        help = "a rate says how long its time is"
        scope.report.add(
            *(name_rules.UNKNOWN_NAME, message, name.span, f"did you mean `{near}`?"), help=help, fixes=[fix]
        )
    elif param is None:
        scope.report.unknown(name_rules.UNKNOWN_NAME, "param", name.text, name.span, list(scope.params))
    elif param.type is not None and (param.type.array or param.type.kind not in KEYS):
        message = f"`{word}` does not go by a `{show(param.type)}`"
        help = "it goes by text, bool, int, bigint, uuid or an enum"
        scope.report.add(type_rules.TYPE_MISMATCH, message, name.span, f"a `{show(param.type)}`", help=help)
    else:
        return name.text
    return None


def _once(found: Sequence[ast.Priority] | Sequence[ast.Fair], word: str, report: Report) -> None:
    for member in found[1:]:
        first = Label(found[0].span, "first written here")
        message = f"`{word}` is written twice"
        report.add(syntax_rules.REPEATED_CLAUSE, message, member.span, "written again", secondary=[first])


def check_keys(members: Members, report: Report) -> None:
    """Refuse turns and limits that go by different params: a task waits in one lane."""
    names = [member.by for member in members if isinstance(member, ast.Limit | ast.Fair) and member.by is not None]
    for name in names[1:]:
        if name.text != names[0].text:
            message = f"one goes by `{names[0].text}`, another by `{name.text}`"
            first = Label(names[0].span, "by this param")
            help = "let all go by one param; a limit of the whole machine may stand beside them"
            report.add(rules.LIMITS_BY_SEVERAL, message, name.span, "by another", secondary=[first], help=help)


def check_queue(members: Members, claimable: Collection[str], report: Report) -> None:
    """Warn of an order or a limit of work in a machine that no worker claims from."""
    for member in members if not claimable else ():
        if isinstance(member, ast.Priority | ast.Limit | ast.Fair):
            word = type(member).__name__.lower()
            message = f"`{word}` has no use in a machine that no worker claims from"
            label, help = "nothing is claimed here", "remove it, or give the machine a state with LOCKED_BY_WORKER"
            report.add(rules.NO_QUEUE, message, member.span, label, help=help)
