"""Guards that are never true or always, and clauses and arms that what stands before them leaves nothing for.

What the compiler wrote itself, and what came from a template or an operator, is not held to it: it is general, and a
machine that uses it may well leave a part of it idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from jetpackc.check import walk
from jetpackc.check.solver import ANYTHING, NOTHING, Formula, Known, Outcome, Terms
from jetpackc.check.statements import assigned_in
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass

Guarded = ir.Clause | ir.Branch
_SHOWN = 4
"""How many of the clauses that forestall one are pointed at."""
_MAX_FORMER = 30
"""Of how many at most it is found out which of them it takes."""


def check_guards(subject: Subject) -> None:
    """Report what is never tried or never taken, state by state, then across the states that are inside each other."""
    machine = subject.machine
    for state in machine.states:
        inside = frozenset(leaf.name for leaf in chart.leaves_of(machine, state.name))
        row = _Row(subject, Terms(subject.enums, inside))
        _check_events(row, state.on, f"state `{state.name}`")
        row.enters(state.enter, f"`enter` of state `{state.name}`")
        for timer in state.timers:
            row.choices([timer.clause], "timer")
        for clause in (*state.exit, *(timer.clause for timer in state.timers)):
            row.inner(clause, Known())
    resting = frozenset(leaf.name for leaf in chart.leaves(machine) if leaf.kind == "plain")
    _check_events(_Row(subject, Terms(subject.enums, resting)), machine.on, f"machine `{machine.name}`")
    for state in machine.states:
        if state.initial is not None:
            _check_around(subject, state)
    _check_around(subject, None)


def _check_around(subject: Subject, state: ir.State | None) -> None:
    """Report clauses of a state with states inside, or of the machine, that each of these states forestalls."""
    machine = subject.machine
    clauses = state.on if state else machine.on
    where = f"state `{state.name}`" if state else f"machine `{machine.name}`"
    inside = chart.leaves_of(machine, state.name) if state else chart.leaves(machine)
    leaves = [leaf.name for leaf in inside if leaf.kind == "plain"]
    for clause in clauses:
        for event in clause.events:
            before = _before(subject, leaves, event, clause)
            if before and not _Row(subject, Terms(subject.enums)).needed(clause, Known(), [*_until(clause, clauses)]):
                _Row(subject, Terms(subject.enums)).forestalled(clause, before, f"`on {event}` in {where}")


def _before(subject: Subject, leaves: Iterable[str], event: str, clause: ir.Clause) -> list[Guarded]:
    """The clauses that leave nothing for this one in any of the leaves; none where it has its turn in one of them."""
    found: dict[int, Guarded] = {}
    for leaf in leaves:
        former = [*_until(clause, chart.clauses(subject.machine, leaf, event))]
        terms = Terms(subject.enums, frozenset({leaf}))
        needed = _Row(subject, terms).needed(clause, Known(), former) if former else []
        if not needed:
            return []
        found |= {id(each): each for each in needed}
    return list(found.values())


def _until(clause: ir.Clause, clauses: Iterable[ir.Clause]) -> Iterator[ir.Clause]:
    """The clauses that stand before this one. A leaf may have a machine-wide one in a form of its own."""
    return takewhile(lambda each: (each.span, each.guard) != (clause.span, clause.guard), clauses)


def _check_events(row: _Row, clauses: Sequence[ir.Clause], where: str) -> None:
    """The clauses of each event, then the blocks of all: that of several events is looked at once."""
    by_event: dict[str, list[ir.Clause]] = {}
    for clause in clauses:
        for event in clause.events:
            by_event.setdefault(event, []).append(clause)
    for event, found in by_event.items():
        row.choices(found, f"`on {event}` in {where}")
    for clause in clauses:
        row.inner(clause, Known())


@dataclass(frozen=True, slots=True)
class _Row:
    """Guards that are tried one after the other in one place."""

    subject: Subject
    terms: Terms

    def apart(self) -> _Row:
        """The same place, to go on from by itself."""
        return _Row(self.subject, self.terms.copy())

    def choices(self, clauses: Sequence[ir.Clause], what: str) -> None:
        """Clauses of which the first that is true is taken."""
        known, former = Known(), list[Guarded]()
        for clause in clauses:
            if self._judge(clause, Known(), known, former, what):
                former.append(clause)
                if len(former) < len(clauses):
                    known.learn(self._formula(clause, Outcome.NOT_TRUE))

    def enters(self, clauses: Sequence[ir.Clause], what: str) -> None:
        """Clauses that all run, until one takes an arrow."""
        row, known, former = self.apart(), Known(), list[Guarded]()
        for clause in clauses:
            if not row._judge(clause, Known(), known, former, what):
                continue
            row.inner(clause, known)
            if walk.always_moves(clause.body, "", self.subject.covers):
                former.append(clause)
                known.learn(row._formula(clause, Outcome.NOT_TRUE))
            else:
                row.terms.forget(assigned_in(clause.body))

    def inner(self, clause: ir.Clause, known: Known) -> None:
        """The block of a clause, where its guard is true."""
        if any(isinstance(statement, ir.When) for statement in clause.body):
            inside = known.copy()
            inside.learn(self._formula(clause, Outcome.TRUE))
            self.apart().block(clause.body, inside)

    def block(self, body: Iterable[ir.Statement], known: Known) -> None:
        """Statements in order, each of which may change what is known to the next."""
        for statement in body:
            match statement:
                case ir.Set(name=name) | ir.Spawn(alias=name):
                    self.terms.forget([name])
                case ir.When(branches=branches):
                    self._arms(branches, known)
                    self.terms.forget(name for arm in branches for name in assigned_in(arm.body))
                case _:
                    pass

    def _arms(self, branches: Sequence[ir.Branch], known: Known) -> None:
        """The arms of a `when`. What ended the block where it was taken was not taken where the block goes on."""
        before, trying, former, passed = known.copy(), known.copy(), list[Guarded](), True
        for arm in branches:
            if not self._judge(arm, before, trying, former, "arm of a `when`" if arm.guard else "`else`"):
                continue
            inside = trying.copy()
            inside.learn(self._formula(arm, Outcome.TRUE))
            self.apart().block(arm.body, inside)
            passed = passed and walk.always_moves(arm.body, "", self.subject.covers)
            others = self._formula(arm, Outcome.NOT_TRUE)
            former.append(arm)
            trying.learn(others)
            if passed:
                known.learn(others)

    # ------------------------------------------------------------ judging

    def _judge(self, one: Guarded, alone: Known, known: Known, former: Sequence[Guarded], what: str) -> bool:
        """Whether it may be taken. `alone` is what holds whatever was tried before, `known` all that holds."""
        taken = self._formula(one, Outcome.TRUE)
        if one.guard is not None and not alone.allows(taken):
            self._never(one)
            return False
        if former and not known.allows(taken):
            self.forestalled(one, self.needed(one, alone, former), what)
            return False
        if one.guard is not None and not Known().allows(self._formula(one, Outcome.NOT_TRUE)):
            self._always(one)
        return True

    def _formula(self, one: Guarded, outcome: Outcome) -> Formula:
        if one.guard is None:
            return ANYTHING if outcome is Outcome.TRUE else NOTHING
        return self.terms.formula(one.guard, outcome)

    # ------------------------------------------------------------ saying so

    def _is_written(self, one: Guarded) -> bool:
        """Whether it stands in the machine as it is: the compiler's own clauses stand at one place, body and all."""
        made = any(statement.span == one.span for statement in one.body)
        return self.subject.is_own(one.span) and not made

    def _never(self, one: Guarded) -> None:
        if isinstance(one.guard, ir.Literal) or not self._is_written(one):
            return
        here = " here" if Known().allows(self._formula(one, Outcome.TRUE)) else ""
        self.subject.report.add(
            rules.NEVER_TRUE,
            f"this guard is never true{here}",
            one.guard_span,
            "no value makes it true" if not here else "what is known here excludes it",
            help="correct the guard, or remove what hangs on it",
        )

    def _always(self, one: Guarded) -> None:
        if isinstance(one.guard, ir.Literal) or not self._is_written(one):
            return
        help = "leave the guard out, or correct it"
        self.subject.report.add(
            rules.ALWAYS_TRUE, "this guard is always true", one.guard_span, "no value makes it false", help=help
        )

    def forestalled(self, one: Guarded, needed: Sequence[Guarded], what: str) -> None:
        """Report what is behind others that leave nothing for it. A machine's own before its template's override it."""
        subject = self.subject
        if any(subject.is_own(one.span) != subject.is_own(other.span) for other in needed):
            return
        always = len(needed) == 1 and walk.is_unguarded(needed[0])
        label = "this one is always taken" if always else "this one is taken before"
        others = [Label(other.span, label) for other in needed[:_SHOWN]]
        help = "put the guarded clause first, or remove one of them" if always else "remove it, or correct a guard"
        message = f"this {what} never gets its turn"
        subject.report.add(rules.SHADOWED_CLAUSE, message, one.span, "never tried", secondary=others, help=help)

    def needed(self, one: Guarded, alone: Known, former: Sequence[Guarded]) -> list[Guarded]:
        """Those of the former ones without which it would have its turn; none where it has it."""
        taken = self._formula(one, Outcome.TRUE)
        if not former or self._has_turn(taken, alone, former):
            return []
        needed = list(former)
        for other in reversed(former[:_MAX_FORMER]):
            rest = [each for each in needed if each is not other]
            if not self._has_turn(taken, alone, rest):
                needed = rest
        return needed

    def _has_turn(self, taken: Formula, alone: Known, former: Iterable[Guarded]) -> bool:
        known = alone.copy()
        for each in former:
            known.learn(self._formula(each, Outcome.NOT_TRUE))
        return known.allows(taken)
