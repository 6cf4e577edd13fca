"""The payload of each event that a machine handles: declared in the module, written at `on`, or built in.

An event has one payload a machine. Lifecycle events have one a state: SUCCESS that of the state whose `on` wrote it, or
of a state around it; ERROR always the same; the others none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from jetpackc.check.names import equal_payloads, ir_fields
from jetpackc.check.payloads import payload
from jetpackc.check.report import Report
from jetpackc.check.scope import Fields, ModuleScope, Typed
from jetpackc.check.tree import Tree
from jetpackc.check.types import show
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as flow_rules, names as name_rules, types as rules
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast

_BUILT_IN: dict[str, Fields] = {
    event: {field.name: Typed(field.name, field.type, field.span) for field in fields}
    for event, fields in (("ERROR", chart.ERROR_FIELDS), ("CHILD_DONE", chart.CHILD_FIELDS))
}


@dataclass(frozen=True, slots=True)
class Handler:
    """An `on` and the state it stands in; None for a machine-wide one."""

    state: str | None
    on: ast.On


def handlers(machine: ast.Machine, tree: Tree) -> Iterator[Handler]:
    """Every `on` of a machine, machine-wide ones last."""
    for name, node in tree.nodes.items():
        yield from (Handler(name, member) for member in node.state.members if isinstance(member, ast.On))
    yield from (Handler(None, member) for member in machine.members if isinstance(member, ast.On))


class Signatures:
    """The payloads of one machine."""

    def __init__(self, found: Iterable[Handler], tree: Tree, module: ModuleScope, report: Report) -> None:
        self._handlers = list(found)
        self._tree = tree
        self._module = module
        self._report = report
        self._written: dict[tuple[str, str], tuple[Fields, Span]] = {}
        for handler in self._handlers:
            self._read(handler)
        self._compare_nested()

    def fields(self, event: str, state: str | None) -> Fields:
        """The payload of an event in a clause of this state."""
        if event in _BUILT_IN:
            return _BUILT_IN[event]
        if event in self._module.events:
            return self._module.events[event]
        keys = [*self._around(state), ""] if event in chart.LIFECYCLE else [""]
        return next((self._written[event, key][0] for key in keys if (event, key) in self._written), {})

    def shared(self, handler: Handler) -> Fields:
        """The fields a clause can read: of several events those that all have, of one type."""
        first, *others = [self.fields(event.text, handler.state) for event in handler.on.events]
        return {
            name: field
            for name, field in first.items()
            if all(name in other and other[name].type == field.type for other in others)
        }

    def elsewhere(self) -> dict[str, str]:
        """For each field of any event, the event."""
        return {
            field: event.text
            for handler in self._handlers
            for event in handler.on.events
            for field in self.fields(event.text, handler.state)
        }

    def as_ir(self, ignored: Iterable[str]) -> tuple[ir.Signature, ...]:
        """All signatures, in the order of the first handler of each, then those of events that are only ignored."""
        keys = [(event.text, handler.state) for handler in self._handlers for event in handler.on.events]
        plain = [event for event, _ in keys if event not in chart.LIFECYCLE]
        found = dict.fromkeys((event, "") for event in (*plain, *ignored))
        found |= dict.fromkeys((event, state) for event, state in keys if event in chart.LIFECYCLE and state)
        for event in dict.fromkeys(event for event, state in keys if event in chart.LIFECYCLE and state is None):
            found |= dict.fromkeys((event, leaf) for leaf in self._without(event, found))
        return tuple(ir.Signature(event, ir_fields(self.fields(event, state or None)), state) for event, state in found)

    def check_ignored(self, events: Iterable[ast.Name]) -> None:
        """Report ignored events that nobody can send: neither declared nor handled anywhere in the machine."""
        for event in events:
            if event.text not in self._known and event.text not in chart.LIFECYCLE:
                help = "declare it in the module: `event " + event.text + "`"
                self._report.unknown(name_rules.UNKNOWN_EVENT, "event", event.text, event.span, self._known, help=help)

    def check_deferred(self, events: Iterable[ast.Name]) -> None:
        """Report deferred events that nobody can send, and those that Jetpack itself dispatches."""
        self.check_ignored(events := list(events))
        for event in events:
            if event.text in chart.LIFECYCLE:
                message, label = f"`{event.text}` cannot wait", "dispatched when it is due"
                help = "only what others send can be kept for later"
                self._report.add(flow_rules.LIFECYCLE_EVENT, message, event.span, label, help=help)

    @cached_property
    def _known(self) -> set[str]:
        handled = (event.text for handler in self._handlers for event in handler.on.events)
        return {*self._module.events, *handled}

    def _without(self, event: str, found: dict[tuple[str, str], None]) -> list[str]:
        """The leaves that meet a lifecycle event through a machine-wide clause alone."""
        tree = self._tree
        leaves = (name for name, node in tree.nodes.items() if not tree.children[name] and node.kind == "plain")
        return [leaf for leaf in leaves if not any((event, state) in found for state in tree.around(leaf))]

    def _around(self, state: str | None) -> list[str]:
        return [] if state is None else self._tree.around(state)

    def _read(self, handler: Handler) -> None:
        on = handler.on
        written = None
        if on.fields is not None:
            written = payload(on.fields, self._module, self._report)
        for event in on.events:
            if written is not None:
                self._write(event, handler.state, written)

    def _write(self, event: ast.Name, state: str | None, written: Fields) -> None:
        lifecycle = event.text in chart.LIFECYCLE
        key = (event.text, state or "" if lifecycle else "")
        fixed = self._fixed(event.text)
        if fixed is not None and not equal_payloads(fixed, written):
            note = "it is built in" if lifecycle else "it is declared in the module"
            help = f"{note} as `{_shown(event.text, fixed)}`; the parentheses can be left out"
            self._conflict(event, help, [])
        elif key in self._written and not equal_payloads(self._written[key][0], written):
            self._conflict(event, "an event has one payload", [Label(self._written[key][1], "first written here")])
        elif fixed is None:
            self._written.setdefault(key, (written, event.span))

    def _fixed(self, event: str) -> Fields | None:
        if event in _BUILT_IN:
            return _BUILT_IN[event]
        if event in chart.LIFECYCLE:
            return None if event == "SUCCESS" else {}
        return self._module.events.get(event)

    def _compare_nested(self) -> None:
        """A handler returns one SUCCESS: what an inner state wrote must be what the states around it wrote."""
        for (event, state), (written, _) in self._written.items():
            if not state:
                continue
            for outer in (*self._tree.around(state)[1:], ""):
                other = self._written.get((event, outer))
                if other is not None and not equal_payloads(other[0], written):
                    name = ast.Name(event, self._written[event, state][1])
                    self._conflict(name, "a handler has one result", [Label(other[1], "written here too")])

    def _conflict(self, event: ast.Name, help: str, labels: list[Label]) -> None:
        message = f"`{event.text}` has another payload"
        self._report.add(
            rules.SIGNATURE_CONFLICT, message, event.span, "written differently here", secondary=labels, help=help
        )


def _shown(event: str, fields: Fields) -> str:
    shown = ((field, " = …" if field.has_default else "") for field in fields.values())
    inside = ", ".join(f"{field.name}: {show(field.type)}{default}" for field, default in shown if field.type)
    return f"{event}({inside})" if inside else event
