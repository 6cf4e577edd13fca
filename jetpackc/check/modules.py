"""Modules: which file belongs to which, what they declare, and their machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jetpackc.check import machines
from jetpackc.check.generated import check_generated
from jetpackc.check.names import declare, first_of_each, ir_fields, refuse_reserved, typed_fields
from jetpackc.check.payloads import payload
from jetpackc.check.report import Report
from jetpackc.check.scope import Fields, ModuleScope
from jetpackc.check.types import SCALARS
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules, syntax as syntax_rules
from jetpackc.ir import chart, model as ir
from jetpackc.source import Span
from jetpackc.syntax import ast

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = re.compile(r"jet|public|information_schema|pg_.*")


@dataclass(slots=True)
class Parts:
    """What the files of one module hold, by kind."""

    span: Span
    doc: str = ""
    enums: list[ast.Enum] = field(default_factory=list)
    events: list[ast.Event] = field(default_factory=list)
    machines: list[ast.Machine] = field(default_factory=list)


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
        _sort(file, parts, report)
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
    return any(isinstance(item, ast.Enum | ast.Event | ast.Machine) for item in file.items)


def _top(file: ast.File) -> Span:
    return file.items[0].span if file.items else Span(file.path, 0, 0, 1, 1)


def _nameless(stem: str, span: Span, report: Report) -> None:
    near = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_0123456789") or "main"
    message = f"this file names no module, and `{stem}` cannot be one"
    help = f"begin the file with a line such as `module {near}`"
    report.add(syntax_rules.MISSING_MODULE, message, span, "of which module?", help=help)


def _sort(file: ast.File, parts: Parts, report: Report) -> None:
    for item in file.items:
        match item:
            case ast.Enum():
                parts.enums.append(item)
            case ast.Event():
                parts.events.append(item)
            case ast.Machine():
                parts.machines.append(item)
            case ast.Import():
                report.unsupported("`import`", item.span)
            case ast.Schedule():
                report.unsupported("`schedule`", item.span)
            case _:
                pass


# ---------------------------------------------------------------- declarations


def lower(module: str, parts: Parts, report: Report, breaks_flow: Iterable[str]) -> Lowered:
    """One module. A machine is whole when lowering it broke none of the rules (codes) in `breaks_flow`; one whose
    template could not be merged in is known by its head alone."""
    enums = _enums(parts.enums, report)
    events = _events(module, parts.events, enums, report)
    heads = _heads(parts.machines, enums, report)
    check_generated(module, parts, report)
    scope = ModuleScope(module, enums, events, {machine: head.params for machine, head in heads.items()})
    found, whole = [], []
    breaking = frozenset(breaks_flow)
    plain = [head for head in heads.values() if head.node.template is None]
    for head in plain:
        mark = len(report.log)
        found.append(machines.lower(head, scope, report))
        if breaking.isdisjoint(rule.code for rule in report.log[mark:]):
            whole.append(found[-1])
    declared = {event.name.text: event for event in reversed(parts.events)}
    ir_events = tuple(
        ir.Event(event, ir_fields(fields), declared[event].doc, declared[event].span)
        for event, fields in events.items()
    )
    in_ir = tuple(each.machine for each in found)
    lowered = ir.Module(module, tuple(enums.values()), ir_events, in_ir, parts.doc, parts.span)
    return Lowered(lowered, tuple(whole), len(plain) == len(parts.machines))


def _enums(nodes: Sequence[ast.Enum], report: Report) -> dict[str, ir.Enum]:
    seen: dict[str, Span] = {}
    found: dict[str, ir.Enum] = {}
    for node in nodes:
        values = first_of_each(node.values, "value", report)
        if node.name.text in SCALARS:
            message = f"`{node.name.text}` is a built-in type"
            report.add(name_rules.BUILTIN_NAME, message, node.name.span, "taken", help="choose another name")
        elif declare(node.name, "enum", seen, report):
            found[node.name.text] = ir.Enum(node.name.text, tuple(values), node.doc, node.span)
    return found


def _events(module: str, nodes: Sequence[ast.Event], enums: Mapping[str, ir.Enum], report: Report) -> dict[str, Fields]:
    seen: dict[str, Span] = {}
    found: dict[str, Fields] = {}
    scope = ModuleScope(module, enums, {}, {})
    for node in nodes:
        fields = payload(node.fields, scope, report)
        if node.name.text in chart.LIFECYCLE:
            message = f"`{node.name.text}` is built in and cannot be declared"
            help = "write its fields at `on`" if node.name.text == "SUCCESS" else "choose another name"
            report.add(flow_rules.LIFECYCLE_EVENT, message, node.name.span, "dispatched by Jetpack itself", help=help)
        elif declare(node.name, "event", seen, report):
            found[node.name.text] = fields
    return found


def _heads(nodes: Sequence[ast.Machine], enums: Mapping[str, object], report: Report) -> dict[str, machines.Declared]:
    seen: dict[str, Span] = {}
    found: dict[str, machines.Declared] = {}
    for node in nodes:
        for param in node.params:
            refuse_reserved(param.name, "param", report)
        params = typed_fields(node.params, "param", enums, report)
        if declare(node.name, "machine", seen, report):
            found[node.name.text] = machines.Declared(node, params)
    return found
