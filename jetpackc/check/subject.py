"""A machine under a flow check, and where to say what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property

from jetpackc.check.report import Report
from jetpackc.check.solver import ANYTHING, Known, Outcome, Terms
from jetpackc.check.traces import Traces
from jetpackc.diagnostics.model import Fix, Label, Rule
from jetpackc.ir import model as ir
from jetpackc.records import dataclass
from jetpackc.source import Span


@dataclass(frozen=True)
class Subject:
    """A machine, the place of its name, the states it has from its template, the values of each enum, the report."""

    machine: ir.Machine
    name: Span
    inherited: frozenset[str]
    report: Report
    enums: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def traces(self) -> Traces:
        """How a task gets to each leaf."""
        return Traces(self.machine)

    def covers(self, guards: Sequence[ir.Expr]) -> bool:
        """Whether one of these guards is always true."""
        known, terms = Known(), Terms(self.enums)
        for guard in guards:
            known.learn(terms.formula(guard, Outcome.NOT_TRUE))
        return not known.allows(ANYTHING)

    def is_own(self, span: Span) -> bool:
        """Whether a place is in the machine itself, and not in its template or in an operator."""
        return span in self.machine.span

    def add(
        self,
        rule: Rule,
        message: str,
        span: Span,
        label: str = "",
        *,
        secondary: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str = "",
        fixes: Sequence[Fix] = (),
    ) -> None:
        """Record a finding. What the machine has from its template is said of the machine, with the place beside it."""
        if self.is_own(span):
            self.report.add(rule, message, span, label, secondary=secondary, notes=notes, help=help, fixes=fixes)
            return
        places = [Label(span, label), *secondary]
        name = self.machine.name
        self.report.add(rule, message, self.name, f"in `{name}`", secondary=places, notes=notes, help=help)
