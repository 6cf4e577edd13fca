"""Claims, runs and their outcomes: what a worker takes must be worked, and must come to an end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jetpackc.check import walk
from jetpackc.check.reach import leaving
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.model import Fix, Label
from jetpackc.diagnostics.rules import flow as rules, syntax as syntax_rules
from jetpackc.ir import chart, model as ir
from jetpackc.source import Span

_OUTCOMES = ("SUCCESS", "ERROR")
_NO_TIMEOUT = "nothing here has a `timeout`"
_OF_RUNS = frozenset(("SUCCESS", "RELEASED", "LEASE_EXPIRED", "TIMEOUT"))


def check_work(subject: Subject) -> None:
    """Report claims and runs that do not fit each other, and outcomes that nothing answers."""
    machine = subject.machine
    for leaf in chart.claimable(machine):
        _check_claim(subject, leaf)
    claimed = {goto.target for leaf in chart.claimable(machine) for goto in _claims(machine, leaf.name)}
    for state in machine.states:
        _check_place(subject, state)
        if state.kind != "plain":
            _check_final(subject, state)
        elif state.run is not None:
            _check_run(subject, state, claimed)
        _check_events(subject, state, claimed)
    _check_events(subject, None, claimed)
    _check_entries(subject, claimed)
    _check_raises(subject)


def _claims(machine: ir.Machine, leaf: str) -> Iterator[ir.Goto]:
    return walk.gotos(chart.clauses(machine, leaf, chart.LOCKED))


def _check_claim(subject: Subject, leaf: ir.State) -> None:
    machine = subject.machine
    clauses = chart.clauses(machine, leaf.name, chart.LOCKED)
    targets = list(_claims(machine, leaf.name))
    for goto in targets:
        target = chart.states(machine)[goto.target]
        if target.run is None:
            message = f"a claim leads to state `{target.name}`, which runs nothing"
            place = Label(target.span, "has no `run`")
            help = f'give state `{target.name}` a `run "module:function"`'
            subject.add(
                rules.CLAIM_WITHOUT_RUN, message, goto.span, "claimed for nothing", secondary=[place], help=help
            )
    if not targets:
        message = f"the claim of state `{leaf.name}` leads nowhere"
        help = "write `on LOCKED_BY_WORKER -> s`, where `s` is a state with `run`"
        subject.add(rules.CLAIM_WITHOUT_RUN, message, clauses[0].span, "has no `->`", help=help)
    elif not walk.way_out(clauses, leaf.name, subject.covers):
        message = f"the claim of state `{leaf.name}` hangs on a guard"
        help = (
            "add a last `on LOCKED_BY_WORKER ->` without a guard; a task that may not run yet belongs in another state"
        )
        subject.add(rules.GUARDED_CLAIM, message, clauses[0].span, "a worker would claim in vain", help=help)


def _check_place(subject: Subject, state: ir.State) -> None:
    if state.timeout is not None and state.run is None and state.kind == "plain":
        message = f"state `{state.name}` has a `timeout` and runs nothing"
        subject.add(rules.TIMEOUT_WITHOUT_RUN, message, state.span, "nothing to time", help="give it a `run`")
    if state.run is not None and state.initial is not None:
        message = f"state `{state.name}` has states inside and a `run`"
        help = "a task is in the inner states only: put `run` in one of them"
        subject.add(syntax_rules.MISPLACED_CLAUSE, message, state.span, "has states inside", help=help)


def _check_final(subject: Subject, state: ir.State) -> None:
    what = "a `timeout`" if state.timeout is not None else None
    what = "a `run`" if state.run is not None else what
    if any(chart.LOCKED in clause.events for clause in state.on):
        what = "an `on LOCKED_BY_WORKER`"
    if what is not None:
        message = f"{state.kind} state `{state.name}` has {what}"
        subject.add(rules.FINAL_STATE_CLAUSE, message, state.span, "the task has ended here", help="remove it")


def _check_run(subject: Subject, leaf: ir.State, claimed: set[str]) -> None:
    machine = subject.machine
    if leaf.initial is not None:
        return
    if leaf.name not in claimed:
        message = f"no claim leads to state `{leaf.name}`, so its `run` never runs"
        help = f"write `on LOCKED_BY_WORKER -> {leaf.name}` in the state where it waits for a worker"
        subject.add(rules.RUN_WITHOUT_CLAIM, message, leaf.span, "has a `run`", help=help)
    for event in _OUTCOMES:
        clauses = chart.clauses(machine, leaf.name, event)
        if not walk.way_out(clauses, leaf.name, subject.covers):
            message = f"state `{leaf.name}` has no unguarded way out for `{event}`"
            guarded = [Label(clause.span, "may not be taken, or may not leave") for clause in clauses]
            help = f"add `on {event} -> s` as the last clause of `{event}`"
            label = "a task could stay here for ever"
            way = subject.traces.way(leaf.name)
            notes = [f"`{way}`, then `{event}` leads nowhere"] if way else []
            fixes = _answer(subject, leaf, event)
            rule, help = rules.UNANSWERED_OUTCOME, "" if fixes else help
            subject.add(rule, message, leaf.span, label, secondary=guarded, notes=notes, help=help, fixes=fixes)


def _answer(subject: Subject, leaf: ir.State, event: str) -> tuple[Fix, ...]:
    """A last clause for an outcome, where only one state can be meant: the one that has failed, or is final."""
    kind = "final" if event == "SUCCESS" else "failure"
    ends = [state.name for state in subject.machine.states if state.kind == kind]
    own = [clause.span for clause in leaf.on if subject.is_own(clause.span)]
    if len(ends) != 1 or not own or len(own) < len(leaf.on):
        return ()
    last = max(own, key=lambda span: span.end)
    place = Span(last.path, last.end, last.end, last.line, last.column + last.end - last.start)
    written = f"on {event} -> {ends[0]}"
    return (Fix(f"add `{written}`", place, f"\n{' ' * (last.column - 1)}{written}"),)


def _check_events(subject: Subject, state: ir.State | None, claimed: set[str]) -> None:
    """Report answers to lifecycle events that never come in any leaf of the state, or of the machine."""
    machine = subject.machine
    clauses = [
        clause for clause in (state.on if state else machine.on) if not chart.LIFECYCLE.isdisjoint(clause.events)
    ]
    if not clauses:
        return
    leaves = chart.leaves_of(machine, state.name) if state else chart.leaves(machine)
    where = f"state `{state.name}`" if state else f"machine `{machine.name}`"
    missing = dict(_missing(subject, leaves, claimed))
    for clause in clauses:
        for event in clause.events:
            general = event == "TIMEOUT" and missing.get(event) == _NO_TIMEOUT and not subject.is_own(clause.span)
            if event in missing and not general:
                message = f"`{event}` never comes in {where}"
                help = "give the state a `timeout`, or remove this" if event == "TIMEOUT" else "remove this clause"
                subject.add(rules.LIFECYCLE_EVENT, message, clause.span, missing[event], help=help)


def _missing(subject: Subject, leaves: Iterable[ir.State], claimed: set[str]) -> Iterator[tuple[str, str]]:
    """The lifecycle events that none of these leaves can get, and why."""
    if not any(leaf.timeout is not None for leaf in leaves):
        yield "TIMEOUT", _NO_TIMEOUT
    if not any(leaf.run is not None or leaf.name in claimed for leaf in leaves):
        yield from ((event, "nothing runs here") for event in _OF_RUNS)
    if not any(any(walk.raises(leaving(subject.machine, leaf.name))) for leaf in leaves):
        yield "ABANDONED", "nothing here uses up its attempts"


def _check_entries(subject: Subject, claimed: set[str]) -> None:
    """Report ways into a state with `run` that are no claims: no worker would know of the task."""
    machine = subject.machine
    runs = {leaf.name for leaf in chart.running(machine)} & claimed
    for leaf in chart.leaves(machine):
        for clause in leaving(machine, leaf.name):
            if chart.LOCKED in clause.events:
                continue
            for goto in walk.gotos([clause]):
                if goto.target in runs and (goto.reenter or goto.target != leaf.name):
                    _unclaimed(subject, goto.target, goto)
    if machine.initial in runs:
        state = chart.states(machine)[machine.initial]
        message = f"the initial state `{state.name}` has a `run`, and no worker has claimed the task"
        help = f"start in a state with `on LOCKED_BY_WORKER -> {state.name}`"
        subject.add(rules.UNCLAIMED_RUN, message, state.span, "entered without a claim", help=help)


def _unclaimed(subject: Subject, target: str, goto: ir.Goto) -> None:
    message = f"state `{target}` has a `run`, and this is no claim"
    help = f"go to a state with `on LOCKED_BY_WORKER -> {target}` instead"
    subject.add(rules.UNCLAIMED_RUN, message, goto.span, "no worker would know of the task", help=help)


def _check_raises(subject: Subject) -> None:
    machine = subject.machine
    for leaf in chart.leaves(machine):
        if walk.way_out(chart.clauses(machine, leaf.name, "ABANDONED"), leaf.name, subject.covers):
            continue
        for each in walk.raises(leaving(machine, leaf.name)):
            state = leaf.parent or leaf.name
            message = f"`{state}` does not say what happens when its attempts are used up"
            help = f"add `on ABANDONED -> s` to `{state}`"
            subject.add(rules.UNHANDLED_ABANDONED, message, each.span, "`ABANDONED` comes from here", help=help)
