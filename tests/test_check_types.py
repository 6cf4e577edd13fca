"""Types: what fits where, what operators make of them, and what null may do."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import codes, finding, findings, machine, state

from jetpackc.check.functions import FUNCTIONS
from jetpackc.check.types import show
from jetpackc.ir import model as ir

PARAMS = (
    "i: int, b: bigint, n: numeric, f: float, t: text, u: uuid, ts: timestamptz, d: date, iv: interval, "
    "ok: bool, e: tier, g: grade, j: json, by: bytes, oi: int?, ot: text?, ok2: bool?, oe: tier?, oj: json?"
)
TOP = "module shop\nenum tier { free, pro }\nenum grade { free, good }\n"


def assigning(type: str, expr: str) -> str:
    """A machine that sets a var of a type to an expression."""
    return (
        f"{TOP}machine m({PARAMS}) {{\nvar x: {type}? = null\n"
        f"initial state s {{ on GO -> done {{ set x = {expr} }} }}\nfinal state done\n}}\n"
    )


def guarding(guard: str) -> str:
    return f"{TOP}machine m({PARAMS}) {{\ninitial state s {{ on GO when {guard} -> done }}\nfinal state done\n}}\n"


def assigned(type: str, expr: str) -> ir.Expr:
    statement = state(assigning(type, expr), "s").on[0].body[0]
    assert isinstance(statement, ir.Set)
    return statement.value


# ---------------------------------------------------------------- operators


@pytest.mark.parametrize(
    ("expr", "type"),
    [
        ("i + 1", "int"),
        ("i + b", "bigint"),
        ("b * n", "numeric"),
        ("n - f", "float"),
        ("i / 2", "int"),
        ("i / 2.0", "numeric"),
        ("f / 2.0", "float"),
        ("i % 2", "int"),
        ("n % 2", "numeric"),
        ("-n", "numeric"),
        ("-iv", "interval"),
        ("ts + iv", "timestamptz"),
        ("iv + ts", "timestamptz"),
        ("ts - 1h", "timestamptz"),
        ("ts - ts", "interval"),
        ("now() - created_at", "interval"),
        ("d + 1", "date"),
        ("d - d", "int"),
        ("d + 1h", "timestamptz"),
        ("iv + 5m", "interval"),
        ("iv * 2", "interval"),
        ("2 * iv", "interval"),
        ("iv / 2", "interval"),
        ('t ++ "!"', "text"),
        ("i < b", "bool"),
        ("e == free", "bool"),
        ("by == by", "bool"),
        ("oi == 1", "bool?"),
        ("i > 1 and oi == 1", "bool?"),
        ("not (oi == 1)", "bool?"),
        ("oi is null", "bool"),
        ("oi ?? 1", "int"),
        ("oi ?? n", "numeric"),
        ("ot ?? ot", "text?"),
        ("oe ?? free", "tier"),
        ("i in (1, 2)", "bool"),
        ("oi in [1, 2]", "bool?"),
        ("t as int", "int"),
        ("ot as int", "int?"),
        ("t as int?", "int?"),
        ("t as tier", "tier"),
        ("e as text", "text"),
        ("ts as date", "date"),
        ("d as timestamptz", "timestamptz"),
        ("f as int", "int"),
        ("u as text", "text"),
        ("oj is not null", "bool"),
        ("parent ?? id", "bigint"),
        ("state", "text"),
        ("depth", "int"),
        ("entered_at", "timestamptz"),
        ("run_at", "timestamptz?"),
    ],
)
def test_an_expression_has_its_type(expr: str, type: str) -> None:
    assert show(assigned(type.rstrip("?"), expr).type) == type


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        ("t + t", "J211"),
        ("t ++ i", "J211"),
        ("f % 2.0", "J211"),
        ("ts + ts", "J211"),
        ("ts + 5", "J211"),
        ("d + d", "J211"),
        ("iv * iv", "J211"),
        ("2 / iv", "J211"),
        ("-t", "J211"),
        ("-ok", "J211"),
        ("i < t", "J211"),
        ("ok < ok", "J211"),
        ("e < e", "J211"),
        ("u < u", "J211"),
        ("by < by", "J211"),
        ("j == j", "J211"),
        ("e == g", "J211"),
        ("e in (g, free)", "J211"),
        ("i ?? 1", "J211"),
        ("oi ?? t", "J211"),
        ("oi + 1", "J202"),
        ("-oi", "J202"),
        ("ot ++ t", "J202"),
        ("oi == null", "J215"),
        ("i in (1, null)", "J215"),
        ("i and ok", "J201"),
        ("not i", "J201"),
        ("u as int", "J214"),
        ("i as bool", "J214"),
        ("by as text", "J214"),
        ("i.x", "J213"),
        ("i(1)", "J212"),
        ("e == gold", "J104"),
        ("tier.gold == e", "J104"),
    ],
)
def test_what_an_operator_does_not_take_is_reported_once(expr: str, code: str) -> None:
    assert codes(assigning("text", expr)) == [code]


def test_a_date_becomes_a_moment_by_a_conversion_that_the_ir_shows() -> None:
    found = assigned("timestamptz", "d + 1h")
    assert isinstance(found, ir.Binary)
    assert found.left == ir.Cast(ir.Ref("param", "d", ir.Type("date")), ir.Type("timestamptz"))


# ---------------------------------------------------------------- assignment


@pytest.mark.parametrize(
    ("type", "expr"),
    [
        ("bigint", "i"),
        ("numeric", "i"),
        ("float", "n"),
        ("float", "1.5"),
        ("float", "1"),
        ("numeric", "1"),
        ("text", "ot"),
        ("tier", "free"),
        ("grade", "free"),
        ("json", "j"),
        ("bytes", "by"),
        ("int", "null"),
    ],
)
def test_a_narrower_number_or_the_same_type_fits(type: str, expr: str) -> None:
    assert codes(assigning(type, expr)) == []


@pytest.mark.parametrize(
    ("type", "expr"),
    [
        ("int", "b"),
        ("bigint", "n"),
        ("numeric", "f"),
        ("int", "1.5"),
        ("text", "i"),
        ("int", "t"),
        ("tier", '"free"'),
        ("tier", "g"),
        ("interval", "5"),
        ("timestamptz", "d"),
        ("json", "t"),
        ("uuid", "t"),
        ("bool", "i"),
    ],
)
def test_nothing_else_converts_unasked(type: str, expr: str) -> None:
    assert codes(assigning(type, expr)) == ["J201"]


@pytest.mark.parametrize(
    ("type", "expr", "help"),
    [
        ("interval", "5", "write a duration such as `30s` or `1h30m`"),
        ("tier", '"free"', "a value of an enum is written without quotes: `free`"),
        ("text", "i + 1", "convert it with `as text`"),
        ("bytes", "i", ""),
    ],
)
def test_a_mismatch_says_how_to_convert(type: str, expr: str, help: str) -> None:
    assert finding(assigning(type, expr), "J201").rpartition(" | ")[2] == help


@pytest.mark.parametrize(
    ("type", "digits", "value", "kind"),
    [
        ("int", "2147483647", 2147483647, "int"),
        ("int", "-2147483648", -2147483648, "int"),
        ("bigint", "5", 5, "bigint"),
        ("bigint", "-9223372036854775808", -9223372036854775808, "bigint"),
        ("numeric", "5", "5", "numeric"),
        ("numeric", "-5", "-5", "numeric"),
        ("float", "5", "5", "float"),
        ("float", "0.10", "0.10", "float"),
        ("interval", "1h30m", 5_400_000, "interval"),
        ("bool", "true", True, "bool"),
    ],
)
def test_a_constant_takes_the_type_that_is_wanted(type: str, digits: str, value: object, kind: str) -> None:
    found = assigned(type, digits)
    assert isinstance(found, ir.Literal)
    assert (found.value, found.type.kind) == (value, kind)


@pytest.mark.parametrize(
    ("type", "digits"),
    [
        ("int", "2147483648"),
        ("int", "-2147483649"),
        ("bigint", "9223372036854775808"),
        ("text", "99999999999999999999"),
    ],
)
def test_a_number_that_its_type_cannot_hold_is_refused(type: str, digits: str) -> None:
    assert codes(assigning(type, digits)) == ["J209"]


# ---------------------------------------------------------------- null


@pytest.mark.parametrize(
    "guard",
    [
        "oi is not null and oi + 1 > 5",
        "oi > 3 and oi + 1 > 5",
        "oi is null or oi + 1 > 5",
        "not (oi is null) and oi + 1 > 5",
        "oi in (1, 2) and oi + 1 > 5",
        "(oi ?? 0) + 1 > 5",
    ],
)
def test_a_value_that_was_shown_not_to_be_null_is_used_freely(guard: str) -> None:
    assert codes(guarding(guard)) == []


@pytest.mark.parametrize(
    "guard",
    [
        "oi + 1 > 5 and oi is not null",
        "oi is not null or oi + 1 > 5",
        "not (oi is not null) and oi + 1 > 5",
        "not (oi == 3) or oi + 1 > 5",
        "(oi is not null or ok) and oi + 1 > 5",
    ],
)
def test_a_value_that_may_still_be_null_is_not(guard: str) -> None:
    assert codes(guarding(guard)) == ["J202"]


def setting(block: str) -> str:
    return (
        f"module m\nmachine m(p: int?) {{\nvar x: int?\nvar y: int = 0\nunique (x, y)\n"
        f"initial state s {{ on GO {block} }}\nfinal state done\n}}\n"
    )


@pytest.mark.parametrize(
    ("block", "near_miss"),
    [
        ("when x is not null -> done { set y = x }", "when x is null -> done { set y = x }"),
        ("-> done { set x = 1 set y = x }", "-> done { set y = x set x = 1 }"),
        ("when x is not null -> done { set y = x set x = p }", "when x is not null -> done { set x = p set y = x }"),
        ('{ when p is null { fail "no" } else { set y = p } -> done }', "{ when p is null { set y = p } -> done }"),
        (
            '{ when p is null { fail "no" } else when y > 1 { set y = p } -> done }',
            '{ when p == 1 { fail "no" } else { set y = p } -> done }',
        ),
        (
            "when x is not null { when p == 1 { set y = 2 } set y = x -> done }",
            "when x is not null { when p == 1 { set x = p } set y = x -> done }",
        ),
    ],
)
def test_what_a_block_knows_of_null_follows_its_statements(block: str, near_miss: str) -> None:
    assert codes(setting(block)) == []
    assert codes(setting(near_miss)) == ["J202"]


def test_a_name_that_was_shown_not_to_be_null_has_the_plain_type_in_the_ir() -> None:
    statement = state(setting("when p is not null -> done { set y = p }"), "s").on[0].body[0]
    assert isinstance(statement, ir.Set)
    assert statement.value == ir.Ref("param", "p", ir.Type("int"))


def test_null_takes_the_type_that_is_wanted() -> None:
    assert assigned("text", "null") == ir.Literal(None, ir.Type("text", optional=True))
    assert codes(setting("-> done { set y = null }")) == ["J202"]


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize(
    ("expr", "type"),
    [
        ("backoff(2s, attempts)", "interval"),
        ("backoff(2s, attempts, cap: 10m)", "interval"),
        ("backoff(cap: 1m, attempts: 3, base: iv)", "interval"),
        ("now()", "timestamptz"),
        ("length(t)", "int"),
        ("lower(t)", "text"),
        ("upper(t)", "text"),
        ("trim(t)", "text"),
        ('replace(t, "a", "b")', "text"),
        ('starts_with(t, "a")', "bool"),
        ("abs(i)", "int"),
        ("abs(n)", "numeric"),
        ("round(n)", "numeric"),
        ("round(n, 2)", "numeric"),
        ("ceil(n)", "numeric"),
        ("floor(1.5)", "numeric"),
        ("min(i, b)", "bigint"),
        ("max(1, n, i)", "numeric"),
        ("max(ts, now())", "timestamptz"),
        ("min(iv, 5m)", "interval"),
    ],
)
def test_a_function_has_its_type(expr: str, type: str) -> None:
    assert show(assigned(type, expr).type) == type


def test_backoff_always_has_three_arguments_in_order() -> None:
    short = assigned("interval", "backoff(2s, attempts)")
    assert isinstance(short, ir.Call)
    assert short.arguments == (
        ir.Literal(2000, ir.Type("interval")),
        ir.Ref("builtin", "attempts", ir.Type("int")),
        ir.Literal(3_600_000, ir.Type("interval")),
    )
    named = assigned("interval", "backoff(attempts: 1, cap: 1m, base: 1s)")
    assert isinstance(named, ir.Call)
    assert [argument.value for argument in named.arguments if isinstance(argument, ir.Literal)] == [1000, 1, 60_000]


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        ("length(i)", "J201"),
        ("length(ot)", "J202"),
        ("abs(t)", "J201"),
        ("abs(oi)", "J202"),
        ("min(t, i)", "J201"),
        ("min(i, ts)", "J201"),
        ("length()", "J203"),
        ("min(i)", "J203"),
        ("length(t, t)", "J204"),
        ("now(1)", "J204"),
        ("backoff(2s, base: 3s, attempts: 1)", "J205"),
        ("backoff(2s, attempts, kap: 1m)", "J206"),
        ("backoff(base: 2s, 1)", "J217"),
        ("backoff(2s..5m, attempts)", "J405"),
        ("lenght(t)", "J107"),
    ],
)
def test_a_wrong_argument_is_reported_once(expr: str, code: str) -> None:
    assert codes(assigning("text", expr)) == [code]


def test_every_function_has_a_line_that_says_what_it_does() -> None:
    assert [name for name, function in FUNCTIONS.items() if not function.doc or function.doc.endswith(".")] == []


# ---------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("a: int = 5, b: int = a + 1", []),
        ("a: timestamptz = now()", []),
        ("a: int?", []),
        ("b: int = a, a: int = 5", ["J106"]),
        ('a: int = "5"', ["J201"]),
        ("a: int = null", ["J202"]),
        ("a: int = attempts", ["J106"]),
        ("a: int = 1.5", ["J201"]),
        ("a: tier = gold", ["J104"]),
    ],
)
def test_a_default_fits_and_reads_the_params_before_it(params: str, expected: list[str]) -> None:
    text = f"{TOP}machine m({params}) {{ initial state s {{ on GO -> done }} final state done }}"
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("var", "expected"),
    [
        ("var x: int = p", []),
        ("var x: int?", []),
        ("var x: int", ["J216"]),
        ("var x: int = y", ["J106"]),
        ("var x: text = p", ["J201"]),
    ],
)
def test_a_var_starts_with_a_value_that_may_read_the_params(var: str, expected: list[str]) -> None:
    text = (
        f"module m\nmachine m(p: int) {{\n{var}\nvar y: int = 0\nunique (x, y)\n"
        "initial state s { on GO -> done }\nfinal state done\n}\n"
    )
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("set p = 1", "J207"),
        ("set id = 1", "J207"),
        ("set f = 1", "J207"),
        ("set y = f + 1", None),
        ("set attempts = 0", None),
        ('set attempts = "0"', "J201"),
        ("increment attempts", None),
        ("increment y", None),
        ("increment p", "J207"),
        ("increment t", "J211"),
        ("increment o", "J202"),
        ('fail "no"', None),
        ("fail 5", "J201"),
    ],
)
def test_a_statement_writes_vars_and_attempts_alone(statement: str, code: str | None) -> None:
    text = (
        'module m\nmachine m(p: int) {\nvar y: int = 0\nvar t: text = ""\nvar o: int?\nunique (y, t, o)\n'
        f"initial state s {{ on GO(f: int) -> done {{ {statement} }} }}\nfinal state done\n}}\n"
    )
    assert codes(text) == ([code] if code else [])


def test_increment_is_an_assignment_of_one_more() -> None:
    text = (
        "module m\nmachine m { var n: numeric = 0\ninitial state s { on GO -> done { increment n } } final state done }"
    )
    statement = state(text, "s").on[0].body[0]
    numeric = ir.Type("numeric")
    assert statement == ir.Set("n", ir.Binary("+", ir.Ref("var", "n", numeric), ir.Literal("1", numeric), numeric))


def spawning(arguments: str) -> str:
    clause = f"on GO -> done {{ spawn c({arguments}) }}"
    return (
        "module m\nenum tier { free, pro }\n"
        f"machine m(p: int, o: text?) {{ initial state s {{ {clause} }} final state done }}\n"
        "machine c(a: int, t: tier = free, x: text?, n: numeric = 1) {\n"
        "initial state s { on GO -> done } final state done }"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("1", [("a", 1)]),
        ("a: 1, t: pro", [("a", 1), ("t", "pro")]),
        ("t: pro, a: 1", [("a", 1), ("t", "pro")]),
        ('1, pro, "x", 2', [("a", 1), ("t", "pro"), ("x", "x"), ("n", "2")]),
    ],
)
def test_a_spawn_has_one_argument_a_param_given_in_the_order_of_the_params(
    arguments: str, expected: list[tuple[str, object]]
) -> None:
    statement = state(spawning(arguments), "s").on[0].body[0]
    assert isinstance(statement, ir.Spawn)
    assert [(name, value.value) for name, value in statement.arguments if isinstance(value, ir.Literal)] == expected


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("", "J203"),
        ("t: pro", "J203"),
        ('"1"', "J201"),
        ("1, gold", "J104"),
        ("1, pro, o", None),
        ("1, b: 2", "J206"),
        ("1, a: 2", "J205"),
        ("1, pro, o, 1, 5", "J204"),
    ],
)
def test_the_arguments_of_a_spawn_fit_its_params(arguments: str, code: str | None) -> None:
    assert codes(spawning(arguments)) == ([code] if code else [])


# ---------------------------------------------------------------- payloads


@pytest.mark.parametrize(
    ("top", "clauses", "expected"),
    [
        ("event E(a: int)", "on E when a > 0 -> done on E -> s", []),
        ("event E(a: int)", "on E(a: int) -> done", []),
        ("event E(a: int)", "on E(a: text) -> done", ["J210"]),
        ("event E(a: int)", "on E(b: int) -> done", ["J210"]),
        ("event E(a: int)", "on E() -> done", ["J210"]),
        ("", "on E(a: int) when a > 0 -> done on E -> s", []),
        ("", "on E when a > 0 -> done on E(a: int) -> s", []),
        ("", "on E(a: int) when a > 0 -> done on E(a: bigint) -> s", ["J210"]),
        ("", "on E -> done on ERROR(type: text, message: text, traceback: text) -> s", []),
        ("", 'on E -> done on ERROR when type == "transition" -> s', []),
        ("", "on E -> done on ERROR(type: text) -> s", ["J210"]),
        ("event E(a: int = 5)", "on E -> done", []),
        ("event E(a: int = 5)", "on E(a: int) -> done", []),
        ("event E(a: int = 5)", "on E(a: int = 5) -> done", []),
        ("event E(a: int = 5)", "on E(a: int = 6) -> done", ["J210"]),
        ("event E(a: int)", "on E(a: int = 5) -> done", ["J210"]),
        ("event E(a: int)", "on E(a: int = b) -> done", ["J106"]),
        ('event E(a: int = "x")', "on E -> done", ["J201"]),
        ("event E(a: int, b: int = a)", "on E -> done", ["J106"]),
        ("event E(a: timestamptz = now() + 1h)", "on E when a > now() -> done on E -> done", []),
        ("", "on E(a: int = id as int) -> done", ["J106"]),
        ("", "on E(a: int = 1) when a > 1 -> done on E -> s", []),
        ("", "on E(a: int = 1) when a > 1 -> done on E(a: int) -> s", []),
        ("", "on E(a: int) when a > 1 -> done on E(a: int = 1) -> s", ["J210"]),
    ],
)
def test_an_event_has_one_payload_a_machine(top: str, clauses: str, expected: list[str]) -> None:
    text = f"module m\n{top}\nmachine m {{ initial state s {{ {clauses} }} final state done }}"
    assert codes(text) == expected


def test_success_is_typed_a_state() -> None:
    text = (
        'module m\nmachine m {\nvar x: int = 0\nvar y: text = ""\n'
        "initial state a { on LOCKED_BY_WORKER -> b }\n"
        'state b { run "m:f" on SUCCESS(x: int) -> c { set x = event.x } on ERROR -> done }\n'
        "state c { on LOCKED_BY_WORKER -> d }\n"
        'state d { run "m:g" on SUCCESS(y: text) -> done { set y = event.y } on ERROR -> done }\n'
        "final state done\n}\n"
    )
    found = {(each.event, each.state): [field.name for field in each.fields] for each in machine(text).signatures}
    assert found == {
        ("LOCKED_BY_WORKER", "a"): [],
        ("SUCCESS", "b"): ["x"],
        ("ERROR", "b"): ["type", "message", "traceback"],
        ("LOCKED_BY_WORKER", "c"): [],
        ("SUCCESS", "d"): ["y"],
        ("ERROR", "d"): ["type", "message", "traceback"],
    }


def test_an_inner_state_cannot_give_success_another_payload_than_the_state_around_it() -> None:
    text = (
        "module m\nmachine m {\ninitial state s {\non SUCCESS(x: int) -> done\non ERROR -> done\n"
        "initial state a { on LOCKED_BY_WORKER -> b }\n"
        'state b { run "m:f" on SUCCESS(x: TYPE) when x == x -> done }\n}\nfinal state done\n}\n'
    )
    assert codes(text.replace("TYPE", "text")) == ["J210"]
    assert codes(text.replace("TYPE", "int")) == []


def test_a_machine_wide_lifecycle_clause_gives_each_leaf_that_meets_it_a_signature() -> None:
    text = (
        "module m\nmachine m {\non ERROR -> done\ninitial state a { on LOCKED_BY_WORKER -> b }\n"
        'state b { run "m:f" on SUCCESS -> done }\nfinal state done\n}\n'
    )
    found = {each.state for each in machine(text).signatures if each.event == "ERROR"}
    assert found == {"a", "b"}


def test_findings_of_one_expression_do_not_repeat() -> None:
    assert findings(guarding("nope + 1 > t ++ 5 and ok")) == [
        "J106 5 'nope' unknown name `nope`",
        "J211 5 't ++ 5' `++` does not take `text` and `int`",
    ]


def test_the_page_of_types_lists_every_function_with_its_params_and_what_it_is() -> None:
    page = (Path(__file__).parents[1] / "docs" / "types.md").read_text(encoding="utf-8")
    for function in FUNCTIONS.values():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{function.name}(")]
        assert all(param.name in line for param in function.params)
        assert line.endswith(f"| {function.doc} |")
