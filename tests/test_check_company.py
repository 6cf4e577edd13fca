"""Machines among each other: what they spawn, send and wait for."""

from __future__ import annotations

import pytest
from checking import codes, compiled

from jetpackc.check import compile_sources
from jetpackc.source import Source

END = "on X -> done } final state done }\n"


def machine(name: str, enter: str, *, more: str = "", head: str = "(n: int = 0)") -> str:
    return f"machine {name}{head} {{ {more} initial state s {{ {enter} {END}"


def program(*machines: str) -> str:
    return "module m\nevent HELLO\n" + "".join(machines)


def said(text: str) -> list[str]:
    return [code for code in codes(text) if code not in {"J090", "J381"}]


# ---------------------------------------------------------------- creations that never end


@pytest.mark.parametrize(
    ("machines", "expected"),
    [
        ([machine("a", "enter { spawn a() }")], ["J325"]),
        ([machine("a", "enter { spawn root a() in 5m }")], ["J312", "J325"]),
        ([machine("a", "enter { spawn b() }"), machine("b", "enter { spawn a() }")], ["J325"]),
        ([machine("a", "enter { spawn b() }"), machine("b", "enter when n < 5 { spawn a() }")], []),
        ([machine("a", "enter { spawn b() }"), machine("b", "enter { when n < 5 { spawn a() } }")], []),
        ([machine("a", "enter { spawn b() }"), machine("b", "enter when n > 5 -> done enter { spawn a() }")], []),
        ([machine("a", "enter { spawn b() }"), machine("b", 'enter when n > 5 { fail "x" } enter { spawn a() }')], []),
        ([machine("a", "enter { spawn b() }"), machine("b", "enter when true { spawn a() }")], ["J325"]),
        ([machine("a", "enter { spawn b() }"), machine("b", "on GO { spawn a() }")], []),
        ([machine("a", "enter { spawn b() }"), machine("b", "exit { spawn a() }")], []),
        ([machine("a", "enter { spawn b() }"), machine("b", "enter { spawn a() }", more="unique (n) or return")], []),
        ([machine("a", "enter -> t", more="state t { enter { spawn a() } on X -> done }")], ["J325"]),
        ([machine("a", "enter -> t", more="state t { enter when n > 1 { spawn a() } on X -> done }")], []),
        ([machine("a", "enter -> t", more="state t { on X -> done enter { spawn a() } initial state u }")], ["J325"]),
        ([machine("a", "on GO -> t", more="state t { enter { spawn a() } on X -> done }")], []),
        ([machine(x, f"enter {{ spawn {y}() }}") for x, y in ("ab", "bc", "cd", "db")], ["J325"]),
        ([machine(x, f"enter {{ spawn {y}() }}") for x, y in ("ab", "ba", "cc")], ["J325", "J325"]),
    ],
)
def test_a_creation_that_no_guard_ends_is_reported(machines: list[str], expected: list[str]) -> None:
    assert said(program(*machines)) == expected


def test_the_way_round_is_shown() -> None:
    machines = [machine(x, f"enter {{ spawn {y}() }}") for x, y in ("ab", "bc", "cb")]
    (found,) = [each for each in compiled(program(*machines)).diagnostics if each.rule.code == "J325"]
    assert found.message == "the creation of `b` goes on for ever"
    assert found.notes == ("`b` (created) -> spawns `c` -> spawns `b`, then for ever",)


