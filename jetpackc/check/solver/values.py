"""Sets of values that an expression may have, null among them or not.

Ordered types have ranges: a sorted row of cuts, at each of which the set begins or ends. A cut lies just before a value
or just behind it, so that every bound, open or closed, is one cut and the complement of a set has the same cuts. Other
types have points: these values, or all but these.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, TypeAlias

from jetpackc.records import dataclass

if TYPE_CHECKING:
    from fractions import Fraction

Number: TypeAlias = "int | float | Fraction"
Cut: TypeAlias = tuple[Number, int]
"""A value, and 0 for just before it or 1 for just behind it."""

LOWEST: Cut = (float("-inf"), 0)
HIGHEST: Cut = (float("inf"), 1)
MAX_CUTS = 200
"""How finely a set is cut before further cuts are let go: it bounds the time of long rows of clauses."""


@dataclass(frozen=True, slots=True)
class Points:
    """These members, or with `but` all values except these."""

    members: frozenset[str | bool]
    but: bool = False

    def without(self) -> Points:
        """All other values."""
        return Points(self.members, not self.but)

    def meet(self, other: Points) -> Points:
        """What is in both."""
        if self.but and other.but:
            return Points(self.members | other.members, but=True)
        if self.but:
            return Points(other.members - self.members)
        return Points(self.members - other.members if other.but else self.members & other.members)

    @property
    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return not self.members and not self.but


@dataclass(frozen=True, slots=True)
class Ranges:
    """The values between the first cut and the second, the third and the fourth, and so on."""

    cuts: tuple[Cut, ...]

    def without(self) -> Ranges:
        """All other values."""
        cuts = self.cuts[1:] if self.cuts[:1] == (LOWEST,) else (LOWEST, *self.cuts)
        return Ranges(cuts[:-1] if cuts[-1:] == (HIGHEST,) else (*cuts, HIGHEST))

    def meet(self, other: Ranges) -> Ranges:
        """What is in both, or somewhat more where that takes too many cuts."""
        if other.cuts == (LOWEST, HIGHEST):
            return self
        found: list[Cut] = []
        left, right = self.cuts, other.cuts
        i = j = 0
        while i < len(left) and j < len(right):
            low, high = max(left[i], right[j]), min(left[i + 1], right[j + 1])
            if low < high:
                found += (low, high)
            if left[i + 1] < right[j + 1]:
                i += 2
            else:
                j += 2
        return self if len(found) > MAX_CUTS else Ranges(tuple(found))

    @property
    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return not self.cuts


Body = Points | Ranges


@dataclass(frozen=True, slots=True)
class Values:
    """What an expression may be: null or not, and which values."""

    null: bool
    body: Body

    def meet(self, other: Values) -> Values:
        """What is in both. Sets of different kinds say nothing of each other."""
        null = self.null and other.null
        match self.body, other.body:
            case (Points() as left, Points() as right):
                return Values(null, left.meet(right))
            case (Ranges() as below, Ranges() as above):
                return Values(null, below.meet(above))
            case _:
                return Values(null, self.body)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left, not even null."""
        return not self.null and self.body.is_empty


ALL_POINTS = Points(frozenset(), but=True)
NO_POINTS = Points(frozenset())
ALL_RANGES = Ranges((LOWEST, HIGHEST))
NO_RANGES = Ranges(())


def compared(operator: str, value: Number, *, whole: bool) -> Ranges:
    """The x for which `x operator value` is true. `whole`: x is a whole number, which no open bound is needed for."""
    before, behind = (value, 0), (value, 1)
    if whole:
        before = (ceil(value), 0)
        behind = (value + 1, 0) if value == ceil(value) else before
    match operator:
        case "<":
            cuts = (LOWEST, before)
        case "<=":
            cuts = (LOWEST, behind)
        case ">":
            cuts = (behind, HIGHEST)
        case ">=":
            cuts = (before, HIGHEST)
        case "!=":
            return compared("==", value, whole=whole).without()
        case _:
            cuts = (before, behind)
    return Ranges(cuts if cuts[0] < cuts[1] else ())
