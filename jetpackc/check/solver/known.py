"""What is known at a place, and whether a formula can hold there."""

from __future__ import annotations

from dataclasses import field

from jetpackc.check.solver.formulas import All, Atom, Formula, Some, Term
from jetpackc.check.solver.values import Values
from jetpackc.records import dataclass

_BUDGET = 400
"""How many cases one question may look at before it is given up, with the answer that it may be."""


class _TooHardError(Exception):
    """More cases than a question is worth."""


@dataclass(slots=True)
class Known:
    """Facts that hold together: the values left to each term, and what is undecided between several ways."""

    values: dict[Term, Values] = field(default_factory=dict)
    open: list[Some] = field(default_factory=list)
    impossible: bool = False

    def copy(self) -> Known:
        """The same facts, to go on from by themselves."""
        return Known(dict(self.values), list(self.open), self.impossible)

    def learn(self, fact: Formula) -> None:
        """From here on the formula holds."""
        match fact:
            case Atom(term=term, values=values):
                found = self.values.get(term, fact.every).meet(values)
                self.values[term] = found
                self.impossible = self.impossible or found.is_empty
            case All(parts=parts):
                for part in parts:
                    self.learn(part)
            case Some(parts=()):
                self.impossible = True
            case Some(parts=(part,)):
                self.learn(part)
            case Some():
                self.open.append(fact)

    def allows(self, fact: Formula) -> bool:
        """Whether the formula may hold here, as far as can be told."""
        if isinstance(fact, Atom) and not self.open:
            return not (self.impossible or self.values.get(fact.term, fact.every).meet(fact.values).is_empty)
        trial = self.copy()
        trial.learn(fact)
        try:
            return _possible(trial, [_BUDGET])
        except _TooHardError:
            return True


def _possible(known: Known, budget: list[int]) -> bool:
    """Whether the facts can hold together: with the most recent choice made in each way, one after the other."""
    budget[0] -= 1
    if budget[0] < 0:
        raise _TooHardError
    if known.impossible or not known.open:
        return not known.impossible
    choice = known.open.pop()
    for part in choice.parts:
        trial = known.copy()
        trial.learn(part)
        if _possible(trial, budget):
            return True
    return False