def test_machines_of_other_modules_are_part_of_it() -> None:
    files = {
        "a.jet": 'module a\nimport "b.jet"\n' + machine("x", "enter { spawn b.y() }"),
        "b.jet": 'module b\nimport "a.jet"\n' + machine("y", "enter { spawn a.x() }"),
        "c.jet": "module c\n" + machine("z", "on HI -> done"),
        "d.jet": "module d\n" + machine("z", "on GO { send id HI }"),
    }
    found = compile_sources([Source(path, text) for path, text in files.items()]).diagnostics
    assert [each.rule.code for each in found if each.rule.code != "J090"] == ["J325"]


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("machines", "expected"),
    [
        ([machine("a", "on GO { send parent HELLO }")], ["J324"]),
        ([machine("a", "on GO { send root HELLO } on HELLO -> done")], []),
        ([machine("a", "on GO { send parent HELLO }"), machine("b", "ignore HELLO enter { spawn a() }")], []),
        ([machine("a", "on GO { send parent HELLO }"), machine("b", "defer HELLO enter { spawn a() }")], []),
        ([machine("a", "on GO { when n > 1 { send id HELLO } }"), machine("b", "", more="on HELLO -> s")], []),
        ([machine("a", "on GO { send parent HELLO }"), machine("b", "ignore HELLO")], ["J342"]),
        ([machine("a", "on GO { send children HELLO } on HELLO -> done")], ["J342"]),
        ([machine("a", "on GO { send siblings HELLO } on HELLO { spawn self() }")], []),
        ([machine("a", "on GO { send root HELLO(n: 1) } on HELLO -> done")], ["J206"]),
        ([machine("a", "on GO { when n > 1 { send parent HELLO } }")], ["J324"]),
        ([machine("a", "enter { send parent SUCCESS }")], ["J313"]),
    ],
)
def test_an_event_that_is_sent_is_handled_by_somebody(machines: list[str], expected: list[str]) -> None:
    assert said(program(*machines)) == expected


def test_an_event_that_is_sent_is_not_called_unused() -> None:
    text = program(machine("a", "on GO { send parent HELLO }"))
    assert "J381" not in codes(text)
    assert "J381" in codes(text.replace("send parent HELLO", ""))


# ---------------------------------------------------------------- children


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("on SUBTREE_FLUSHED -> done", ["J385"]),
        ("on CHILD_DONE, SUBTREE_UPDATE -> done", ["J385", "J385"]),
        ("on GO when subtree.all(final) and n > 1 -> done", ["J385"]),
        ("on GO { when not children.some(failure) -> done }", ["J385"]),
        ("on SUBTREE_FLUSHED -> done enter { spawn root b() }", ["J385"]),
        ("on SUBTREE_FLUSHED -> done enter { when n > 1 { spawn b() } }", []),
        ("on SUBTREE_FLUSHED -> done enter { spawn b(n: x) for x in [1] }", []),
    ],
)
def test_a_machine_that_looks_at_children_spawns_some(state: str, expected: list[str]) -> None:
    assert said(program(machine("a", state), machine("b", ""))) == expected


def test_a_template_that_waits_is_general() -> None:
    text = program(
        "template t { initial state s { on SUBTREE_FLUSHED -> done } final state done }\n", "machine a is t\n"
    )
    assert said(text) == []


# ---------------------------------------------------------------- what never comes


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ("on TIMEOUT -> ready", ["J313"]),
        ("on TIMEOUT -> ready timeout 5m", []),
        ("on LEASE_EXPIRED -> ready", []),
    ],
)
def test_a_timeout_comes_where_there_is_one(running: str, expected: list[str]) -> None:
    text = (
        'module m machine a { initial state ready { on LOCKED_BY_WORKER -> running }\nstate running { run "m:f" '
        f"on SUCCESS -> done on ERROR -> ready {running} }} final state done }}"
    )
    assert codes(text) == expected
    assert codes(text.replace("final state", "on ABANDONED, SUCCESS -> done final state")) == ["J313"] * bool(
        expected
    ) + ["J313"]


@pytest.mark.parametrize("timer", ["after 5m -> s", "at created_at -> s", "timeout 5m"])
@pytest.mark.parametrize("kind", ["final", "failure"])
def test_a_state_that_ends_a_task_has_no_timer(kind: str, timer: str) -> None:
    text = f"module m machine a {{ initial state s {{ on X -> done }} {kind} state done {{ {timer} }} }}"
    assert [code for code in codes(text) if code != "J090"] == ["J315"]
