"""Flow typing: what a guard has shown not to be null is a value of the plain type, until it is set again."""

from __future__ import annotations

import pytest
from checking import compiled

NAMES = "p: int?, c: json?, ps: int[]?"


def clause(text: str) -> str:
    """A program with one clause of `GO`. `p` is a param, `v` a var, `e` a field, all `int?`; `n` takes an int."""
    return (
        f'module m\nmachine m({NAMES}) {{\nvar n: int = 0\nvar v: int?\nvar j: json?\nvar t: text = ""\n'
        f"initial state s {{\non GO(e: int?, d: json) {text}\non STOP -> done\n}}\nfinal state done\n}}\n"
    )


def mistakes(text: str) -> list[str]:
    """The codes of the errors; that a var is not used is no matter here."""
    return [found.rule.code for found in compiled(text).diagnostics if found.is_error]


SHOWN = [
    "when {0} is not null {{ set n = {0} }}",
    "when not ({0} is null) {{ set n = {0} }}",
    "when {0} is not null and n == 1 {{ set n = {0} }}",
    "when {0} is not null and {0} + 1 > 2 {{ set n = n + 1 }}",
    "when n == 1 and {0} is not null and {0} + 1 > 2 {{ set n = {0} }}",
    "when {0} is null or {0} + 1 > 2 {{ set n = n + 1 }}",
    "when {0} > 3 {{ set n = {0} }}",
    "when {0} in (1, 2) {{ set n = {0} }}",
    "when {0} in [1, 2] {{ set n = {0} }}",
    "{{ when {0} is not null {{ set n = {0} }} }}",
    "{{ when {0} is null {{ set n = 1 }} else {{ set n = {0} }} }}",
    "{{ when {0} is null {{ set n = 1 }} else when n == 2 {{ set n = {0} }} else {{ set n = {0} + 1 }} }}",
    "{{ when {0} is null or n == 5 {{ set n = 1 }} else {{ set n = {0} }} }}",
    '{{ when {0} is null {{ fail "no" }} set n = {0} }}',
    "{{ when {0} is null -> done set n = {0} }}",
    '{{ when {0} is null {{ when n == 1 -> done else {{ fail "no" }} }} set n = {0} }}',
    '{{ when {0} is null {{ fail "no" }} else when n == 2 {{ set n = 3 }} set n = {0} }}',
    "{{ when n == 1 {{ when {0} is not null -> done {{ set n = {0} }} }} }}",
    "when {0} is not null -> done {{ set n = {0} }}",
]

NOT_SHOWN = [
    "{{ set n = {0} }}",
    "when {0} is null {{ set n = {0} }}",
    "when {0} is not null or n == 1 {{ set n = {0} }}",
    "when {0} + 1 > 2 and {0} is not null {{ set n = n + 1 }}",
    "{{ when {0} is not null {{ set n = 1 }} set n = {0} }}",
    "{{ when {0} is not null {{ set n = 1 }} else {{ set n = {0} }} }}",
    "{{ when {0} is null {{ set n = 2 }} set n = {0} }}",
    '{{ when {0} is null and n == 1 {{ fail "no" }} set n = {0} }}',
    '{{ when n == 1 {{ fail "no" }} else when {0} is null {{ set n = 1 }} set n = {0} }}',
]

VALUES = ["p", "v", "e", "param.p", "var.v", "event.e", "ps[1]"]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("text", SHOWN)
def test_what_a_guard_has_shown_is_a_value(text: str, name: str) -> None:
    assert mistakes(clause(text.format(name))) == []


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("text", NOT_SHOWN)
def test_what_no_guard_has_shown_is_none(text: str, name: str) -> None:
    assert mistakes(clause(text.format(name))) == ["J202"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("when v is not null { set v = null set n = v }", ["J202"]),
        ("when v is not null { set v = p set n = v }", ["J202"]),
        ("when v is not null { set v = n set n = v }", []),
        ("{ set v = 5 set n = v }", []),
        ("{ set v = 5 when n == 1 { set v = null } set n = v }", ["J202"]),
        ("{ set v = 5 when n == 1 { set v = null } else { set n = v } }", []),
        ("when v is not null { when n == 1 { set v = null } set n = v }", ["J202"]),
        ("{ when v is null { set v = 1 } set n = v }", ["J202"]),
        ('{ when v is null { fail "no" } else { set v = p } set n = v }', ["J202"]),
        ("when v is not null { set n = 5 set n = v }", []),
        ("when j.x is not null { set j = null set n = j.x as int }", ["J202"]),
        ("when j.x is not null { set j = d set n = j.x as int }", ["J202"]),
    ],
)
def test_a_var_that_is_set_again_is_what_its_new_value_is(text: str, expected: list[str]) -> None:
    assert mistakes(clause(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("when d.x is not null { set n = d.x as int }", []),
        ("when event.d.x is not null { set n = d.x as int }", []),
        ("when d.x.y[0].z is not null { set n = d.x.y[0].z as int }", []),
        ('when d.x is not null { set n = d["x"] as int }', []),
        ("when d.x as int > 5 { set n = d.x as int }", []),
        ("when (d.x as int) is not null { set n = (d.x as int) + 1 }", []),
        ("when c.x is not null { set j = c set n = c.x as int }", []),
        ('{ when d.x is null { fail "no" } set n = d.x as int }', []),
        ("when d.x is not null { set n = d.y as int }", ["J202"]),
        ("when d.x is not null { set n = d.x.y as int }", ["J202"]),
        ("when d[0] is not null { set n = d[1] as int }", ["J202"]),
        ("when d[n] is not null { set n = d[n] as int }", ["J202"]),
        ("{ set n = d as int }", []),
        ("{ set n = c as int }", ["J202"]),
        ("when c is not null { set n = c as int }", []),
    ],
)
def test_members_of_json_are_known_by_their_way(text: str, expected: list[str]) -> None:
    assert mistakes(clause(text)) == expected
