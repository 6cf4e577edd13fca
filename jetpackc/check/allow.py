"""`allow CODE because "…"`: warnings that somebody has looked at and means to keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jetpackc.check.probe import is_probe
from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Diagnostic, Fix, Severity, has_errors
from jetpackc.diagnostics.registry import RULES
from jetpackc.diagnostics.rules import flow, names, syntax
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast


@dataclass(frozen=True, slots=True)
class _Allowed:
    """One `allow` and where it holds: in a machine, or (None) in its file."""

    node: ast.Allow
    machine: Span | None

    def silences(self, found: Diagnostic) -> bool:
        if found.rule.code != self.node.code.text or found.is_error or found.span is None:
            return False
        return found.span.path == self.node.span.path if self.machine is None else found.span in self.machine


def silence(files: Iterable[ast.File], found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings without the warnings that expanded files allow, and with what is wrong with an `allow` itself.

    One that allows nothing is told of only where there is no error, since that may have kept a warning from coming up.
    """
    allowed = [*_allowed(files)]
    if not allowed:
        return list(found)
    report = Report()
    for node in {each.node.span: each.node for each in allowed}.values():
        _check(node, report)
    kept = [each for each in found if not any(one.silences(each) for one in allowed)]
    if not has_errors([*found, *report.diagnostics]):
        used = {one.node.span for one in allowed if any(one.silences(each) for each in found)}
        for one in allowed:
            if one.node.span not in used:
                _unused(one, report)
    return [*kept, *report.diagnostics]


def _allowed(files: Iterable[ast.File]) -> Iterator[_Allowed]:
    for item in (item for file in files for item in file.items):
        if isinstance(item, ast.Allow):
            yield _Allowed(item, None)
        elif isinstance(item, ast.Machine) and not is_probe(item):
            yield from (_Allowed(member, item.span) for member in item.members if isinstance(member, ast.Allow))


def _check(node: ast.Allow, report: Report) -> None:
    code = node.code.text
    if code not in RULES:
        warnings = [rule.code for rule in RULES.values() if rule.severity is Severity.WARNING]
        help = "the code stands in brackets in front of the warning"
        report.unknown(names.UNKNOWN_CODE, "code", code, node.code.span, warnings, help=help)
    elif RULES[code].severity is Severity.ERROR:
        message = f"`{code}` is an error, and only warnings can be allowed"
        help = f"`jetpackc explain {code}` tells how to mend it"
        report.add(flow.ALLOWED_ERROR, message, node.code.span, f"{RULES[code].name}: an error", help=help)
    if not node.reason.strip():
        message = f"this `allow {code}` gives no reason"
        help = "say in a few words why the warning does not matter here"
        report.add(syntax.EMPTY_REASON, message, node.span, "because of what?", help=help)


def _unused(allowed: _Allowed, report: Report) -> None:
    node = allowed.node
    where = "file" if allowed.machine is None else "machine"
    message = f"this {where} gives no `{node.code.text}` to allow"
    fix = Fix("delete it", node.span, "", safe=True)
    report.add(flow.UNUSED_ALLOW, message, node.span, "allows nothing", help="delete it", fixes=[fix])
