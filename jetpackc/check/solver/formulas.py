"""What it takes for a guard to come out true, false, or neither: SQL's logic of three values as one of two.

A formula is built of atoms, each of which says that one expression has one of some values. Comparisons with constants
are the atoms that are understood; anything else of type bool is an unknown of its own, the same wherever it is written
the same. Guards are pure, so between two of them nothing changes but by a `set`: a term carries how often the vars that
it reads had been set (`Terms.age`), and is another term afterwards.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import Enum

from jetpackc.check import walk
from jetpackc.check.solver.values import (
    ALL_POINTS,
    ALL_RANGES,
    NO_POINTS,
    NO_RANGES,
    Body,
    Number,
    Points,
    Ranges,
    Values,
    compared,
)
from jetpackc.check.types import INT_RANGES
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass


class Outcome(Enum):
    """What is asked of a guard. Null is neither true nor false."""

    TRUE = "true"
    FALSE = "false"
    NOT_TRUE = "false or null"
    NOT_FALSE = "true or null"


_NEGATED = {
    Outcome.TRUE: Outcome.FALSE,
    Outcome.FALSE: Outcome.TRUE,
    Outcome.NOT_TRUE: Outcome.NOT_FALSE,
    Outcome.NOT_FALSE: Outcome.NOT_TRUE,
}
_POSITIVE = frozenset((Outcome.TRUE, Outcome.NOT_FALSE))
_NULLABLE = frozenset((Outcome.NOT_TRUE, Outcome.NOT_FALSE))

Term = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Atom:
    """The term has one of these values. `every` are all it can have at all."""

    term: Term
    values: Values
    every: Values


@dataclass(frozen=True, slots=True)
class All:
    """Each part holds; of no parts: true."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One part holds at least; of no parts: false."""

    parts: tuple[Formula, ...]


