"""Operators and templates that nothing uses: what is wrong whoever uses them is said, and nothing else."""

from __future__ import annotations

import pytest
from checking import codes, findings

MACHINE = "machine m(n: int) { initial state a { on GO -> done } final state done }\n"


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ('operator o(n: int) { set x = n + "a" }', ["J211"]),
        ("operator o(n: int, to: state) { when lenght(name) > n -> to }", ["J107"]),
        ("operator o(n: int, to: state) { when length(n) > 1 -> to }", ["J201"]),
        ("operator o(n: int, to: state) { when n > 1 -> to else -> elsewhere }", []),
        ("operator o(n: int) { set total = total + n  spawn m(n: n) }", []),
        ("operator o(n: int) { spawn m(n: n, m: n) }", ["J206"]),
        ("operator o(n: int) { spawn other(n) }", ["J103"]),
        ("operator o(n: int) { other(n) }", ["J108"]),
        ("operator o(n: int) { retry(n, otherwise: given_up, agian: ready) }", ["J206"]),
        ("operator o(n: integr) { set x = n }", ["J105"]),
        ("operator o(text: text) { set x = event.y ++ text }", []),
        ('template t(n: int) { initial state s { on GO when n == "a" -> done } final state done }', ["J211"]),
        ("template t(n: int) { var v: int = n  initial state s { on GO -> done { set v = later } } }", []),
        ("template t(v: text) { var v: int = 0  initial state s { on GO -> done { set v = v } } }", ["J201"]),
        ('template t(n: int) { step work(max_attempts: n) { run "m:f" on SUCCESS -> done } }', []),
        ("template t { state s { on DONE(x: int) when x > 1 -> done } }", []),
    ],
)
def test_what_no_use_could_mend_is_said_of_a_definition_that_nothing_uses(definition: str, expected: list[str]) -> None:
    assert codes(f"module m\n{definition}\n{MACHINE}") == expected


def test_what_a_use_shows_as_well_is_said_once() -> None:
    text = f"module m\noperator o(n: int) {{ increment n }}\noperator p(n: int) {{ fail n + 1 }}\n{MACHINE}"
    used = text.replace("on GO -> done", "on GO -> done on A { p(1) }")
    assert [line.split()[0] for line in findings(text)] == ["J201"]
    assert findings(used) == findings(text)


def test_a_file_of_definitions_alone_needs_no_module() -> None:
    assert codes("operator o(n: int) { when n > 1 -> there }") == []
