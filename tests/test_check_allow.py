"""`allow`: which warnings it silences, and what is said of one that makes no sense."""

from __future__ import annotations

import pytest
from checking import codes, compiled, finding

from jetpackc.check import compile_sources
from jetpackc.source import Source

TWO = """\
module m
{top}
machine a {{
{a}
var unused: int = 0
initial state s {{ on GO -> done }} final state done
}}
machine b {{
var unused: int = 0
initial state s {{ on GO -> done }} final state done
}}
"""


def two(top: str = "", a: str = "") -> str:
    return TWO.format(top=top, a=a)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (two(), ["J382", "J382"]),
        (two(a='allow J382 because "later"'), ["J382"]),
        (two(top='allow J382 because "later"'), []),
        (two(top='allow J382 because "later"', a='allow J382 because "here too"'), []),
        (two(a='allow J382 because "a" allow J382 because "b"'), ["J382"]),
        (two(a='allow J381 because "never"'), ["J384", "J382", "J382"]),
        (two(a='allow J305 because "no"'), ["J323", "J382", "J382"]),
        (two(a='allow J382 because " "'), ["J016", "J382"]),
        (two(a='allow J999 because "no"'), ["J114", "J382", "J382"]),
        (two(a='allow J381 because "never" initial state t { on GO -> done }'), ["J302", "J382"]),
    ],
)
def test_an_allow_silences_warnings_of_its_machine_or_file(text: str, expected: list[str]) -> None:
    found = codes(text)
    assert [code for code in found if code != "J303"] == expected


def test_an_allow_at_the_top_is_for_its_own_file() -> None:
    one, other = two(top='allow J382 because "later"').split("machine b")
    found = compile_sources([Source("a.jet", one), Source("b.jet", f"module m machine b{other}")]).diagnostics
    assert [(each.rule.code, each.span and each.span.path) for each in found] == [("J382", "b.jet")]


def test_an_allow_of_a_template_is_for_each_machine_that_uses_it() -> None:
    template = 'template t { allow J382 because "x" var v: int = 0 initial state s { on GO -> done } final state done }'
    assert codes(f"module m\n{template}\nmachine a is t\nmachine b is t") == []


def test_the_nearest_code_is_offered() -> None:
    assert finding(two(top='allow J382 because "later"', a='allow J328 because "x"'), "J114").startswith(
        "unknown code `J328` | did you mean `J38"
    )


def test_an_unused_allow_is_deleted_by_its_fix() -> None:
    text = two(top='allow J382 because "later"', a='allow J381 because "never"')
    (found,) = compiled(text).diagnostics
    (fix,) = found.fixes
    assert fix.safe
    assert codes(text[: fix.span.start] + fix.replacement + text[fix.span.end :]) == []
