"""`spawn self`, `spawn … for`, `spawn … as`: what they mean, and what is wrong with them."""

from __future__ import annotations

import pytest
from checking import codes, finding, findings, machine, program

from jetpackc.ir import model as ir
from jetpackc.ir.kin import Kin, spawns


def text(statement: str, head: str = "(xs: int[], names: text[]?, id_of: text)", more: str = "") -> str:
    return f"""\
module m
machine a{head} {{
  {more}
  initial state s {{ on GO -> t {{ {statement} }} }}
  state t {{ on GO -> done }}
  final state done
}}
machine b(n: int, of: int = 0) {{
  initial state s {{ on GO -> done }}
  final state done
}}
"""


def spawned(statement: str) -> ir.Spawn:
    (found,) = spawns(machine(text(statement)))
    return found


def test_self_is_the_machine_that_says_it() -> None:
    assert spawned("spawn self(xs: xs, id_of: id_of)").machine == "a"
    assert codes(text("spawn self(xs: xs)")) == ["J203"]


def test_the_element_is_known_in_the_arguments_and_the_delay() -> None:
    found = spawned("spawn b(n: x + 1, of: length(xs)) for x in xs")
    assert (found.item, found.items) == ("x", ir.Ref("param", "xs", ir.Type("int", array=True)))
    assert found.arguments[0][1] == ir.Binary(
        "+", ir.Ref("item", "x", ir.Type("int")), ir.Literal(1, ir.Type("int")), ir.Type("int")
    )


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("spawn b(n: x)", ["J106"]),
        ("spawn b(n: x) for x in xs spawn b(n: x)", ["J106"]),
        ("spawn b(n: x) for x in names ?? []", ["J201"]),
        ("spawn b(n: 1) for id in xs", ["J121"]),
        ("spawn b(n: 1) for x in id_of", ["J201"]),
        ("spawn b(n: 1) for x in names", ["J201"]),
        ("spawn b(n: 1) as c for x in xs", ["J341"]),
        ("spawn b(n: 1) as xs", ["J340"]),
    ],
)
def test_what_is_wrong_is_said(statement: str, expected: list[str]) -> None:
    assert codes(text(statement)) == expected, findings(text(statement))


def test_what_for_goes_through_is_an_array_that_is_there() -> None:
    assert finding(text("spawn b(n: 1) for x in names"), "J201") == (
        "`for` goes through an array, and this is a `text[]?` | a `text[]?` | say what stands in for null: `xs ?? []`"
    )


def test_as_declares_a_var_that_is_not_null_behind_it() -> None:
    found = machine(text("spawn b(n: 1) as c spawn b(n: 2) as d set sum = c + d", more="var sum: bigint = 0"))
    assert [(var.name, var.type) for var in found.vars[1:]] == [
        ("c", ir.Type("bigint", optional=True)),
        ("d", ir.Type("bigint", optional=True)),
    ]


def test_a_var_for_an_id_may_be_declared() -> None:
    assert codes(text("spawn b(n: 1) as c", more="var c: bigint?")) == []
    assert codes(text("spawn b(n: 1) as c", more="var c: text?")) == ["J340"]


def test_who_makes_whom() -> None:
    kin = Kin(
        program("""\
module m
machine a { initial state s { on GO -> done { spawn b() spawn root c() } } final state done }
machine b { initial state s { on GO -> done { spawn self() spawn c() as kept } } final state done }
machine c { initial state s { on GO -> done } final state done }
""")
    )
    assert kin.children == {"m.a": ("m.b",), "m.b": ("m.b", "m.c"), "m.c": ()}
    assert kin.parents == {"m.a": (), "m.b": ("m.a", "m.b"), "m.c": ("m.b",)}
    assert (kin.below("m.a"), kin.above("m.c")) == (("m.b", "m.c"), ("m.a", "m.b"))
    assert kin.named == {"m.c"}