Formula = Atom | All | Some
ANYTHING = All(())
"""What holds everywhere."""
NOTHING = Some(())
"""What holds nowhere."""
_CONVERSE = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERS: dict[str, frozenset[str | bool]] = {
    "<": frozenset("<"),
    "<=": frozenset("<="),
    "==": frozenset("="),
    "!=": frozenset("<>"),
    ">": frozenset(">"),
    ">=": frozenset(">="),
}
_RANGES = dict.fromkeys(("numeric", "float", "timestamptz", "date", "interval"), ALL_RANGES) | {
    kind: Ranges(((allowed.start, 0), (allowed.stop, 0))) for kind, allowed in INT_RANGES.items()
}
"""The values of ordered types. Text is none of them here: its order is the database's affair."""
_BOOLS = Points(frozenset((True, False)))
_THREE = Points(frozenset("<=>"))
_OF_ERROR = frozenset(field.name for field in chart.ERROR_FIELDS)
"""Fields that the system fills in, and may leave null."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class Terms:
    """Makes formulas of guards that stand one behind the other. `enums` are the values of each enum, `states` those
    that the task can be in here."""

    enums: Mapping[str, frozenset[str]]
    states: frozenset[str] | None = None
    age: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Terms:
        """The same place, to go on from by itself."""
        return Terms(self.enums, self.states, dict(self.age))

    def forget(self, names: Iterable[str]) -> None:
        """From here on these vars may have other values."""
        for name in names:
            self.age[name] = self.age.get(name, 0) + 1

    def formula(self, guard: ir.Expr, outcome: Outcome) -> Formula:
        """What it takes for the guard to come out so."""
        match guard:
            case ir.Literal():
                return _constant(guard, outcome)
            case ir.Unary(operator="not", operand=operand):
                return self.formula(operand, _NEGATED[outcome])
            case ir.Binary(operator="and" | "or" as word, left=left, right=right):
                parts = (self.formula(left, outcome), self.formula(right, outcome))
                return All(parts) if (word == "and") is (outcome in _POSITIVE) else Some(parts)
            case ir.IsNull(operand=operand, negated=negated):
                return self._is_null(operand, null=(outcome in _POSITIVE) is not negated)
            case ir.Binary(operator=operator, left=left, right=right) if operator in _ORDERS:
                return self._comparison(operator, left, right, outcome)
            case ir.In(operand=operand, options=options) if options and not options[0].type.array:
                return self._one_of(operand, options, outcome)
            case _:
                return self._atom(guard, Points(frozenset({True})), outcome)

    # ------------------------------------------------------------ atoms

    def _atom(self, term: ir.Expr, body: Body, outcome: Outcome) -> Formula:
        """The term is in the body, or is not, or may be null as well."""
        every = self._every(term)
        wanted = body if outcome in _POSITIVE else body.without()
        return Atom(self._term(term), Values(outcome in _NULLABLE, wanted).meet(every), every)

    def _is_null(self, operand: ir.Expr, *, null: bool) -> Formula:
        every = self._every(operand)
        none = NO_RANGES if isinstance(every.body, Ranges) else NO_POINTS
        values = Values(null=True, body=none) if null else Values(null=False, body=every.body)
        return Atom(self._term(operand), values.meet(every), every)

    def _comparison(self, operator: str, left: ir.Expr, right: ir.Expr, outcome: Outcome) -> Formula:
        if isinstance(left, ir.Literal):
            operator, left, right = _CONVERSE.get(operator, operator), right, left
        body = _compared(operator, left.type, right)
        if body is not None and not isinstance(left, ir.Literal):
            return self._atom(left, body, outcome)
        return self._pair(operator, left, right, outcome)

    def _pair(self, operator: str, left: ir.Expr, right: ir.Expr, outcome: Outcome) -> Formula:
        """Two expressions that both vary: which of the three ways they stand to each other is a term of its own."""
        if _place(right) < _place(left):
            operator, left, right = _CONVERSE.get(operator, operator), right, left
        holds = Points(_ORDERS[operator])
        wanted = holds if outcome in _POSITIVE else holds.without()
        every = Values(null=False, body=_THREE)
        pair = Atom(("pair", *self._term(left), *self._term(right)), Values(null=False, body=wanted).meet(every), every)
        both = tuple(self._is_null(side, null=False) for side in (left, right) if self._every(side).null)
        if not both:
            return pair
        nulls = tuple(self._is_null(side, null=True) for side in (left, right) if self._every(side).null)
        known = All((pair, *both))
        return Some((known, *nulls)) if outcome in _NULLABLE else known

    def _one_of(self, operand: ir.Expr, options: tuple[ir.Expr, ...], outcome: Outcome) -> Formula:
        parts = tuple(self._comparison("==", operand, option, outcome) for option in options)
        return Some(parts) if outcome in _POSITIVE else All(parts)

    # ------------------------------------------------------------ terms

    def _term(self, expr: ir.Expr) -> Term:
        """What is the same for two expressions that must have the same value."""
        name = (expr.scope, expr.name) if isinstance(expr, ir.Ref) else expr
        if not self.age:
            return (name,)
        return (name, *(self.age.get(ref.name, 0) for ref in walk.refs(expr) if ref.scope in {"var", "builtin"}))

    def _every(self, expr: ir.Expr) -> Values:
        """All that the expression can be, by its type alone."""
        if isinstance(expr, ir.Ref) and (expr.scope, expr.name) == ("builtin", "state") and self.states is not None:
            return Values(null=False, body=Points(frozenset(self.states)))
        left_out = isinstance(expr, ir.Ref) and expr.scope == "event" and expr.name in _OF_ERROR
        return Values(expr.type.optional or left_out, self._body(expr.type))

    def _body(self, type: ir.Type) -> Body:
        """All values of a type."""
        if type.kind in _RANGES and not type.array:
            return _RANGES[type.kind]
        if type.kind == "bool" and not type.array:
            return _BOOLS
        if type.kind == "enum" and type.enum in self.enums and not type.array:
            return Points(frozenset(self.enums[type.enum]))
        return ALL_POINTS


def _place(expr: ir.Expr) -> str:
    """Something to put two expressions in the same order wherever they stand."""
    return f"{expr.scope}.{expr.name}" if isinstance(expr, ir.Ref) else repr(expr)


def _constant(guard: ir.Literal, outcome: Outcome) -> Formula:
    """`true`, `false`, `null`. What stands for an expression with an error may be anything."""
    if guard.type.kind != "bool":
        return ANYTHING
    if guard.value is None:
        return ANYTHING if outcome in _NULLABLE else NOTHING
    return ANYTHING if guard.value is (outcome in _POSITIVE) else NOTHING


def _compared(operator: str, type: ir.Type, right: ir.Expr) -> Body | None:
    """The values of this type for which `x operator right` holds; None where that is not understood."""
    value = _value(right, type)
    if value is None:
        return None
    if isinstance(value, str | bool):
        found = Points(frozenset({value}))
        return {"==": found, "!=": found.without()}.get(operator)
    return compared(operator, value, whole=type.kind in {"int", "bigint", "date"})


def _value(expr: ir.Expr, type: ir.Type) -> str | bool | Number | None:
    """A constant, as it is compared with values of this type."""
    if isinstance(expr, ir.Cast):
        return _day(expr, type)
    if not isinstance(expr, ir.Literal) or expr.value is None or type.array:
        return None
    match type.kind, expr.type.kind, expr.value:
        case (("text" | "enum" | "bool") as kind, other, str() | bool() as value) if kind == other:
            return value
        case ("interval", "interval", int() as value):
            return value
        case ("float", "float", str() as value):
            return float(value)
        case (("int" | "bigint" | "numeric"), ("int" | "bigint" | "numeric"), value):
            return value if isinstance(value, int) else _number(value)
        case _:
            return None


def _number(digits: str) -> Number:
    """A number as exact as it is written. One without a fraction is an int, which compares ten times as fast."""
    if digits.isdecimal():
        return int(digits)
    from fractions import Fraction

    return Fraction(digits)


def _day(cast: ir.Cast, type: ir.Type) -> int | None:
    """The number of a day that is written as `"2026-01-31" as date`."""
    inner = cast.operand
    written = inner.value if isinstance(inner, ir.Literal) else None
    if type.kind != "date" or cast.type.kind != "date" or not isinstance(written, str) or not _DAY.fullmatch(written):
        return None
    try:
        return datetime.date.fromisoformat(written).toordinal()
    except ValueError:
        return None
