"""Timers that another one of the same state always forestalls."""

from __future__ import annotations

from collections.abc import Iterator

from jetpackc.check import walk
from jetpackc.check.subject import Subject
from jetpackc.check.uniques import may_be_broken
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir, text


def check_timers(subject: Subject) -> None:
    """Report each timer before which one of its state is sure to have left it. Durations that are no constants are
    taken for such as let it fire."""
    for state in subject.machine.states:
        for timer, former in _pairs(subject, state):
            message = f"`{text.timer(timer)}` in state `{state.name}` never fires"
            first = Label(former.span, f"`{text.timer(former)}` has left the state by then")
            help = "remove one of them, or put a guard on the one that comes first"
            subject.add(rules.FORESTALLED_TIMER, message, timer.span, "never due here", secondary=[first], help=help)


def _pairs(subject: Subject, state: ir.State) -> Iterator[tuple[ir.Timer, ir.Timer]]:
    """The timers that never fire, each with the one that comes before it. What a machine adds to its template's
    overrides it, and is meant."""
    leaving = [timer for timer in state.timers if _leaves(subject, state, timer) and _length(timer) is not None]
    for place, timer in enumerate(state.timers):
        length = _length(timer)
        for former in leaving:
            before = (_length(former) or 0, state.timers.index(former))
            same = subject.is_own(former.span) == subject.is_own(timer.span)
            if length is not None and same and before < (length, place):
                yield timer, former
                break


def _length(timer: ir.Timer) -> int | None:
    """Of an `after` with a constant, in milliseconds; none is shorter than no time."""
    found = timer.value.value if timer.kind == "after" and isinstance(timer.value, ir.Literal) else None
    return max(found, 0) if isinstance(found, int) else None


def _leaves(subject: Subject, state: ir.State, timer: ir.Timer) -> bool:
    """Whether it is sure to take the task out of the state: by an arrow that hangs on nothing, a `unique` neither."""
    if any(may_be_broken(subject.machine, unique) for unique in subject.machine.uniques):
        return False
    *effects, last = timer.clause.body or (None,)
    if not (walk.is_unguarded(timer.clause) and isinstance(last, ir.Goto)):
        return False
    if any(isinstance(one, ir.When | ir.Fail) for one in effects):
        return False
    return last.reenter or state not in chart.ancestors(subject.machine, last.target)
