# ruff: noqa: E501 - tables of messages
"""json and arrays: what the checker takes, and how it says what is missing."""

from __future__ import annotations

import pytest
from checking import compiled, findings, machine

from jetpackc.ir import model as ir


def clause(text: str) -> str:
    """A program with one clause of `GO`, some names of several types, and vars to set."""
    return (
        "module m\nenum tier { free, pro }\n"
        "machine m(c: json, cn: json?, xs: int[], ts: text[], tiers: tier[], n: int, s: text, js: json[]) {\n"
        'var i: int = 0\nvar t: text = ""\nvar tn: text?\nvar b: bool = false\nvar a: int[] = []\nvar j: json?\n'
        f"initial state st {{\non GO {text}\non STOP -> done\n}}\nfinal state done\n}}\n"
    )


def mistakes(text: str) -> list[str]:
    """Message and help of each error."""
    return [
        f"{found.rule.code} {found.message} | {found.help}"
        for found in compiled(clause(text)).diagnostics
        if found.is_error
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{ set tn = c.name as text }",
        '{ set t = c["a b"][0].c as text ?? "" }',
        '{ set t = (c.name as text ?? "") ++ s }',
        "when c.n as int > 5 { set b = c.ok as bool ?? false }",
        "{ set j = c.any }",
        "{ set j = xs as json }",
        "{ set t = c as text }",
        "{ set a = c as int[] }",
        "{ set a = [] }",
        "{ set a = [n, n + 1, null] ++ xs ++ [] }",
        "{ set b = n in xs or 3 in [1, 2] or n in (1, 2) }",
        "{ set b = pro in tiers or (tiers[0] ?? pro) == free or tiers == [pro] }",
        '{ set b = s in ts or s in ["a", "b"] }',
        "{ set i = xs[0] ?? xs[length(xs) - 1] ?? 0 }",
        '{ set t = xs[0] as text ?? "" }',
        "{ set tn = js[0].name as text }",
        "{ set i = length(c.list as json[] ?? []) }",
        "{ set b = xs != [1] and xs == a }",
        '{ set t = join(xs as text[], ",") }',
        "{ set a = c.a as int[] ?? [] }",
    ],
)
def test_values_of_json_and_arrays(text: str) -> None:
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{ set t = c.name }",
            "J201 expected `text`, found `json?`"
            " | convert it with `as text`, and say what stands for null: `… as text ?? …`",
        ),
        ("{ set tn = c.name }", "J201 expected `text?`, found `json?` | convert it with `as text`"),
        ("{ set t = c }", "J201 expected `text`, found `json` | convert it with `as text`"),
        ('when c.name == "x" { set i = 1 }', "J211 `==` does not take `json?` and `text` | say what it is: `… as text == …`"),
        ("when 5 < c.n { set i = 1 }", "J211 `<` does not take `int` and `json?` | say what it is: `… as int < …`"),
        ("when c == cn { set i = 1 }", "J211 `==` does not take `json` and `json?` | say what it is: `… as text == …`"),
        ("{ set i = c.n + 1 }", "J202 this may be null, and a value is required"
         " | give it a value for null with `??`, or guard it with `is not null`"),
        ("{ set i = (c.n as int) + 1 }", "J202 this may be null, and a value is required"
         " | give it a value for null with `??`, or guard it with `is not null`"),
        ("when n in c.list { set i = 1 }", "J211 `in` does not take `int` and `json?` | say what is in it: `… as int[]`"),
        (
            "when n in s { set i = 1 }",
            "J211 `in` does not take `int` and `text` | behind `in` stands an array, or values in parentheses: `x in (a, b)`",
        ),
        ("when s in xs { set i = 1 }", "J211 `in` does not take `text` and `int[]` | "),
        ("{ set a = xs ++ n }", "J211 `++` does not take `int[]` and `int` | put a value in brackets to join it to an array: `xs ++ [x]`"),
        ("{ set a = [1, s] }", "J201 expected `int?`, found `text` | convert it with `as int`"),
        ("when [1, s] == xs { set i = 1 }", "J201 expected `int?`, found `text` | convert it with `as int`"),
        ("{ set i = length([1, s]) }", "J201 the items of an array are of one type | "),
        ("{ set i = length([[1]]) }", "J201 the items of an array are of one type | "),
        ("{ set i = length([] ?? []) }", "J201 an array of what? | say it: `[] as text[]`"),
        ("{ set i = xs[s] ?? 0 }", "J201 expected `int`, found `text` | convert it with `as int`"),
        ("{ set i = c[true] as int ?? 0 }", "J201 expected `int`, found `bool` | "),
        ("{ set i = n[0] }", "J213 `int` has no elements | "),
        ("{ set i = xs.first }", "J213 `int[]` has no members | "),
        ("{ set i = xs + 1 }", "J211 `+` does not take `int[]` and `int` | "),
        ("{ set t = xs as text }", "J214 `int[]` does not convert to `text` | "),
        ("{ set b = xs < xs }", "J211 `<` does not take `int[]` and `int[]` | "),
        ("{ set b = js == js }", "J211 `==` does not take `json[]` and `json[]` | say what it is: `… as text[] == …`"),
        ("{ set i = xs[0] }", "J202 this may be null, and a `int` is required"
         " | give it a value for null with `??`, or guard it with `is not null`"),
        ("{ set b = blue in tiers }", "J104 unknown value of enum `tier` `blue` | "),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(text: str, expected: str) -> None:
    assert mistakes(text) == [expected]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("{ set tn = c.name }", "{ set tn = c.name as text }"),
        ("{ set t = c }", "{ set t = c as text }"),
        ("{ set a = c }", "{ set a = c as int[] }"),
        ('when c.name == "x" { set i = 1 }', 'when c.name as text == "x" { set i = 1 }'),
        ("when n < c.list[0] { set i = 1 }", "when n < c.list[0] as int { set i = 1 }"),
    ],
)
def test_the_fix_says_what_a_json_value_is_and_compiles(text: str, mended: str) -> None:
    source = clause(text)
    (found,) = [each for each in compiled(source).diagnostics if each.is_error]
    (fix,) = found.fixes
    edited = source[: fix.span.start] + fix.replacement + source[fix.span.end :]
    assert edited == clause(mended)
    assert mistakes(mended) == []


def test_a_name_that_stands_for_a_value_is_no_state() -> None:
    text = clause("when state == c.name as text { set i = 1 }")
    assert [line for line in findings(text) if not line.startswith("J38")] == []


def test_a_literal_array_is_in_the_ir_as_it_is_wanted() -> None:
    found = machine(clause("{ set a = [1, null] }"))
    (clause_, _) = found.states[0].on
    numbers = ir.Type("int", array=True)
    maybe = ir.Type("int", optional=True)
    assert clause_.body == (ir.Set("a", ir.Array((ir.Literal(1, ir.Type("int")), ir.Literal(None, maybe)), numbers)),)


@pytest.mark.parametrize("text", ["when xs.length > 1 -> done", "when s.size > 1 -> done"])
def test_how_long_something_is_is_asked_of_length(text: str) -> None:
    (told,) = mistakes(text)
    assert told.startswith("J213 ")
    assert told.endswith("| `length(x)` is how long a text or an array is")


def test_a_question_mark_chooses_no_value() -> None:
    (told,) = mistakes("-> done { set i = n > 1 ? 2 : 3 }")
    assert told == "J001 unexpected `?` | choose with `when a { … } else { … }`; `a ?? b` is b where a is null"
