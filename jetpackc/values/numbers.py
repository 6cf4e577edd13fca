"""Numbers and lengths of time as Postgres reckons with them: ranges, scales, rounding.

Values: int for int and bigint, Decimal for numeric (its scale is that of Postgres), float, timedelta for interval,
datetime in UTC for timestamptz, date.
"""

from __future__ import annotations

import math
import operator
from datetime import date, datetime, timedelta
from decimal import MAX_EMAX, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from jetpackc.values.errors import DIVISION_BY_ZERO, MOMENT_OUT_OF_RANGE, OUT_OF_RANGE, UndoneError

EXACT = Context(prec=200_000, Emax=MAX_EMAX, Emin=-MAX_EMAX, rounding=ROUND_HALF_UP)
_MICROSECOND = timedelta(microseconds=1)
_RANGES = {"int": range(-(2**31), 2**31), "bigint": range(-(2**63), 2**63)}
_NUMERIC_DIGITS = 131_072
_PLAIN = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_EXACT = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}


def arithmetic(sign: str, left: Any, right: Any, kind: str) -> Any:
    """`left sign right`, neither of them null. Numbers are of the type `kind` already. Raises UndoneError."""
    if kind in _RANGES:
        return whole(_whole(sign, left, right), kind)
    if kind == "numeric":
        return tidy(_numeric(sign, left, right))
    if kind == "float":
        return _float(sign, left, right)
    if kind == "interval" and sign in "*/":
        return _stretched(sign, left, right)
    return moments(sign, left, right)


def whole(value: int, kind: str) -> int:
    """The value, if an int or bigint holds it."""
    if value not in _RANGES[kind]:
        raise UndoneError(OUT_OF_RANGE, f"{'integer' if kind == 'int' else kind} out of range")
    return value


def tidy(value: Decimal) -> Decimal:
    """A numeric as Postgres keeps it: no exponent above zero, no negative zero."""
    if value.adjusted() >= _NUMERIC_DIGITS and value:
        raise UndoneError(OUT_OF_RANGE, "value overflows numeric format")
    if int(value.as_tuple().exponent) > 0:
        value = value.quantize(Decimal(1), context=EXACT)
    return value or abs(value)


def rounded(value: Decimal, digits: int) -> Decimal:
    """Half away from zero, with so many digits behind the point; fewer than none, tens and hundreds."""
    unit = Decimal(1).scaleb(-digits)
    return tidy(value.quantize(unit, ROUND_HALF_UP, EXACT))


def negated(value: Any, kind: str) -> Any:
    """`-value`."""
    if kind in _RANGES:
        return whole(-value, kind)
    return tidy(value.copy_negate()) if kind == "numeric" else -value


def _whole(sign: str, left: int, right: int) -> int:
    if sign in _PLAIN:
        result: int = _PLAIN[sign](left, right)
        return result
    _divisor(right)
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if sign == "/" else left - quotient * right


def _divisor(value: Any) -> None:
    if value == 0:
        raise UndoneError(DIVISION_BY_ZERO, "division by zero")


def _numeric(sign: str, left: Decimal, right: Decimal) -> Decimal:
    if sign in _EXACT:
        return _EXACT[sign](left, right)
    _divisor(right)
    if sign == "%":
        return EXACT.remainder(left, right)
    scale = _quotient_scale(left, right)
    exact = abs(Fraction(left) / Fraction(right)) * 10**scale
    digits = math.floor(exact + Fraction(1, 2))
    return Decimal(digits if (left < 0) == (right < 0) else -digits).scaleb(-scale, EXACT)


def _quotient_scale(left: Decimal, right: Decimal) -> int:
    """How many digits Postgres gives a quotient: sixteen that count, reckoned in groups of four (its numeric.c)."""
    (weight, first), (other, second) = _leading(left), _leading(right)
    quotient = weight - other - (first <= second)
    return min(max(16 - 4 * quotient, scale_of(left), scale_of(right)), 1000)


def _leading(value: Decimal) -> tuple[int, int]:
    if not value:
        return 0, 0
    weight = value.adjusted() // 4
    return weight, int(abs(value).scaleb(-4 * weight, EXACT))


def scale_of(value: Decimal) -> int:
    """How many digits stand behind the point."""
    return -int(value.as_tuple().exponent)


def _float(sign: str, left: float, right: float) -> float:
    if sign == "/":
        _divisor(right)
    try:
        result: float = left / right if sign == "/" else _PLAIN[sign](left, right)
    except OverflowError:
        result = math.inf
    if math.isinf(result) and not (math.isinf(left) or math.isinf(right)):
        raise UndoneError(OUT_OF_RANGE, "value out of range: overflow")
    if result == 0 and sign in "*/" and left != 0 and (sign == "/" or right != 0) and not math.isinf(right):
        raise UndoneError(OUT_OF_RANGE, "value out of range: underflow")
    return result


def moments(sign: str, left: Any, right: Any) -> Any:
    """Sums and differences of moments, dates and lengths of time."""
    try:
        if isinstance(left, date) and not isinstance(left, datetime) and isinstance(right, int):
            return left + timedelta(days=right if sign == "+" else -right)
        result = _PLAIN[sign](left, right)
        return result.days if isinstance(left, date) and not isinstance(left, datetime) else result
    except OverflowError:
        raise UndoneError(MOMENT_OUT_OF_RANGE, "timestamp out of range") from None


def _stretched(sign: str, left: Any, right: Any) -> timedelta:
    length, factor = (left, right) if isinstance(left, timedelta) else (right, left)
    if sign == "/":
        _divisor(factor)
    factor = float(factor)
    exact = length / _MICROSECOND
    try:
        return round(exact / factor if sign == "/" else exact * factor) * _MICROSECOND
    except (OverflowError, ValueError):
        raise UndoneError(MOMENT_OUT_OF_RANGE, "interval out of range") from None
