"""What a handler's value or exception becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from jetpack_runtime.manifest import Field, Work
from jetpack_runtime.outcome import TRACEBACK_LIMIT, Event, ending, failure

ENUMS = {"tier": ("free", "pro")}
NONE = Work("running", None, timeout=False, outcomes={"SUCCESS": (), "IDLE": (Field("url", "text", False),)})
ONE = Work("running", None, timeout=False, outcomes={"SUCCESS": (Field("receipt", "text", False),)})
TWO = Work(
    "running",
    None,
    timeout=False,
    outcomes={"SUCCESS": (Field("amount", "numeric", False), Field("tier", "enum:tier", True))},
)
LISTS = Work(
    "running",
    None,
    timeout=False,
    outcomes={
        "SUCCESS": (
            Field("rows", "int[]", False),
            Field("tiers", "enum:tier[]", False, True),
            Field("n", "int", False, True),
        )
    },
)


@dataclass
class Charge:
    amount: Decimal
    tier: str | None


def told(value: Any, work: Work, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads("{" + ending(value, work, ENUMS, changes) + "}")
    return outcome


@pytest.mark.parametrize(
    ("value", "work", "outcome"),
    [
        (None, NONE, {"event": "SUCCESS"}),
        ({}, NONE, {"event": "SUCCESS"}),
        ("r1", ONE, {"event": "SUCCESS", "payload": {"receipt": "r1"}}),
        ({"receipt": "r1"}, ONE, {"event": "SUCCESS", "payload": {"receipt": "r1"}}),
        ({"amount": Decimal("1.5")}, TWO, {"event": "SUCCESS", "payload": {"amount": "1.5"}}),
        (Charge(Decimal(2), "pro"), TWO, {"event": "SUCCESS", "payload": {"amount": "2", "tier": "pro"}}),
        (Event("IDLE", url="u"), NONE, {"event": "IDLE", "payload": {"url": "u"}}),
        ({"rows": [1, None]}, LISTS, {"event": "SUCCESS", "payload": {"rows": [1, None]}}),
        ({"rows": (), "tiers": ["pro"]}, LISTS, {"event": "SUCCESS", "payload": {"rows": [], "tiers": ["pro"]}}),
        ({"rows": [], "n": None}, LISTS, {"event": "SUCCESS", "payload": {"rows": [], "n": None}}),
    ],
)
def test_a_value_fills_the_payload_of_its_event(value: Any, work: Work, outcome: dict[str, Any]) -> None:
    assert told(value, work) == outcome


@pytest.mark.parametrize(
    ("value", "work", "message"),
    [
        (7, ONE, "`receipt` takes a text, not an int"),
        (None, ONE, "`receipt` takes a text and has no value"),
        ({"recept": "r"}, ONE, "SUCCESS has no field `recept`; it has `receipt`"),
        ({}, TWO, "`amount` takes a numeric and has no value"),
        ({"amount": True}, TWO, "`amount` takes a numeric, not a bool"),
        ({"amount": 1, "tier": "gold"}, TWO, "`tier` takes one of `free`, `pro`"),
        ([1], TWO, "SUCCESS takes `amount`, `tier`; the handler returned a list, not a dict"),
        ("done", NONE, "SUCCESS takes nothing; the handler returned a str, not a dict"),
        (Event("IDEL"), NONE, "`running` has no outcome IDEL; it has IDLE, SUCCESS"),
        ({}, LISTS, "`rows` takes an int[] and has no value"),
        ({"rows": 5}, LISTS, "`rows` takes a list, not an int"),
        ({"rows": ["x"]}, LISTS, "`rows` takes an int, not a str"),
        ({"rows": [], "tiers": ["gold"]}, LISTS, "`tiers` takes one of `free`, `pro`"),
        (Event("IDLE", url="a\0"), NONE, "Postgres keeps no NUL character in a text"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_field(value: Any, work: Work, message: str) -> None:
    outcome = told(value, work)
    assert outcome["event"] == "ERROR"
    assert outcome["payload"]["type"] == "payload"
    assert outcome["payload"]["message"] == message


@pytest.mark.parametrize(("type", "value"), [("int", 2**31), ("bigint", -(2**63) - 1)])
def test_a_number_out_of_range_does_not_fit(type: str, value: int) -> None:
    work = Work("running", None, timeout=False, outcomes={"SUCCESS": (Field("n", type, False),)})
    assert "out of the range" in told(value, work)["payload"]["message"]


def test_vars_that_were_set_go_with_the_outcome() -> None:
    assert told(None, NONE, {"seen": 3}) == {"event": "SUCCESS", "set": {"seen": 3}}


def test_an_exception_is_an_error_with_the_end_of_its_traceback() -> None:
    def deep(n: int) -> None:
        if n:
            deep(n - 1)
        raise KeyError("no \0 order \ud800")

    def handler() -> None:
        try:
            deep(500)
        except KeyError as error:
            raise RuntimeError("x" * 10_000) from error

    try:
        handler()
    except RuntimeError as error:
        outcome = json.loads("{" + failure(error) + "}")
    payload = outcome["payload"]
    assert (outcome["event"], payload["type"]) == ("ERROR", "RuntimeError")
    assert len(payload["message"]) < 3000
    assert len(payload["traceback"]) <= TRACEBACK_LIMIT
    assert payload["traceback"].rstrip().endswith("x")


def test_an_exception_that_cannot_be_printed_is_still_an_error() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    outcome = json.loads("{" + failure(Odd()) + "}")
    assert outcome["payload"]["type"] == "Odd"


def test_events_compare_by_name_and_payload() -> None:
    assert Event("IDLE", name="n") == Event("IDLE", name="n")
    assert Event("IDLE") != Event("IDLE", name="n")
    assert repr(Event("IDLE", name="n")) == "Event('IDLE', name='n')"
