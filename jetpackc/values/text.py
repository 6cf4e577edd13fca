"""Values as text and back: how they look in Postgres, and what it reads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from jetpackc.ir.model import Type
from jetpackc.records import dataclass
from jetpackc.values.errors import BAD_MOMENT, BAD_TEXT, CHECK, OUT_OF_RANGE, UndoneError
from jetpackc.values.numbers import tidy, whole

Enums = Mapping[str, tuple[str, ...]]
"""The values of each enum, by its name."""

_ESCAPE = re.compile(r"\\\\|\\[0-3][0-7]{2}|[^\\]", re.DOTALL)
_ESCAPED = re.compile(rf"(?:{_ESCAPE.pattern})*", re.DOTALL)
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")
_DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_LENGTH = re.compile(r"(-?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")
_PART = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "day": 86_400_000}
_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Json:
    """A value of type json, as Python has it."""

    value: Any


# ---------------------------------------------------------------- as text


def text(value: Any, kind: str) -> str:
    """The text of a value that is not null."""
    if kind == "bool":
        return "true" if value else "false"
    if kind == "numeric":
        return format(value, "f")
    if kind == "timestamptz":
        return _moment_text(value)
    if kind == "interval":
        return _length_text(value)
    if kind == "bytes":
        return f"\\x{value.hex()}"
    return _float_text(value) if kind == "float" else str(value)


def _moment_text(value: datetime) -> str:
    return iso(value) + "+00"


def iso(value: datetime, between: str = " ") -> str:
    """A moment in UTC, without a word on its zone."""
    return value.astimezone(UTC).strftime(f"%Y-%m-%d{between}%H:%M:%S") + _fraction(value.microsecond)


def _fraction(microseconds: int) -> str:
    return f".{microseconds:06}".rstrip("0") if microseconds else ""


def _length_text(value: timedelta) -> str:
    total = value // timedelta(microseconds=1)
    seconds, micros = divmod(abs(total), 1_000_000)
    sign = "-" if total < 0 else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(micros)}"


def _float_text(value: float) -> str:
    """The shortest digits that give the number back; with an exponent outside of 1e-4 to 1e15."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "-Infinity" if value < 0 else "Infinity"
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    if value == 0 or -4 <= exponent < 15:
        plain = format(Decimal(repr(value)), "f")
        return plain.removesuffix(".0")
    head, tail = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' if sign else ''}{head}{'.' + tail if tail else ''}e{exponent:+03}"


# ---------------------------------------------------------------- from text


def parse(value: str, type: Type, enums: Enums) -> Any:
    """What a text says as a value of a type. Raises UndoneError where it says none."""
    if type.kind == "enum":
        return _enum_value(value, type.enum, enums)
    try:
        return _PARSERS[type.kind](value)
    except (ValueError, KeyError, ArithmeticError):
        state = BAD_MOMENT if type.kind in {"timestamptz", "date", "interval"} else BAD_TEXT
        raise UndoneError(state, f'invalid input syntax for type {type.kind}: "{value}"') from None


def _enum_value(value: str, enum: str, enums: Enums) -> str:
    if value not in enums[enum]:
        raise UndoneError(CHECK, f'value for domain {enum} violates check constraint: "{value}"')
    return value


def _bool(value: str) -> bool:
    word = value.strip().lower()
    found = {answer for name, answer in _BOOLS.items() if word and name.startswith(word)}
    if len(found) != 1 or word == "o":
        raise ValueError(value)
    return found.pop()


def _int(kind: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not _WHOLE.fullmatch(value):
            raise ValueError(value)
        return whole(int(value), kind)

    return read


def _numeric(value: str) -> Decimal:
    if not _DECIMAL.fullmatch(value):
        raise ValueError(value)
    return tidy(Decimal(value.strip()))


def _float(value: str) -> float:
    if not _DECIMAL.fullmatch(value):
        raise ValueError(value)
    found = float(value)
    if math.isinf(found) or (found == 0 and Decimal(value.strip()) != 0):
        raise UndoneError(OUT_OF_RANGE, f'"{value}" is out of range for type double precision')
    return found


def _moment(value: str) -> datetime:
    found = datetime.fromisoformat(value.strip())
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _length(value: str) -> timedelta:
    if clock := _LENGTH.fullmatch(value.strip()):
        sign, hours, minutes, seconds = clock.groups()
        length = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds or 0))
        return -length if sign else length
    if _DECIMAL.fullmatch(value):
        return timedelta(seconds=float(value))
    parts = _PART.findall(value)
    if not parts or _PART.sub("", value):
        raise ValueError(value)
    return sum((timedelta(milliseconds=float(number) * _UNITS[unit]) for number, unit in parts), timedelta())


def _bytes(value: str) -> bytes:
    """Hexadecimal behind `\\x`; else the text itself, with a backslash before another or before three octal digits."""
    if value.startswith("\\x"):
        return bytes.fromhex(value.removeprefix("\\x"))
    if not _ESCAPED.fullmatch(value):
        raise ValueError(value)
    pieces = (piece.group() for piece in _ESCAPE.finditer(value))
    return b"".join(_byte(piece) for piece in pieces)


def _byte(piece: str) -> bytes:
    if piece[0] != "\\":
        return piece.encode()
    return piece[:1].encode() if piece[1] == "\\" else bytes([int(piece[1:], 8)])


_PARSERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "bool": _bool,
    "int": _int("int"),
    "bigint": _int("bigint"),
    "numeric": _numeric,
    "float": _float,
    "uuid": lambda value: str(UUID(value.strip())),
    "timestamptz": _moment,
    "date": lambda value: _moment(value).date(),
    "interval": _length,
    "json": lambda value: Json(json.loads(value, parse_float=Decimal, parse_int=Decimal)),
    "bytes": _bytes,
}
