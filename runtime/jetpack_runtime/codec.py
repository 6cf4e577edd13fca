"""JSON as the database writes it to Python values, and back.

Towards the database the value decides (`encode`): the database knows the declared types and checks them. From it the
declared type decides (`Decoder`): what JSON has no type for comes back as the Python type that one would expect. Only
fields that need it are touched, so most data is one `json.loads`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .errors import BadValue
from .manifest import Field


def _to_json(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise TypeError("a datetime without a time zone")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


_encoder = json.JSONEncoder(default=_to_json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: object) -> str:
    """`value` as JSON text that Postgres takes. Raises TypeError or ValueError for what it would refuse."""
    text = _encoder.encode(value)
    if "\\u0000" in text and _has_nul(value):
        raise ValueError("Postgres keeps no NUL character in a text")
    text.encode()  # a lone surrogate raises here, and would fail a whole batch there
    return text


def _has_nul(value: object) -> bool:
    """`\\u0000` in JSON text may also be a backslash and five characters: look at the strings themselves."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_nul, value))
    return is_dataclass(value) and _has_nul(_to_json(value))


class _Digits(float):
    """A float that remembers how it was written, so that a numeric loses no digit on its way."""

    text: str

    def __new__(cls, text: str) -> _Digits:
        self = super().__new__(cls, text)
        self.text = text
        return self


def _numeric(value: Any) -> Decimal:
    return Decimal(value.text if isinstance(value, _Digits) else value)


# What Postgres writes for intervals without months; the payload of an event holds them so.
_CLOCK = re.compile(r"(?:(-?\d+) days? ?)?(?:([-+]?)(\d+):(\d\d):(\d\d(?:\.\d+)?))?")


def _interval(value: Any) -> Any:
    if not isinstance(value, str):
        return timedelta(microseconds=int(_numeric(value) * 1_000_000))
    found = _CLOCK.fullmatch(value)
    if found is None or not value:
        return value  # as somebody sent it: Postgres reads many ways to say an interval
    days, sign, hours, minutes, seconds = found.groups("0")
    clock = timedelta(hours=int(hours), minutes=int(minutes), microseconds=int(Decimal(seconds) * 1_000_000))
    return timedelta(days=int(days)) + (-clock if sign == "-" else clock)


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("\\x"))


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "numeric": _numeric,
    "uuid": UUID,
    "timestamptz": datetime.fromisoformat,
    "date": date.fromisoformat,
    "interval": _interval,
    "bytes": _bytes,
}

_loads_exact = json.JSONDecoder(parse_float=_Digits).decode


def _decoder(type: str) -> Callable[[Any], Any] | None:
    one = _DECODERS.get(type.removesuffix("[]"))
    if one is None or not type.endswith("[]"):
        return one
    return lambda items: [None if item is None else one(item) for item in items]


class Decoder:
    """Reads one JSON object whose members are `fields`."""

    __slots__ = ("_convert",)

    def __init__(self, fields: Iterable[Field]) -> None:
        found = ((field.name, field.type, _decoder(field.type)) for field in fields)
        self._convert = tuple((name, type, convert) for name, type, convert in found if convert is not None)

    def __call__(self, members: dict[str, Any]) -> dict[str, Any]:
        """The same dict, its values of the declared types. Raises BadValue for one that Python's type cannot hold."""
        for name, type, convert in self._convert:
            if members.get(name) is not None:
                try:
                    members[name] = convert(members[name])
                except (ValueError, ArithmeticError) as error:
                    value = f"{members[name]!r:.80}"
                    raise BadValue(f"`{name}` holds {value}, which is too much for a {type} in Python") from error
        return members


def loads(text: str, exact: bool) -> Any:
    """Parse; `exact` where a number may become a Decimal."""
    return _loads_exact(text) if exact else json.loads(text)
