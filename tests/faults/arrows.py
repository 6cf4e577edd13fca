"""What a machine's arrows allow: which hops its history may hold, what each does to `attempts`. From the IR alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jetpackc.ir import chart, model as ir
from jetpackc.ir.text import timer

NOTES = frozenset({"stuck", "unstuck", "late", "refused", "spent", "counted", "inbox"})
"""What the engine writes down that is no event of the machine: never a change of state."""

Effects = tuple[ir.Expr, ...]
"""What is assigned to `attempts`, one after the other."""


@dataclass(frozen=True)
class Arrows:
    """The arrows of one machine."""

    machine: ir.Machine
    _targets: dict[tuple[str, str | None], frozenset[str]] = field(default_factory=dict)

    def allow(self, event: str | None, state: str, to: str) -> bool:
        """Whether this event may take a task from `state` to `to`; None is what `enter` does."""
        key = state, event
        if key not in self._targets:
            self._targets[key] = frozenset(self._reached(state, event, set()))
        return to in self._targets[key]

    def attempts(self, event: str | None, state: str, to: str, before: int) -> set[int] | None:
        """What `attempts` may be after this hop; None where that is not told by constants alone."""
        found: set[int] = set()
        for clause in self._answers(state, event):
            if to not in _targets(clause.body, state) and not _raises(clause.body):
                continue
            after = _assigned(_effects(clause.body), before)
            entered = self._entered(state, to)
            if after is None or entered is None:
                return None
            after = _assigned(entered, after)
            if after is None:
                return None
            found.add(after)
        return found or None

    def _reached(self, state: str, event: str | None, seen: set[str]) -> Iterator[str]:
        """The targets of the clauses that answer, and of those that answer what these raise."""
        for clause in self._answers(state, event):
            yield from _targets(clause.body, state)
            for raised in set(_raises(clause.body)) - seen:
                yield from self._reached(state, raised, seen | {raised})

    def _answers(self, state: str, event: str | None) -> Iterable[ir.Clause]:
        if event is None:
            return [clause for one in chart.ancestors(self.machine, state) for clause in one.enter]
        if event[0].islower():
            return [one.clause for one in chart.timers(self.machine, state) if timer(one) == event]
        return chart.clauses(self.machine, state, event)

    def _entered(self, state: str, to: str) -> Effects | None:
        """What the `exit`s and `enter`s between two states assign; None where a guard decides."""
        if state == to:
            return ()
        left = chart.ancestors(self.machine, state)
        entered = chart.ancestors(self.machine, to)
        clauses = [clause for one in left if one not in entered for clause in one.exit]
        clauses += [clause for one in reversed(entered) if one not in left for clause in one.enter]
        if any(clause.guard is not None and _effects(clause.body) != () for clause in clauses):
            return None
        found = [_effects(clause.body) for clause in clauses]
        return None if None in found else tuple(effect for effects in found for effect in effects or ())


def _targets(body: tuple[ir.Statement, ...], stays: str) -> Iterator[str]:
    """Where a block may lead; the state itself where it may end without an arrow."""
    for statement in body:
        match statement:
            case ir.Goto(target=target):
                yield target
                return
            case ir.Raise() | ir.Fail():
                return
            case ir.When(branches=branches):
                for branch in branches:
                    yield from _targets(branch.body, stays)
            case _:
                pass
    yield stays


def _raises(body: tuple[ir.Statement, ...]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ir.Raise):
            yield statement.event
        elif isinstance(statement, ir.When):
            for branch in statement.branches:
                yield from _raises(branch.body)


def _effects(body: tuple[ir.Statement, ...]) -> Effects | None:
    """What a block assigns to `attempts`; None where a guard in it decides."""
    found: list[ir.Expr] = []
    for statement in body:
        if isinstance(statement, ir.Set) and statement.name == "attempts":
            found.append(statement.value)
        elif isinstance(statement, ir.When) and any(_effects(branch.body) != () for branch in statement.branches):
            return None
    return tuple(found)


def _assigned(effects: Effects | None, before: int) -> int | None:
    value: int | None = before
    for effect in effects or ():
        value = None if value is None else _computed(effect, value)
    return None if effects is None else value


def _computed(value: ir.Expr, attempts: int) -> int | None:
    match value:
        case ir.Literal(value=int() as number):
            return number
        case ir.Ref(scope="builtin", name="attempts"):
            return attempts
        case ir.Binary(operator="+" | "-" as sign, left=left, right=right):
            one, other = _computed(left, attempts), _computed(right, attempts)
            return None if one is None or other is None else one + (other if sign == "+" else -other)
        case _:
            return None
