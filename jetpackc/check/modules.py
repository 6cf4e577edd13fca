"""Modules: which file belongs to which, what they declare, and their machines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields as fields_of, is_dataclass
from functools import partial

from jetpackc.check import machines
from jetpackc.check.declarations import Declarations, Parts
from jetpackc.check.generated import check_generated
from jetpackc.check.names import first_of_each, ir_fields
from jetpackc.check.probe import is_probe
from jetpackc.check.report import Report
from jetpackc.check.schedules import schedules
from jetpackc.check.scope import ModuleScope
from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.rules import names as name_rules, syntax as syntax_rules
from jetpackc.ir import model as ir
from jetpackc.parallel import mapped
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast

_HANDING = 0.55
"""How long it takes to pickle a machine, in parts of the time that it takes to lower it."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = re.compile(r"jet|public|information_schema|pg_.*")


@dataclass(frozen=True, slots=True)
class Lowered:
    """A module in the IR, and what its flow checks need: the machines that came out whole, and whether none is
    missing."""

    module: ir.Module
    whole: tuple[machines.Lowered, ...]
    complete: bool


def gather(files: Iterable[ast.File], report: Report) -> dict[str, Parts]:
    """The modules by name. A file without a `module` line belongs to the module of its own name, less `.jet`."""
    modules: dict[str, Parts] = {}
    for file in files:
        head = _head(file, report)
        name, span = file.module, head.name.span if head else _top(file)
        if not head and not _declares(file):
            continue
        if not _NAME.fullmatch(name):
            _nameless(name, span, report)
            continue
        parts = modules.setdefault(name, Parts(span))
        parts.doc = parts.doc or (head.doc if head else "")
        _sort(file, parts)
    for name, parts in modules.items():
        if _TAKEN.fullmatch(name):
            message = f"module `{name}` would be a schema that Postgres or Jetpack has already"
            report.add(name_rules.BUILTIN_NAME, message, parts.span, "taken", help="choose another name")
    return modules


def _head(file: ast.File, report: Report) -> ast.Module | None:
    heads = [item for item in file.items if isinstance(item, ast.Module)]
    first_of_each((ast.Name("module", head.span) for head in heads), "the line", report)
    return heads[0] if heads else None


def _declares(file: ast.File) -> bool:
    return any(
        isinstance(item, ast.Enum | ast.Event | ast.Schedule | ast.Test)
        or (isinstance(item, ast.Machine) and not is_probe(item))
        for item in file.items
    )


def _top(file: ast.File) -> Span:
    return file.items[0].span if file.items else Span(file.path, 0, 0, 1, 1)


def _nameless(stem: str, span: Span, report: Report) -> None:
    near = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_0123456789") or "main"
    message = f"this file names no module, and `{stem}` cannot be one"
    help = f"begin the file with a line such as `module {near}`"
    report.add(syntax_rules.MISSING_MODULE, message, span, "of which module?", help=help)


def _sort(file: ast.File, parts: Parts) -> None:
    for item in file.items:
        match item:
            case ast.Enum():
                parts.enums.append(item)
            case ast.Event():
                parts.events.append(item)
            case ast.Machine():
                (parts.probes if is_probe(item) else parts.machines).append(item)
            case ast.Test():
                parts.tests.append(item)
            case ast.Schedule():
                parts.schedules.append(item)
            case _:
                pass


# ---------------------------------------------------------------- lowering


def lower(parts: Parts, declared: Declarations, report: Report, breaks_flow: Iterable[str]) -> Lowered:
    """One module. A machine is whole when lowering it broke none of the rules (codes) in `breaks_flow`; one whose
    template could not be merged in is known by its head alone."""
    scope = declared.scope
    check_generated(scope.name, parts, report)
    found, whole = [], []
    breaking = frozenset(breaks_flow)
    plain = [head for head in declared.heads.values() if head.node.template is None]
    for head, clean in zip(plain, mapped(partial(_clean, scope), plain, _HANDING), strict=True):
        mark = len(report.log)
        found.append(clean or machines.lower(head, scope, report))
        if breaking.isdisjoint(rule.code for rule in report.log[mark:]):
            whole.append(found[-1])
    in_ir = tuple(each.machine for each in found)
    events = _ir_events(parts, scope)
    scheduled = schedules(parts.schedules, scope, report)
    imported = _imported(scope, (events, in_ir, scheduled))
    enums = tuple(declared.enums.values())
    lowered = ir.Module(scope.name, enums, events, in_ir, parts.doc, imported, scheduled, parts.span)
    return Lowered(lowered, tuple(whole), len(plain) == len(parts.machines))


class _FoundError(Exception):
    """Something is to be said."""


class _Silent(Report):
    """Takes nothing."""

    def take(self, found: Diagnostic) -> None:  # noqa: ARG002
        raise _FoundError


def _clean(scope: ModuleScope, head: machines.Declared) -> machines.Lowered | None:
    """A machine of which nothing is to be said; of another, None. It is lowered again where the report is at hand."""
    try:
        return machines.lower(head, scope, _Silent())
    except _FoundError:
        return None


def _ir_events(parts: Parts, scope: ModuleScope) -> tuple[ir.Event, ...]:
    written = {event.name.text: event for event in reversed(parts.events)}
    return tuple(
        ir.Event(name, ir_fields(fields), written[name].doc, written[name].span)
        for name, fields in scope.events.items()
    )


def _imported(scope: ModuleScope, nodes: object) -> tuple[ir.Enum, ...]:
    foreign = {name: enum for name, enum in scope.enums.items() if enum.name == name and "." in name}
    used = _enums_in(nodes) if foreign else frozenset()
    return tuple(enum for name, enum in foreign.items() if name in used)


def _enums_in(node: object) -> frozenset[str]:
    """The enums of the types that a part of the IR mentions."""
    if isinstance(node, ir.Type):
        return frozenset((node.enum,))
    if is_dataclass(node):
        return _enums_in(tuple(getattr(node, part.name) for part in fields_of(node)))
    return frozenset().union(*map(_enums_in, node)) if isinstance(node, tuple) else frozenset()
