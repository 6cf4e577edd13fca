"""Warnings: what rests on a guard, and what nothing uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from jetpackc.check import walk
from jetpackc.check.reach import answering
from jetpackc.check.report import Report
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir


def check_guarded_enters(subject: Subject) -> None:
    """Warn of states that only a guarded `enter` leaves: where no guard is true, the task rests there for ever."""
    machine = subject.machine
    for leaf in chart.leaves(machine):
        enters = [clause for state in chart.ancestors(machine, leaf.name) for clause in state.enter]
        led = [goto for goto in walk.gotos(enters) if goto.target != leaf.name]
        if leaf.kind != "plain" or not led or walk.way_out(enters, leaf.name, subject.covers):
            continue
        answers = walk.gotos(answering(machine, leaf.name))
        if all(goto.target == leaf.name for goto in answers) and not any(walk.raises(enters)):
            message = f"only a guarded `enter` leaves state `{leaf.name}`"
            help = "add a last line `enter -> s` for when no guard is true, or an event that leaves the state"
            way, label = subject.traces.way(leaf.name), "a task rests here when no guard is true"
            notes = [f"a task gets here by `{way}`"] if way else []
            subject.add(rules.GUARDED_ENTER, message, leaf.span, label, notes=notes, help=help)


def check_vars(subject: Subject) -> None:
    """Warn of vars that nothing in the machine sets or reads, where no handler may do so either."""
    machine = subject.machine
    if chart.running(machine):
        return
    used = {ref.name for expr in _expressions(machine) for ref in walk.refs(expr) if ref.scope == "var"}
    used |= walk.assigned(walk.all_clauses(machine))
    used.update(column for unique in machine.uniques for column in unique.columns)
    for var in machine.vars:
        if var.name not in used:
            message = f"var `{var.name}` is neither set nor read"
            subject.add(rules.UNUSED_VAR, message, var.span, "unused", help="remove it, or `set` it somewhere")


def _expressions(machine: ir.Machine) -> Iterator[ir.Expr]:
    for clause in walk.all_clauses(machine):
        if clause.guard is not None:
            yield clause.guard
        for statement in walk.flatten(clause.body):
            yield from walk.expressions(statement)
    yield from (state.timeout for state in machine.states if state.timeout is not None)
    yield from (timer.value for state in machine.states for timer in state.timers)


def check_declared_events(module: ir.Module, sent: Collection[str], report: Report) -> None:
    """Warn of events that the module declares and no machine of it handles, ignores or sends."""
    used = {*_used(module.machines), *sent}
    for event in module.events:
        if event.name not in used:
            message = f"event `{event.name}` is declared and neither sent nor handled"
            help = "handle it with `on`, or remove the declaration"
            report.add(rules.UNUSED_EVENT, message, event.span, "unused", help=help)


def _used(machines: Iterable[ir.Machine]) -> Iterator[str]:
    return (signature.event for machine in machines for signature in machine.signatures)
