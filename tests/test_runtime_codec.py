"""Values on their way to the database and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from jetpack_runtime.codec import Decoder, encode, loads
from jetpack_runtime.manifest import Field


class Tier(StrEnum):
    FREE = "free"


@dataclass
class Receipt:
    url: str
    paid: Decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [True, None]}, '{"a":1,"b":[true,null]}'),
        (Decimal("1.10"), '"1.10"'),
        (timedelta(hours=1, microseconds=5), "3600.000005"),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (UUID(int=7), '"00000000-0000-0000-0000-000000000007"'),
        (b"\x00\xff", '"\\\\x00ff"'),
        (Tier.FREE, '"free"'),
        (Receipt("x", Decimal(2)), '{"url":"x","paid":"2"}'),
        ("gr\u00fc\u00df", '"gr\u00fc\u00df"'),
        ("\\u0000 spelled out", '"\\\\u0000 spelled out"'),
    ],
)
def test_values_become_json_that_postgres_reads(value: object, text: str) -> None:
    assert encode(value) == text


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        "a\0b",
        {"k": ["\0"]},
        Receipt("\0", Decimal(1)),
        "\ud800",
        datetime(2026, 1, 2),
        object(),
        {1: object},
    ],
)
def test_what_postgres_would_refuse_is_refused_here(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(value)


def test_declared_types_come_back_as_python_types() -> None:
    fields = [
        Field("price", "numeric", False),
        Field("rate", "float", False),
        Field("at", "timestamptz", False),
        Field("day", "date", False),
        Field("every", "interval", False),
        Field("ref", "uuid", False),
        Field("raw", "bytes", False),
        Field("none", "numeric", True),
        Field("free", "json", False),
    ]
    text = """{"price": 1.10, "rate": 0.5, "at": "2026-01-02T03:04:05.12345+00:00", "day": "2026-01-02",
        "every": 90.000001,
        "ref": "00000000-0000-0000-0000-000000000007", "raw": "\\\\x00ff", "none": null, "free": {"x": 0.1}}"""
    read = Decoder(fields)(loads(text, exact=True))
    assert read == {
        "price": Decimal("1.10"),
        "rate": 0.5,
        "at": datetime(2026, 1, 2, 3, 4, 5, 123450, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "every": timedelta(seconds=90, microseconds=1),
        "ref": UUID(int=7),
        "raw": b"\x00\xff",
        "none": None,
        "free": {"x": 0.1},
    }
    assert str(read["price"]) == "1.10"
    assert json.dumps(read["free"]) == '{"x": 0.1}'


def test_a_numeric_of_any_length_keeps_its_digits() -> None:
    digits = "12345678901234567890.123456789012345678901234567890"
    assert Decoder([Field("n", "numeric", False)])(loads(f'{{"n": {digits}}}', exact=True)) == {"n": Decimal(digits)}


def test_the_elements_of_arrays_come_back_as_python_types() -> None:
    fields = [Field("prices", "numeric[]", False), Field("days", "date[]", True), Field("names", "text[]", False)]
    text = '{"prices": [1.10, null], "days": ["2026-01-02"], "names": ["a", null]}'
    assert Decoder(fields)(loads(text, exact=True)) == {
        "prices": [Decimal("1.10"), None],
        "days": [date(2026, 1, 2)],
        "names": ["a", None],
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90", timedelta(seconds=90)),
        ('"00:05:00"', timedelta(minutes=5)),
        ('"-00:00:01.5"', timedelta(seconds=-1.5)),
        ('"2 days 03:00:00"', timedelta(days=2, hours=3)),
        ('"1 day"', timedelta(days=1)),
        ('"90 s"', "90 s"),
        ('""', ""),
    ],
)
def test_an_interval_of_an_event_is_read_as_postgres_writes_it(text: str, value: object) -> None:
    assert Decoder([Field("wait", "interval", False)])(loads(f'{{"wait": {text}}}', exact=True)) == {"wait": value}
