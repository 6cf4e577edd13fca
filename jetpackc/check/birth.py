"""Where `unique` meets what is done to a task: its creation, and its claim."""

from __future__ import annotations

from jetpackc.check import walk
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir


def check_birth(subject: Subject) -> None:
    """Refuse a `unique` that a new task is held to only by what its `enter`s have made of it: a create looks for the
    task in the way by what it is given."""
    machine = subject.machine
    if not machine.uniques or not machine.initial:
        return
    reached, clauses = _birth(machine)
    changed = walk.assigned(clauses)
    for unique in machine.uniques:
        if found := [column for column in unique.columns if column in changed]:
            subject.report.unsupported(
                f"`unique` over `{found[0]}`, which the `enter` of a new task sets,", unique.span
            )
        elif found := sorted((reached - {machine.initial}).intersection(unique.states)):
            what = f"`unique` in `{found[0]}`, which the `enter` of a new task may lead to,"
            subject.report.unsupported(what, unique.span)


def check_claimed(subject: Subject) -> None:
    """Refuse a `unique` that a claim may break: the task would be stuck, and what is meant is a limit."""
    machine = subject.machine
    for unique in machine.uniques:
        for leaf in chart.claimable(machine):
            claims = chart.clauses(machine, leaf.name, chart.LOCKED)
            entered = {goto.target for goto in walk.gotos(claims)}.intersection(unique.states)
            if entered and leaf.name not in unique.states:
                label = f"a claim leads from `{leaf.name}`, which does not count, to `{min(entered)}`, which does"
                by = f" per {unique.columns[0]}" if unique.columns else ""
                help = f"`limit 1{by}` leaves the others waiting; or let `unique` count `{leaf.name}` too"
                subject.add(rules.UNIQUE_CLAIM, "a claim may break this `unique`", unique.span, label, help=help)


def _birth(machine: ir.Machine) -> tuple[set[str], list[ir.Clause]]:
    """The leaves that a new task may come to by itself, and the clauses that may run on the way."""
    reached, clauses = {machine.initial}, []
    pending = [machine.initial]
    while pending:
        leaf = pending.pop()
        around = chart.ancestors(machine, leaf)
        run = [clause for state in around for clause in (*state.enter, *state.exit)]
        run += [clause for each in walk.raises(run) for clause in chart.clauses(machine, leaf, each.event)]
        clauses += run
        for goto in walk.gotos(run):
            if goto.target not in reached:
                reached.add(goto.target)
                pending.append(goto.target)
    return reached, clauses
