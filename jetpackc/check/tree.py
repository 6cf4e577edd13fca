"""The states of a machine as a tree: which there are, what is inside what, where an arrow ends up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Literal

from jetpackc.check.names import duplicate
from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Fix, Label
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir.chart import LOCKED
from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax import ast

Kind = Literal["plain", "final", "failure"]


@dataclass(frozen=True, slots=True)
class Node:
    """One state as declared. Several names that share a body make one node each. `inherited`: a template's."""

    name: ast.Name
    state: ast.State
    parent: str | None
    inherited: bool = False

    @property
    def is_initial(self) -> bool:
        """Whether a task starts in it."""
        return "initial" in self.state.kinds

    @property
    def kind(self) -> Kind:
        """How it ends, if it does."""
        if "failure" in self.state.kinds:
            return "failure"
        return "final" if "final" in self.state.kinds else "plain"


class Tree:
    """All states of a machine by name, in source order, a composite before its children."""

    def __init__(self, members: Iterable[ast.MachineMember], report: Report) -> None:
        self.nodes: dict[str, Node] = {}
        self.children: dict[str | None, list[str]] = {None: []}
        for member in members:
            if isinstance(member, ast.State):
                self._add(member, None, report, inherited=member.inherited)

    def _add(self, state: ast.State, parent: str | None, report: Report, *, inherited: bool) -> None:
        for name in state.names:
            if name.text in self.nodes:
                duplicate(name, "state", self.nodes[name.text].name.span, report)
                continue
            self.nodes[name.text] = Node(name, state, parent, inherited)
            self.children[name.text] = []
            self.children[parent].append(name.text)
            for member in state.members:
                if isinstance(member, ast.State):
                    self._add(member, name.text, report, inherited=inherited or member.inherited)

    def around(self, name: str) -> list[str]:
        """The state itself and those around it, from inner to outer."""
        found = [name]
        while (parent := self.nodes[found[-1]].parent) is not None:
            found.append(parent)
        return found

    def initial_of(self, parent: str | None) -> str | None:
        """The initial state of a composite, or of the machine."""
        return next((name for name in self.children[parent] if self.nodes[name].is_initial), None)

    @cached_property
    def entries(self) -> Mapping[str, str | None]:
        """The leaf that an arrow to each state enters; None where a composite has no initial state."""
        found: dict[str, str | None] = {}
        for name in reversed(self.nodes):
            initial = self.initial_of(name)
            found[name] = name if not self.children[name] else initial and found[initial]
        return {name: found[name] for name in self.nodes}

    @cached_property
    def leaves(self) -> Mapping[str, tuple[str, ...]]:
        """The leaves in each state."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.nodes:
            if not self.children[name]:
                for state in self.around(name):
                    found[state].append(name)
        return {name: tuple(leaves) for name, leaves in found.items()}

    def claimable(self, machine_wide: Iterable[ast.On]) -> frozenset[str]:
        """The leaves that answer LOCKED_BY_WORKER, by themselves or through a state around them."""
        everywhere = any(_claims(on) for on in machine_wide)
        own = {name for name, node in self.nodes.items() if any(map(_claims, node.state.members))}
        leaves = (name for name in self.nodes if not self.children[name])
        return frozenset(
            name
            for name in leaves
            if name in own or (self.nodes[name].kind == "plain" and (everywhere or own.intersection(self.around(name))))
        )


def _claims(member: ast.StateMember | ast.MachineMember) -> bool:
    return isinstance(member, ast.On) and any(event.text == LOCKED for event in member.events)


def check_tree(tree: Tree, machine: ast.Name, report: Report) -> None:
    """Report what is wrong with the kinds of states: no initial one, two, a final one with states inside."""
    _check_initial(tree, None, f"machine `{machine.text}`", machine.span, report)
    for name, node in tree.nodes.items():
        _check_kinds(node, report)
        if tree.children[name]:
            _check_initial(tree, name, f"state `{name}`", node.name.span, report)
            if node.kind != "plain":
                message = f"{node.kind} state `{name}` has states inside"
                report.add(rules.CONFLICTING_KINDS, message, node.name.span, "a task that ends is in no inner state")


def _check_kinds(node: Node, report: Report) -> None:
    kinds = node.state.kinds
    if "final" in kinds and "failure" in kinds:
        message = f"state `{node.name.text}` is both `final` and `failure`"
        report.add(rules.CONFLICTING_KINDS, message, node.name.span, "keep one", help="`failure` is final by itself")


def _check_initial(tree: Tree, parent: str | None, what: str, span: Span, report: Report) -> None:
    inside = [tree.nodes[name] for name in tree.children[parent]]
    initial = [node for node in inside if node.is_initial]
    if not initial:
        help = "write `initial` before the state that a task starts in"
        fixes = [Fix(f"start in `{node.name.text}`", _start_of(node.state.span), "initial ") for node in inside[:1]]
        message = f"{what} has no initial state"
        report.add(rules.NO_INITIAL_STATE, message, span, "starts nowhere", help=help, fixes=fixes)
    for node in initial[1:]:
        first = Label(initial[0].name.span, "the first one")
        message = f"{what} has more than one initial state"
        report.add(rules.SEVERAL_INITIAL_STATES, message, node.name.span, "another one", secondary=[first])


def _start_of(span: Span) -> Span:
    return Span(span.path, span.start, span.start, span.line, span.column)
