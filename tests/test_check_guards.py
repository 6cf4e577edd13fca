"""Guards: what the checker says of those that are never true, always true, or left nothing by those before them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from itertools import product

import pytest
from checking import codes, compiled, is_linear, work

from jetpackc.check import types
from jetpackc.check.solver import ANYTHING, Known, Outcome, Terms
from jetpackc.diagnostics import Diagnostic
from jetpackc.ir import model as ir

HEAD = """\
module m
enum tier { free, pro, team }
event PAID(amount: numeric, fee: int, late: bool, at: timestamptz?)
event GO
event X
machine m(n: int, big: bigint, price: numeric, rate: float, wait: interval, day: date, name: text, who: text?,
    kind: tier, kind2: tier?, ok: bool, maybe: bool?, due: timestamptz) {
"""


def m(members: str) -> str:
    return f"{HEAD}{members}\n}}\n"


def guarded(guard: str) -> str:
    return m(f"var count: int = 0\ninitial state s {{ on PAID when {guard} -> done on X -> done }} final state done")


def blocked(body: str) -> str:
    return m(f"var count: int = 0\ninitial state s {{ on PAID {{ {body} }} on X -> done }} final state done")


def said(text: str) -> list[str]:
    """The findings but those about names of the head that a program does not use."""
    return [found.rule.code for found in relevant(text)]


def relevant(text: str) -> list[Diagnostic]:
    return [found for found in compiled(text).diagnostics if found.rule.code not in {"J381", "J382"}]


# ---------------------------------------------------------------- one guard


@pytest.mark.parametrize(
    "guard",
    [
        "amount > 5 and amount < 3",
        "amount > 5 and amount <= 5",
        "amount == 5 and amount != 5",
        "5 < amount and 3 > amount",
        "n > 5 and n < 6",
        "n > 2.2 and n < 2.8",
        "n > 3000000000",
        "n == 2.5",
        "n in (1, 2) and n in (3, 4)",
        "n in (1, 2) and n > 2",
        "rate > 0.5 and rate < 0.25",
        "wait > 2h and wait < 90m",
        'day > ("2026-01-31" as date) and day < ("2026-02-01" as date)',
        'name == "a" and name == "b"',
        'name in ("a", "b") and name == "c"',
        'name == "a" and name != "a"',
        "kind == free and kind == pro",
        "kind != free and kind != pro and kind != team",
        "kind2 == free and kind2 is null",
        "who is null and who == name",
        "who is null and who is not null",
        "ok and not ok",
        "maybe and not maybe",
        "ok == true and ok == false",
        "(n > 5 or n < 0) and n == 3",
        "n > 5 and (n < 3 or ok) and not ok",
        "not (n > 5 or n <= 5)",
        "n > big and n <= big",
        "n < big and big < n",
        "length(name) > 5 and length(name) < 3",
        'lower(name) == "a" and lower(name) == "b"',
        "n + 1 > 5 and n + 1 < 5",
        "due > now() and due <= now()",
        "state == done",
        "n is null",
    ],
)
def test_a_guard_that_no_value_makes_true_is_reported(guard: str) -> None:
    (found,) = relevant(guarded(guard))
    assert (found.rule.code, found.message) == ("J322", "this guard is never true")
    assert found.span is not None
    assert guarded(guard)[found.span.start : found.span.end] == guard


@pytest.mark.parametrize(
    "guard",
    [
        "amount > 5 and amount < 5.1",
        "amount > 2 and amount < 3",
        "rate > 0.1 and rate < 0.3",
        "rate >= 0.1000000000000000000001 and rate <= 0.1",
        "n > 5 and n < 7",
        "big > 3000000000",
        "n > 2.2 and n < 3.8",
        "wait > 90m and wait < 2h",
        'day > ("2026-01-31" as date) and day < ("2026-02-02" as date)',
        'name == "a" or name == "b"',
        'name > "b" and name < "a"',
        'name != "a" and name != "A"',
        "kind != free and kind != pro",
        "kind2 is null and (kind2 == free) is null",
        "maybe is null",
        "n > big and n < 5",
        "n > 5 and count < 3",
        "length(name) > 5 and length(who ?? name) < 3",
        "due > now() and due < now() + 5m",
        "n / 2 == 1 and n > 2",
        "state == s",
    ],
)
def test_a_guard_that_some_value_makes_true_is_not(guard: str) -> None:
    assert [code for code in said(guarded(guard)) if code != "J383"] == []


@pytest.mark.parametrize(
    ("guard", "expected"),
    [
        ("n > 5 or n <= 5", ["J383"]),
        ("kind in (free, pro, team)", ["J383"]),
        ("kind2 in (free, pro, team)", []),
        ("kind2 in (free, pro, team) or kind2 is null", ["J383"]),
        ("ok or not ok", ["J383"]),
        ("maybe or not maybe", []),
        ("n < 3000000000", ["J383"]),
        ("name is not null", ["J383"]),
        ("who is not null", []),
        ("n >= big or n < big", ["J383"]),
        ("true", []),
        ("false", []),
        ("n > 0", []),
    ],
)
def test_a_guard_that_every_value_makes_true_is_warned_of(guard: str, expected: list[str]) -> None:
    assert said(guarded(guard)) == expected
    assert compiled(guarded(guard)).program is not None


# ---------------------------------------------------------------- clauses in a row


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("on PAID when amount > 5 -> done on PAID when amount > 10 -> s", ["J305"]),
        ("on PAID when amount > 10 -> done on PAID when amount > 5 -> s", []),
        ("on PAID when amount > 5 -> done on PAID when amount <= 5 -> s on PAID -> done", ["J305"]),
        ("on PAID when amount > 5 -> done on PAID when amount < 5 -> s on PAID -> done", []),
        ("on PAID when late -> done on PAID when not late -> s on PAID -> done", ["J305"]),
        ("on PAID when at < due -> done on PAID when at >= due -> s on PAID -> done", []),
        ("on PAID when due < now() -> done on PAID when due >= now() -> s on PAID -> done", ["J305"]),
        ("on GO when kind == free -> done on GO when kind == pro -> s on GO when kind == team -> s", []),
        ("on GO when kind == free -> done on GO when kind != free -> s on GO when kind == team -> s", ["J305"]),
        ("on GO when kind2 == free -> done on GO when kind2 != free -> s on GO -> done", []),
        ('on GO when name == "a" -> done on GO when name in ("a", "b") -> s', []),
        ('on GO when name in ("a", "b") -> done on GO when name == "a" -> s', ["J305"]),
        ("on GO, X when n > 5 -> done on X when n > 6 -> s on GO when n < 5 -> done", ["J305"]),
        ("on ERROR when type == name -> done on ERROR when type != name -> s on ERROR -> done", []),
        ("on GO when n > 5 and ok -> done on GO when n > 5 and not ok -> s on GO when n > 7 -> s", ["J305"]),
        ("on GO when maybe -> done on GO when not maybe -> done on GO when maybe is null -> s", []),
    ],
)
def test_a_clause_that_former_ones_leave_nothing_for_is_reported(clauses: str, expected: list[str]) -> None:
    assert said(m(f"initial state s {{ {clauses} on X -> done }} final state done")) == expected


def test_those_that_forestall_a_clause_are_pointed_at_and_no_others() -> None:
    text = m(
        "initial state s {\non PAID when amount > 50 -> done\non PAID when late -> s\non PAID when not late -> done\n"
        "on PAID when amount > 40 -> done\n} final state done"
    )
    (found,) = relevant(text)
    assert (found.message, found.label) == ("this `on PAID` in state `s` never gets its turn", "never tried")
    assert [label.span.line for label in found.secondary] == [10, 11]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("initial state a { on GO -> done } state b { on GO when ok -> a on GO when not ok -> done }", ["J305"]),
        ("initial state a { on GO -> done } state b { on GO when ok -> a }", []),
        ("initial state a { on X -> done } state b { on GO -> a }", []),
        ("initial state a { on X -> done } state b", []),
    ],
)
def test_a_clause_of_a_state_around_is_forestalled_where_every_state_inside_does_it(
    members: str, expected: list[str]
) -> None:
    inside = f"initial state outer {{ on GO -> done on JUMP -> b\n{members} }} final state done"
    assert said(m(inside)) == expected
    wide = f"on GO -> done on JUMP -> b\n{members} final state done"
    assert said(m(wide)) == expected


def test_enters_run_in_order_until_one_leaves_and_what_they_set_is_known_no_more() -> None:
    states = "var count: int = 0\ninitial state s {{ on GO -> t }} state t {{ on X -> done {} }} final state done"
    assert said(m(states.format("enter when count > 5 -> s enter when count > 6 -> done"))) == ["J305"]
    assert said(m(states.format("enter when count > 5 -> s enter { set count = n } enter when count > 6 -> s"))) == []
    assert said(m(states.format("enter when count > 5 { set count = n } enter when count > 6 -> done"))) == []


# ---------------------------------------------------------------- arms of a `when`


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("when n > 5 -> done else when n > 6 -> s", ["J305"]),
        ("when n > 5 -> done else when n <= 5 -> s", []),
        ("when n > 5 -> done else when n <= 5 -> s else -> done", ["J305"]),
        ("when kind == free -> done else when kind == pro -> s else when kind == team -> s else -> done", ["J305"]),
        ("when kind == free -> done else when kind == pro -> s else -> done", []),
        ("when n > 5 { when n < 3 -> done }", ["J322"]),
        ("when n > 5 { when n > 6 -> done }", []),
        ("when n > 5 -> done when n > 6 -> s", ["J322"]),
        ("when n > 5 { increment count } when n > 6 -> s", []),
        ("set count = 3 when count > 5 -> done", []),
        ("when count > 5 { set count = n when count < 3 -> done }", []),
        ("when count > 5 { when count < 3 -> done set count = n }", ["J322"]),
        ("when count > 5 { when ok { set count = n } when count < 3 -> done }", []),
        ("when count > 5 -> done set count = n when count > 6 -> done", []),
        ("when count > 5 and ok -> done increment count when count > 6 and ok -> done", []),
    ],
)
def test_an_arm_that_is_never_taken_is_reported(body: str, expected: list[str]) -> None:
    assert said(blocked(body)) == expected


def test_the_guard_of_a_clause_holds_in_its_block() -> None:
    text = m("initial state s { on PAID when amount > 5 { when amount < 3 -> done } on X -> done } final state done")
    (found,) = relevant(text)
    assert (found.message, found.label) == ("this guard is never true here", "what is known here excludes it")


def test_what_operators_and_templates_leave_idle_is_not_reported() -> None:
    text = (
        "module m\noperator go(n: int, to: state) { when n > 5 -> to else -> done }\n"
        "template t(n: int) { initial state a { on GO when n > 5 -> b on Y -> b } state b { on X -> done } }\n"
        "machine m is t(3) { state b { on GO go(7, to: done) } final state done }"
    )
    assert codes(text) == []


# ---------------------------------------------------------------- guards that leave nothing are a way out


def test_outcomes_whose_guards_leave_nothing_are_answered() -> None:
    text = m(
        'initial state ready { on LOCKED_BY_WORKER -> running }\nstate running { run "m:f"\n'
        "on SUCCESS(good: bool) when good -> done\non SUCCESS when not good -> bad\non ERROR -> bad }\n"
        "final state done failure state bad"
    )
    assert said(text) == []
    assert said(text.replace("not good", "not good and ok")) == ["J309"]


def test_guarded_enters_that_leave_nothing_need_no_last_line() -> None:
    text = m("initial state s { on GO -> t } state t { enter when ok -> done enter when not ok -> s } final state done")
    assert said(text) == []
    assert said(text.replace("not ok", "not ok and n > 1")) == ["J380"]


# ---------------------------------------------------------------- the solver by itself


def meaning(guard: ir.Expr, at: Mapping[str, object]) -> bool | None:
    """What SQL says of a guard, written down once more."""
    match guard:
        case ir.Literal(value=value):
            return value  # type: ignore[return-value]
        case ir.Ref(name=name):
            return at[name]  # type: ignore[return-value]
        case ir.Unary(operand=operand):
            inner = meaning(operand, at)
            return None if inner is None else not inner
        case ir.IsNull(operand=operand, negated=negated):
            return (meaning(operand, at) is None) is not negated
        case ir.Binary(operator="and" | "or" as word, left=left, right=right):
            both = {meaning(left, at), meaning(right, at)}
            decisive = word == "or"
            return decisive if decisive in both else None if None in both else not decisive
        case ir.Binary(operator=operator, left=left, right=right):
            one, other = meaning(left, at), meaning(right, at)
            return None if one is None or other is None else COMPARE[operator](one, other)
        case ir.In(operand=operand, options=options):
            found = meaning(operand, at)
            return None if found is None else found in {meaning(option, at) for option in options}
    raise AssertionError(guard)


COMPARE: dict[str, Callable[[object, object], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}
MAYBE_INT = ir.Type("int", optional=True)
MAYBE_ENUM = ir.Type("enum", "tier", optional=True)
MAYBE_BOOL = ir.Type("bool", optional=True)
N, Q = ir.Ref("var", "n", MAYBE_INT), ir.Ref("var", "q", types.INT)
T, P = ir.Ref("var", "t", MAYBE_ENUM), ir.Ref("var", "p", MAYBE_BOOL)
RANGE: dict[str, list[object]] = {
    "n": [None, *range(-1, 5)],
    "q": [*range(-1, 5)],
    "t": [None, "a", "b"],
    "p": [None, True, False],
}


def random_guard(rng: random.Random, depth: int) -> ir.Expr:
    if depth and rng.random() < 0.75:
        word = rng.choice(["and", "or", "not"])
        if word == "not":
            return ir.Unary("not", random_guard(rng, depth - 1), MAYBE_BOOL)
        left, right = random_guard(rng, depth - 1), random_guard(rng, depth - 1)
        return ir.Binary("and" if word == "and" else "or", left, right, MAYBE_BOOL)
    operator = rng.choice(list(COMPARE))
    number, name = ir.Literal(rng.randrange(4), types.INT), ir.Literal(rng.choice("ab"), ir.Type("enum", "tier"))
    return rng.choice(
        [
            ir.Binary(operator, N, number, MAYBE_BOOL),  # type: ignore[arg-type]
            ir.Binary(operator, number, Q, MAYBE_BOOL),  # type: ignore[arg-type]
            ir.Binary(rng.choice(["==", "!="]), T, name, MAYBE_BOOL),
            ir.In(N, (number, ir.Literal(2, types.INT)), MAYBE_BOOL),
            ir.IsNull(rng.choice([N, T, P]), rng.random() < 0.5, types.BOOL),
            P,
        ]
    )


def worlds() -> Iterator[dict[str, object]]:
    return (dict(zip(RANGE, row, strict=True)) for row in product(*RANGE.values()))


OUTCOMES: dict[Outcome, set[bool | None]] = {
    Outcome.TRUE: {True},
    Outcome.FALSE: {False},
    Outcome.NOT_TRUE: {False, None},
    Outcome.NOT_FALSE: {True, None},
}


@pytest.mark.parametrize("seed", range(300))
def test_the_solver_says_what_trying_every_value_says(seed: int) -> None:
    rng = random.Random(seed)
    rows = [(random_guard(rng, 3), rng.choice(list(Outcome))) for _ in range(rng.randrange(1, 4))]
    known, terms = Known(), Terms({"tier": frozenset("ab")})
    for guard, outcome in rows[:-1]:
        known.learn(terms.formula(guard, outcome))
    expected = any(all(meaning(guard, at) in OUTCOMES[outcome] for guard, outcome in rows) for at in worlds())
    assert known.allows(terms.formula(*rows[-1])) == expected


def test_a_question_that_is_too_hard_is_given_up_quickly() -> None:
    """Nine pigeons in eight holes: never possible, and long to find out."""
    at = [[ir.Ref("var", f"p{pigeon}{hole}", types.BOOL) for hole in range(8)] for pigeon in range(9)]
    known, terms = Known(), Terms({})
    for holes in at:
        known.learn(terms.formula(reduce(lambda a, b: ir.Binary("or", a, b, types.BOOL), holes), Outcome.TRUE))
    for hole, one, other in product(range(8), range(9), range(9)):
        if one < other:
            both = ir.Binary("and", at[one][hole], at[other][hole], types.BOOL)
            known.learn(terms.formula(both, Outcome.FALSE))
    assert known.allows(ANYTHING)
    assert work(lambda: known.allows(ANYTHING)) < 100_000


def test_a_row_of_twice_the_clauses_takes_twice_the_work() -> None:
    def row(length: int) -> list[str]:
        clauses = "\n".join(f"on PAID when fee == {2 * i} -> done" for i in range(length))
        return said(m(f"initial state s {{ {clauses} }} final state done"))

    assert row(1000) == []
    assert is_linear(row, 250)
