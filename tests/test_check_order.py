"""`priority`, `limit`, `fair`: what they may say, and where."""

from __future__ import annotations

import pytest
from checking import codes, findings, machine

from jetpackc.ir import model as ir


def working(clauses: str, params: str = "tenant: text, urgency: int = 0, note: text?, data: json?") -> str:
    """A machine with a queue and these clauses."""
    return f'module m\nmachine m({params}) is task {{\n  {clauses}\n  state running {{ run "app:f" }}\n}}\n'


def test_priority_is_an_int_over_the_params() -> None:
    found = machine(working("priority 10 - urgency")).priority
    assert isinstance(found, ir.Binary)
    assert found.type == ir.Type("int")


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("priority tenant", "J201 3 'tenant' expected `int`, found `text`"),
        ("priority attempts", "J106 3 'attempts' `attempts` cannot be read here"),
        ("var n: int = 0\n  priority n", "J106 4 'n' `n` cannot be read here"),
        ("priority 1\n  priority 2", "J012 4 'priority 2' `priority` is written twice"),
        ("priority 3000000000", "J209 3 '3000000000' 3000000000 does not fit `int`"),
    ],
)
def test_what_priority_may_not_be(clauses: str, expected: str) -> None:
    assert [one for one in findings(working(clauses)) if "J382" not in one] == [expected]


def test_a_machine_without_a_queue_has_no_order() -> None:
    assert codes("module m\nmachine m { priority 1  initial state a { on GO -> z }  final state z }") == ["J386"]


def test_the_machine_s_own_priority_replaces_its_template_s() -> None:
    text = working("priority 7").replace("module m", "module m\ntemplate t { priority 3 }").replace("is task", "is t2")
    text = text.replace("template t {", "template t2 {\n  initial state ready { on LOCKED_BY_WORKER -> running }\n")
    text = text.replace("priority 3 }", "priority 3\n  state running { on SUCCESS, ERROR -> z }  final state z }")
    assert machine(text).priority == ir.Literal(7, ir.Type("int"))
    assert machine(text.replace("priority 7", "")).priority == ir.Literal(3, ir.Type("int"))


def test_limits_and_turns_go_by_a_param() -> None:
    found = machine(working("limit 5 per tenant\n  limit 100 per 1m per tenant\n  limit 20\n  fair by tenant"))
    assert found.limits == (ir.Limit(5, None, "tenant"), ir.Limit(100, 60_000, "tenant"), ir.Limit(20))
    assert found.fair == "tenant"


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("limit 5 per tenent", "J106 3 'tenent' unknown param `tenent`"),
        ("fair by data", "J201 3 'data' `fair` does not go by a `json?`"),
        ("limit 0", "J351 3 'limit 0' a limit of 0 tasks is none"),
        ("limit 5000000000", "J351 3 'limit 5000000000' a limit of 5000000000 tasks is none"),
        ("limit 5 per 0s", "J351 3 'limit 5 per 0s' a rate over no time is none"),
        ("limit 5 per tenant\n  fair by urgency", "J353 4 'urgency' one goes by `tenant`, another by `urgency`"),
        ("fair by tenant\n  fair by tenant", "J012 4 'fair by tenant' `fair` is written twice"),
    ],
)
def test_what_limits_may_not_be(clauses: str, expected: str) -> None:
    assert findings(working(clauses)) == [expected]


def test_a_limit_does_not_go_by_a_var() -> None:
    found = findings(working("var n: int = 0\n  limit 5 per n"))
    assert found == ["J350 4 'n' `limit` goes by a param, and `n` is a var"]
