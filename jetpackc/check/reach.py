"""States that nothing leads to, and states that nothing leaves."""

from __future__ import annotations

from collections.abc import Iterator

from jetpackc.check import walk
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir


def check_reach(subject: Subject) -> None:
    """Report unreachable states and dead ends. A template's state that its machine goes around is no error."""
    machine = subject.machine
    reached = subject.traces.arrivals.keys()
    for state in machine.states:
        leaves = {leaf.name for leaf in chart.leaves_of(machine, state.name)}
        outer = state.parent
        if leaves.isdisjoint(reached) and state.name not in subject.inherited:
            around = outer and {leaf.name for leaf in chart.leaves_of(machine, outer)}
            if not around or not around.isdisjoint(reached):
                _unreachable(subject, state)
    for leaf in chart.leaves(machine):
        if leaf.name in reached and _is_dead_end(machine, leaf):
            message = f"nothing leaves state `{leaf.name}`, and it is not final"
            help = "give it a clause with `->`, or make it `final` or `failure`"
            notes = [f"a task gets here by `{subject.traces.way(leaf.name)}`"]
            subject.add(rules.DEAD_END_STATE, message, leaf.span, "a task stays here for ever", notes=notes, help=help)


def _unreachable(subject: Subject, state: ir.State) -> None:
    message = f"nothing leads to state `{state.name}`"
    help = "write `->` to it somewhere, or remove it"
    notes = _in_vain(subject, state)
    subject.add(rules.UNREACHABLE_STATE, message, state.span, "no task ever gets here", notes=notes, help=help)


def _in_vain(subject: Subject, state: ir.State) -> list[str]:
    """What leads there from a state that no task gets to either."""
    entries = subject.traces.entries
    leaves = {leaf.name for leaf in chart.leaves_of(subject.machine, state.name)}
    hops = (entries[leaf] for leaf in leaves if leaf in entries and entries[leaf].source not in leaves)
    hop = min(hops, key=lambda hop: hop.source, default=None)
    return [f"`{hop.source}{hop}` does, but nothing leads to `{hop.source}`"] if hop else []


def _targets(machine: ir.Machine, leaf: str) -> Iterator[str]:
    return (goto.target for goto in walk.gotos(leaving(machine, leaf)))


def answering(machine: ir.Machine, leaf: str) -> list[ir.Clause]:
    """The clauses that answer events in a leaf, and what its timers do."""
    answers = [clause for event in chart.events(machine, leaf) for clause in chart.clauses(machine, leaf, event)]
    return [*answers, *(timer.clause for timer in chart.timers(machine, leaf))]


def leaving(machine: ir.Machine, leaf: str) -> list[ir.Clause]:
    """The clauses that may run in a leaf: answers to events, and the `enter`s of it and of the states around it."""
    around = chart.ancestors(machine, leaf)
    return answering(machine, leaf) + [clause for state in around for clause in state.enter]


def _is_dead_end(machine: ir.Machine, leaf: ir.State) -> bool:
    """Whether nothing leaves it. Of a state that is claimed or worked in, the checks of work say more."""
    if leaf.kind != "plain" or leaf.run is not None or chart.clauses(machine, leaf.name, chart.LOCKED):
        return False
    return all(target == leaf.name for target in _targets(machine, leaf.name))
