"""SUBTREE_FLUSHED that states hand to each other for ever, and what bounds it."""

from __future__ import annotations

import pytest
from checking import codes, compiled

CHILD = "machine child { initial state open { on GO -> done } final state done }\n"


def said(states: str, vars: str = "") -> list[str]:
    machine = f"machine m(n: int) {{ {vars} initial state a {{ on GO -> b {{ spawn child() }} }} {states} }}"
    text = f"module m\n{machine}\n{CHILD}"
    return codes(text)


@pytest.mark.parametrize(
    "states",
    [
        "state b { on SUBTREE_FLUSHED -> c } state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED -> c } state c { enter -> b }",
        "state b { enter -> c } state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED reenter on STOP -> a }",
        "state b { on SUBTREE_FLUSHED when n > 1 -> c } state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED when subtree.some(failure) -> c }"
        " state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED { when n > 1 -> c else -> a } } state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { initial state c { on NEXT -> d } state d { on NEXT -> c } on SUBTREE_FLUSHED -> e }"
        " state e { on SUBTREE_FLUSHED -> d on STOP -> a }",
        "state b { on SUBTREE_FLUSHED -> c { spawn root child() } } state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on STOP -> c } state c { on STOP -> b } on SUBTREE_FLUSHED -> z"
        " state z { enter { set x = x + 1 } enter -> b }",
    ],
)
def test_what_goes_on_for_ever(states: str) -> None:
    assert [code for code in said(states, "var x: int = 0") if code != "J382"] == ["J326"]


@pytest.mark.parametrize(
    "states",
    [
        "state b { on SUBTREE_FLUSHED -> c } state c { on SUBTREE_FLUSHED -> b { spawn child() } on STOP -> a }",
        "state b { on SUBTREE_FLUSHED -> c } state c { enter { spawn child() } on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED when x < 3 -> c { increment x } }"
        " state c { on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED when x < 3 -> c }"
        " state c { enter { increment x } on SUBTREE_FLUSHED -> b on STOP -> a }",
        "state b { on SUBTREE_FLUSHED -> c } state c { on NEXT -> b }",
        "state b { on SUBTREE_FLUSHED -> c } state c { after 1h -> b }",
        "state b { on SUBTREE_FLUSHED -> b { increment x } on STOP -> a }",
        "state b { on SUBTREE_FLUSHED { increment x } on STOP -> a }",
        "state b { on SUBTREE_FLUSHED -> c } state c { on LOCKED_BY_WORKER -> d }"
        ' state d { run "x:y" on SUCCESS -> b on ERROR -> b }',
        "state b { on SUBTREE_FLUSHED -> c } state c { enter -> d on SUBTREE_FLUSHED -> b } state d { on STOP -> a }",
    ],
)
def test_what_comes_to_rest(states: str) -> None:
    assert "J326" not in said(states, "var x: int = 0")


def test_each_cycle_is_told_once_and_one_of_enters_as_such() -> None:
    states = "state b { on SUBTREE_FLUSHED -> c } state c { enter -> d } state d { enter -> c }"
    assert said(states) == ["J306"]


def test_the_trace_names_the_events() -> None:
    text = f"""module m
machine m {{
  initial state a {{ on GO -> b {{ spawn child() }} }}
  state b {{ on SUBTREE_FLUSHED -> c }}
  state c {{ enter -> d }}
  state d {{ on SUBTREE_FLUSHED -> b    on STOP -> a }}
}}
{CHILD}"""
    (found,) = compiled(text).diagnostics
    assert found.message == "`SUBTREE_FLUSHED` goes on for ever: `b -> c -> d -> b`"
    assert found.notes == ("`a -GO-> b -SUBTREE_FLUSHED-> c -> d -SUBTREE_FLUSHED-> b`, then for ever",)
