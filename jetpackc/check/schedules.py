"""Schedules: when they create a task, and of what."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jetpackc import cron
from jetpackc.check import types
from jetpackc.check.expressions import value
from jetpackc.check.names import declare
from jetpackc.check.report import Report
from jetpackc.check.scope import ModuleScope, Scope
from jetpackc.check.statements import Place, block
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import model as ir
from jetpackc.source import Span
from jetpackc.syntax import ast

SHORTEST = 60_000
"""Milliseconds of the shortest period: that of cron."""

_BUILTINS = {"slot": types.TIMESTAMPTZ, "today": types.DATE}


def schedules(nodes: Iterable[ast.Schedule], module: ModuleScope, report: Report) -> tuple[ir.Schedule, ...]:
    """Those of one module, the first of each name."""
    seen: dict[str, Span] = {}
    lowered = [(node, _schedule(node, module, report)) for node in nodes]
    return tuple(found for node, found in lowered if declare(node.name, "schedule", seen, report) and found)


def _schedule(node: ast.Schedule, module: ModuleScope, report: Report) -> ir.Schedule | None:
    scope = Scope(module, report, {}, builtins=_BUILTINS)
    every = _period(node.every, scope) if node.every is not None else 0
    text = _cron(node.cron, report) if node.cron is not None else ""
    zone = _zone(node.zone, report) if node.zone is not None else "UTC"
    missed = _how_missed(node.missed, report)
    spawn = _spawn(node.spawn, scope)
    if spawn is None or every is None:
        return None
    return ir.Schedule(node.name.text, spawn, text, every, zone, missed, node.doc, node.span)


def _period(node: ast.Expr, scope: Scope) -> int | None:
    if isinstance(node, ast.In):
        message, help = (
            "a period has no time zone",
            "`every` goes by the time that passes; a time of day is said with `cron`",
        )
        scope.report.add(rules.BAD_PERIOD, message, node.span, "an hour is one everywhere", help=help)
        return None
    found = value(node, scope, types.INTERVAL)
    if found is None:
        return None
    if isinstance(found, ir.Literal) and isinstance(found.value, int) and found.value >= SHORTEST:
        return found.value
    message, help = "a period is a constant of a minute or longer", "write it as a duration, such as `15m` or `1h`"
    label = "shorter" if isinstance(found, ir.Literal) else "no constant"
    scope.report.add(rules.BAD_PERIOD, message, node.span, label, help=help)
    return None


def _cron(node: ast.Constant, report: Report) -> str:
    text = str(node.value)
    try:
        cron.plan(text)
    except cron.CronError as error:
        near = cron.NICKNAMES.get(text.strip().lower())
        help = f'write `"{near}"`' if near else 'such as `"30 3 * * MON-FRI"`: at half past three on working days'
        message = f"`{text}` is no cron expression"
        report.add(rules.BAD_CRON, message, _field(node.span, text, error.field), str(error), help=help)
    return " ".join(text.split())


def _inside(span: Span) -> Span:
    """A string without its quotes."""
    return Span(span.path, span.start + 1, span.end - 1, span.line, span.column + 1)


def _field(span: Span, text: str, index: int | None) -> Span:
    """The place of one field, where the string is written as it reads."""
    if index is None or span.end - span.start != len(text) + 2:
        return span
    field = text.split()[index]
    start = 1
    for each in text.split()[:index]:
        start = 1 + text.index(each, start - 1) + len(each)
    start = 1 + text.index(field, start - 1)
    return Span(span.path, span.start + start, span.start + start + len(field), span.line, span.column + start)


def _zone(node: ast.Constant, report: Report) -> str:
    zone, known = str(node.value), cron.zones()
    if zone not in known and re.fullmatch(r"[A-Z]{2,5}|(?:UTC|GMT)?[+-].*", zone):
        message, label = f"unknown time zone `{zone}`", "no place's name"
        help = "zones are named by a place that has it, such as `America/Los_Angeles`, or `UTC`"
        report.add(rules.UNKNOWN_ZONE, message, _inside(node.span), label, help=help)
    elif zone not in known:
        help = "zones are named as in the IANA database, such as `Europe/London` or `UTC`"
        report.unknown(rules.UNKNOWN_ZONE, "time zone", zone, _inside(node.span), known, help=help)
    return zone


def _how_missed(node: ast.Name | None, report: Report) -> ir.Missed:
    found = next((missed for missed in ir.MISSED if node is not None and node.text == missed), None)
    if node is not None and found is None:
        help = "`latest` makes up for the last slot that was missed, `all` for each, `skip` for none"
        report.unknown(rules.UNKNOWN_MISSED, "way to miss", node.text, node.span, ir.MISSED, help=help)
    return found or "latest"


def _spawn(node: ast.Spawn, scope: Scope) -> ir.Spawn | None:
    """The task of a slot. It is free, has no parent that could know it by a name, and is due at once."""
    parts = {
        "`as`": node.alias is not None,
        "`in`": node.delay is not None,
        "`for`": node.items is not None,
        "`root`": node.root,
        "`self`": node.machine.text == "self",
    }
    if any(parts.values()):
        message = f"a schedule's `spawn` takes no {next(word for word, there in parts.items() if there)}"
        help = "let it spawn one machine, which does the rest"
        scope.report.add(rules.SCHEDULED_SPAWN, message, node.span, "one free task a slot", help=help)
        return None
    found = block([node], scope, Place({}, frozenset(), None))
    return found[0] if found and isinstance(found[0], ir.Spawn) else None
