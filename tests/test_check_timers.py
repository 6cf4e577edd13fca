"""Timers: what may stand in them, and what the checks of flow make of them."""

from __future__ import annotations

import pytest
from checking import codes, findings, machine

from jetpackc.ir import chart, model as ir, text


def timed(clauses: str, rest: str = "", params: str = "wait: interval, due: timestamptz?, n: int") -> str:
    """A machine with these clauses in its first state."""
    return f"module m\nmachine m({params}) {{\n  initial state a {{ {clauses} }}\n  {rest}\n  final state z\n}}\n"


def test_timers_stand_in_the_ir_with_their_clauses() -> None:
    found = machine(timed('after wait * 2 when n > 1 -> z  at due { fail "late" }  after 24h reenter'))
    timers = chart.states(found)["a"].timers
    assert [text.timer(timer) for timer in timers] == ["after wait * 2", "at due", "after 1d"]
    assert [timer.clause.events for timer in timers] == [(), (), ()]
    assert timers[0].clause.guard is not None
    assert timers[2].clause.body == (ir.Goto("a", reenter=True),)


def test_a_leaf_has_the_timers_around_it_and_a_final_one_none() -> None:
    found = machine(
        "module m\nmachine m {\n  initial state a {\n    after 1h -> z\n"
        "    initial state b { after 5m -> c }\n    state c { on GO -> d }\n"
        "    final state d\n  }\n  final state z\n}\n"
    )
    names = {leaf.name: [text.timer(one) for one in chart.timers(found, leaf.name)] for leaf in chart.leaves(found)}
    assert names == {"b": ["after 1h", "after 5m"], "c": ["after 1h"], "d": [], "z": []}


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("after n -> z", "J201 3 'n' expected `interval`, found `int`"),
        ("after due -> z", "J201 3 'due' expected `interval`, found `timestamptz?`"),
        ("at wait -> z", "J201 3 'wait' expected `timestamptz?`, found `interval`"),
        ("after 5m when wait -> z", "J201 3 'wait' expected `bool?`, found `interval`"),
        ("after 5m -> y", "J101 3 'y' unknown state `y`"),
        ("after 5m -> z { -> a }", "J311 3 '-> a' `->` in the block of a clause that has a target"),
    ],
)
def test_what_a_timer_may_not_be(clauses: str, expected: str) -> None:
    assert expected in findings(timed(f"{clauses}  on GO -> z"))


def test_the_fields_of_an_event_are_not_seen_in_a_timer() -> None:
    assert codes(timed("on GO(x: interval) -> z  after x -> z")) == ["J106"]


@pytest.mark.parametrize(
    ("clauses", "rest", "expected"),
    [
        ("after 5m -> z", "", []),
        ("at due -> b", "state b { after 1h -> z }", []),
        ("after 5m when n > 1 { fail \"no\" }", "", ["J303", "J304"]),
        ("enter when n > 1 -> z  after 5m -> z", "", []),
        ("enter when n > 1 -> z  after 5m -> a", "", ["J380"]),
        ("after 5m -> b", "state b { enter -> c } state c { enter -> b }", ["J303", "J306"]),
        ("after 5m when n > 1 and n < 1 -> z", "", ["J322"]),
        ("after 5m when n > 1 or n <= 1 or n is null -> z", "", ["J383"]),
        ("after 5m -> r  on LOCKED_BY_WORKER -> r", 'state r { run "x:y" on SUCCESS -> z on ERROR -> z }', ["J321"]),
    ],
)  # fmt: skip
def test_a_timer_counts_as_a_way_out(clauses: str, rest: str, expected: list[str]) -> None:
    assert sorted(codes(timed(clauses, rest))) == expected


def test_a_way_by_a_timer_is_told() -> None:
    found = findings(timed("after 5m -> b", "state b { on GO -> b }"))
    assert any(one.startswith("J304") for one in found)


@pytest.mark.parametrize(
    ("clauses", "forestalled"),
    [
        ("after 1h -> z  after 2h -> z", True),
        ("after 2h -> z  after 1h -> z", True),
        ("after 1h -> z  after 60m -> z", True),
        ("after 1h reenter  after 2h -> z", True),
        ("after 1h when n > 1 -> z  after 2h -> z", False),
        ("after 1h { when n > 1 -> z }  after 2h -> z", False),
        ("after 1h -> a  after 2h -> z", False),
        ("after wait -> z  after 2h -> z", False),
        ("after 1h -> z  at due -> z", False),
        ("after 2h { fail \"x\" }  after 3h -> z", False),
    ],
)  # fmt: skip
def test_a_timer_that_another_always_forestalls_is_an_error(clauses: str, forestalled: bool) -> None:
    assert ("J330" in codes(timed(f"{clauses}  on GO -> z"))) == forestalled


def test_an_inner_arrow_forestalls_no_timer_of_the_state_around() -> None:
    text_ = (
        "module m\nmachine m {\n  initial state a {\n    after 1h -> c\n    after 2h -> z\n"
        "    initial state b { on GO -> c }\n    state c { on GO -> b }\n  }\n  final state z\n}\n"
    )
    assert codes(text_) == []


def test_what_a_machine_adds_before_its_template_s_timer_overrides_it() -> None:
    text_ = (
        "module m\ntemplate t() {\n  initial state a { after 2h -> z  on GO -> z }\n  final state z\n}\n"
        "machine m is t {\n  state a { after 1h -> z }\n}\n"
    )
    assert codes(text_) == []
