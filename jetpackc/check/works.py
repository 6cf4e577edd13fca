"""The work of handlers by the names that a `stub` may call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from jetpackc.check.report import Report, listed
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import tests as rules
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass
from jetpackc.syntax import ast


@dataclass(frozen=True)
class Work:
    """A state with `run`. `machine` is its machine as the test calls it."""

    machine: str
    in_machine: ir.Machine
    leaf: ir.State

    @property
    def name(self) -> str:
        """A step's name for its running leaf, else the state's own."""
        leaf = self.leaf
        return leaf.parent if leaf.parent and leaf.name.startswith(f"{leaf.parent}.") else leaf.name

    @property
    def full(self) -> str:
        """The same with its machine's name, whatever the module."""
        return f"{self.machine.rpartition('.')[2]}.{self.name}"

    @property
    def handler(self) -> str:
        """`charge` of `run "shop.payments:charge"`."""
        path, _, function = (self.leaf.run or "").partition(":")
        return function or path.rpartition(".")[2]


@dataclass(frozen=True)
class Works:
    """All work of the machines that a test can name. It is called by the handler's function, by the state, or by both
    machine and state."""

    machines: Mapping[str, ir.Machine]

    @cached_property
    def names(self) -> Mapping[str, Sequence[Work]]:
        """The work that goes by each name."""
        found: dict[str, list[Work]] = {}
        for name, machine in self.machines.items():
            for leaf in chart.running(machine):
                work = Work(name, machine, leaf)
                for key in dict.fromkeys((work.handler, work.name, work.full)):
                    found.setdefault(key, []).append(work)
        return found

    def find(self, name: ast.Name, report: Report) -> Sequence[Work]:
        """What is meant: all that the handler of this name does, else the one state. Nothing, and a finding, where
        there is none, or there are several."""
        found = self.names.get(name.text, ())
        if not found:
            help = f"handlers do {listed(sorted(self.names), 'and')}" if self.names else "no machine has a `run`"
            report.unknown(rules.UNKNOWN_WORK, "work", name.text, name.span, self.names, help=help)
            return ()
        by_handler = [work for work in found if work.handler == name.text]
        if by_handler and len({work.leaf.run for work in by_handler}) == 1:
            return by_handler
        if len(found) == 1:
            return found
        where = [Label(work.leaf.span, f"`{work.machine}.{work.name}`") for work in found]
        help = f"say which: {listed([work.full for work in found])}"
        message = f"several handlers do `{name.text}`"
        report.add(rules.AMBIGUOUS_WORK, message, name.span, "which of them?", secondary=where, help=help)
        return ()
