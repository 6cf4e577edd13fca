"""What modules declare, and what each may name of it: its own, and that of the modules in its reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from jetpackc.check import machines
from jetpackc.check.imports import Reach
from jetpackc.check.names import declare, first_of_each, refuse_reserved, seen_from, typed_fields
from jetpackc.check.payloads import payload
from jetpackc.check.report import Report
from jetpackc.check.scope import Fields, ModuleScope
from jetpackc.check.types import SCALARS
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass, replace
from jetpackc.source import Span
from jetpackc.syntax import ast


@dataclass(slots=True)
class Parts:
    """What the files of one module hold, by kind."""

    span: Span
    doc: str = ""
    enums: list[ast.Enum] = field(default_factory=list)
    events: list[ast.Event] = field(default_factory=list)
    machines: list[ast.Machine] = field(default_factory=list)
    probes: list[ast.Machine] = field(default_factory=list)
    schedules: list[ast.Schedule] = field(default_factory=list)
    tests: list[ast.Test] = field(default_factory=list)

    @property
    def only_tests(self) -> bool:
        """Whether it is the module of a file of tests, which nothing is made of in a database."""
        return bool(self.tests) and not (self.enums or self.events or self.machines or self.schedules)


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a module declares itself, and the names in its reach."""

    enums: Mapping[str, ir.Enum]
    heads: Mapping[str, machines.Declared]
    scope: ModuleScope


def declarations(modules: Mapping[str, Parts], within: Reach, report: Report) -> dict[str, Declarations]:
    """By module. First the enums of all, then what has types, which may name those of other modules."""
    enums = {name: _enums(parts.enums, report) for name, parts in modules.items()}
    known = {name: _known_enums(name, within, enums) for name in modules}
    heads = {name: _heads(parts.machines, known[name], report) for name, parts in modules.items()}
    found = {}
    for name, parts in modules.items():
        events = _events(name, parts.events, known[name], report)
        scope = ModuleScope(name, known[name], events, _known_machines(name, within, heads))
        found[name] = Declarations(enums[name], heads[name], scope)
    return found


def _known_enums(module: str, within: Reach, enums: Mapping[str, Mapping[str, ir.Enum]]) -> dict[str, ir.Enum]:
    found = dict(enums[module])
    for other in within[module]:
        for name, enum in enums.get(other, {}).items():
            found[f"{other}.{name}"] = replace(enum, name=f"{other}.{name}")
        if module in within[other]:  # whose templates may come back and call its enums by their full names
            found |= {f"{module}.{name}": enum for name, enum in enums[module].items()}
    return found


def _known_machines(
    module: str, within: Reach, heads: Mapping[str, Mapping[str, machines.Declared]]
) -> dict[str, Fields]:
    found = {name: head.params for name, head in heads[module].items()}
    for other in within[module]:
        for name, head in heads.get(other, {}).items():
            found[f"{other}.{name}"] = seen_from(module, other, head.params)
    return found


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


def _heads(nodes: Sequence[ast.Machine], enums: Mapping[str, ir.Enum], report: Report) -> dict[str, machines.Declared]:
    seen: dict[str, Span] = {}
    found: dict[str, machines.Declared] = {}
    for node in nodes:
        for param in node.params:
            refuse_reserved(param.name, "param", report)
        params = typed_fields(node.params, "param", enums, report)
        if declare(node.name, "machine", seen, report):
            found[node.name.text] = machines.Declared(node, params)
    return found
