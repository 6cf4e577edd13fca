"""Names: what they stand for, once each, and what becomes of them in Postgres."""

from __future__ import annotations

import pytest
from checking import codes, compiled, finding, findings, machine, program, state

from jetpackc.check import compile_sources
from jetpackc.ir import model as ir
from jetpackc.source import Source

INT = ir.Type("int")


def order(members: str, params: str = "total: int", top: str = "") -> str:
    return f"module shop\n{top}\nmachine order({params}) {{\n{members}\nfinal state done\n}}\n"


# ---------------------------------------------------------------- modules


def test_a_file_without_a_module_line_is_of_the_module_of_its_own_name() -> None:
    text = "machine order { initial state cart { on PAID -> done } final state done }"
    result = compile_sources([Source("flows/shop.jet", text)])
    assert result.program is not None
    assert [module.name for module in result.program.modules] == ["shop"]


def test_a_file_name_that_is_no_name_needs_a_module_line() -> None:
    text = "machine order { initial state cart { on PAID -> done } final state done }"
    (found,) = compiled(text, "My-Shop.jet").diagnostics
    assert found.rule.code == "J014"
    assert found.help == "begin the file with a line such as `module my_shop`"
    assert compiled(f"module my_shop\n{text}", "My-Shop.jet").diagnostics == ()


def test_files_of_one_module_merge_and_modules_are_sorted() -> None:
    def machine_text(module: str, name: str, body: str = "") -> str:
        state = f"initial state cart {{ on PAID -> done {{ {body} }} }}"
        return f"module {module}\nmachine {name} {{ {state} final state done }}"

    sources = [
        Source("c.jet", machine_text("shop", "order", "spawn parcel()")),
        Source("b.jet", machine_text("post", "letter")),
        Source("a.jet", machine_text("shop", "parcel")),
    ]
    result = compile_sources(sources)
    assert result.program is not None
    found = {module.name: [machine.name for machine in module.machines] for module in result.program.modules}
    assert found == {"post": ["letter"], "shop": ["order", "parcel"]}
    assert list(found) == ["post", "shop"]


@pytest.mark.parametrize("name", ["jet", "public", "pg_temp", "information_schema"])
def test_a_module_cannot_take_a_schema_that_is_there_already(name: str) -> None:
    text = f"module {name}\nmachine order {{ initial state cart {{ on PAID -> done }} final state done }}"
    assert codes(text) == ["J121"]


# ---------------------------------------------------------------- what a bare name stands for


def guard(text: str) -> ir.Expr | None:
    source = order(f"var v: int = 0\ninitial state cart {{ on GO(e: int, v: int) when {text} -> done }}")
    return state(source, "cart").on[0].guard


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("e", "event"),
        ("v", "event"),
        ("event.v", "event"),
        ("var.v", "var"),
        ("total", "param"),
        ("param.total", "param"),
        ("attempts", "builtin"),
    ],
)
def test_a_bare_name_is_the_nearest_and_a_prefix_says_which(name: str, scope: str) -> None:
    found = guard(f"{name} > 5")
    assert isinstance(found, ir.Binary)
    assert isinstance(found.left, ir.Ref)
    assert (found.left.scope, found.left.name) == (scope, name.rpartition(".")[2])


def test_an_enum_value_stands_bare_where_its_enum_is_expected() -> None:
    text = order(
        "initial state cart { on GO when t == pro or free == t or t in (free, pro) -> done { spawn order(1) } }",
        "total: int, t: tier = pro",
        "enum tier { free, pro, team }",
    )
    found = machine(text)
    assert found.params[1].default == ir.Literal("pro", ir.Type("enum", "tier"))
    assert compiled(text).diagnostics == ()


def test_a_param_of_the_same_name_wins_over_an_enum_value_and_the_enum_says_which() -> None:
    text = "initial state cart {{ on GO when t == {} -> done }}"
    top = "enum tier { free, pro }"
    bare = state(order(text.format("pro"), "t: tier, pro: tier", top), "cart").on[0].guard
    assert isinstance(bare, ir.Binary)
    assert isinstance(bare.right, ir.Ref)
    named = state(order(text.format("tier.pro"), "t: tier, pro: tier", top), "cart").on[0].guard
    assert isinstance(named, ir.Binary)
    assert named.right == ir.Literal("pro", ir.Type("enum", "tier"))


def test_a_state_in_a_guard_means_all_its_leaves() -> None:
    found = guard("state == cart or state in (cart, done)")
    assert isinstance(found, ir.Binary)
    assert isinstance(found.right, ir.In)
    assert [option.value for option in found.right.options if isinstance(option, ir.Literal)] == ["cart", "done"]
    assert codes(order("initial state cart { on GO when state == crt -> done }")) == ["J101"]


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("on GO when totl > 0 -> done", ["J106 5 'totl' unknown name `totl`"]),
        ("on GO when param.x > 0 -> done", ["J106 5 'x' unknown param `x`"]),
        ("on GO when var.x > 0 -> done", ["J106 5 'x' unknown var `x`"]),
        ("on GO(a: int) when event.b > 0 -> done", ["J111 5 'b' unknown field `b`"]),
        ("on GO -> dne", ["J101 5 'dne' unknown state `dne`"]),
        ("on GO -> done { set x = 1 }", ["J110 5 'x' unknown var `x`"]),
        ("on GO -> done { spawn ordr(total: 1) }", ["J103 5 'ordr' unknown machine `ordr`"]),
        ("on GO when nwo() > now() -> done", ["J107 5 'nwo' unknown function `nwo`"]),
        ("on GO(x: txt) -> done", ["J105 5 'txt' unknown type `txt`"]),
        ("on GO when total == tier.fre -> done", ["J106 5 'tier' unknown name `tier`"]),
        ("on GO -> done ignore GOO", ["J102 5 'GOO' unknown event `GOO`"]),
    ],
)
def test_an_unknown_name_is_reported_once_where_it_stands(clauses: str, expected: list[str]) -> None:
    text = order(f"initial state cart {{\n{clauses}\n}}")
    assert findings(text) == expected


def test_an_unknown_name_has_the_nearest_one_as_its_fix() -> None:
    (found,) = compiled(order("initial state cart { on GO when totl > 0 -> done }")).diagnostics
    assert found.label == "did you mean `total`?"
    assert [fix.replacement for fix in found.fixes] == ["total"]


def test_an_unknown_thing_silences_what_follows_from_it() -> None:
    text = order("var x: txt = 5\ninitial state cart { on GO(y: nope) when y + x > total ++ x -> done { set x = y } }")
    assert codes(text) == ["J105", "J105"]


def test_a_misspelled_target_does_not_make_its_state_unreachable() -> None:
    assert codes(order("initial state cart { on GO -> packd }\nstate packed { on SENT -> done }")) == ["J101"]


def test_an_event_is_not_known_in_enter_and_exit() -> None:
    clause = "initial state cart { on GO(amount: int) -> paid }"
    enter = order(f"{clause}\nstate paid {{ on SENT -> done enter when amount > 0 -> done }}")
    assert finding(enter, "J106") == (
        "unknown name `amount` | no such name | "
        "it is a field of `GO`, and visible in a clause of `on GO` only; keep it in a var"
    )
    exit_ = order("var x: int = 0\ninitial state cart { on GO(amount: int) -> done exit { set x = event.amount } }")
    assert codes(exit_) == ["J113"]
    assert (
        codes(order("var x: int = 0\ninitial state cart { on GO(amount: int) -> done { set x = event.amount } }")) == []
    )


def test_several_events_of_one_clause_share_their_equal_fields() -> None:
    top = "event A(x: int, y: int)\nevent B(x: int, y: text)"
    assert codes(order("initial state cart { on A, B when x > 0 -> done on A, B -> cart }", top=top)) == []
    assert codes(order("initial state cart { on A, B when y > 0 -> done on A, B -> cart }", top=top)) == ["J106"]


# ---------------------------------------------------------------- declared once, and none that is taken


@pytest.mark.parametrize(
    ("text", "near_miss"),
    [
        ("enum tier { free, free }", "enum tier { free, pro }"),
        ("enum tier { free }\nenum tier { pro }", "enum tier { free }\nenum level { free }"),
        ("event PAID(a: int, a: int)", "event PAID(a: int, b: int)"),
        ("event PAID\nevent PAID", "event PAID\nevent LATE"),
    ],
)
def test_a_name_is_declared_once_in_its_module(text: str, near_miss: str) -> None:
    rest = "initial state cart { on PAID, LATE -> done }"
    assert set(codes(order(rest, top=text))) - {"J381"} == {"J120"}
    assert codes(order(rest, top=near_miss)) == []


@pytest.mark.parametrize(
    ("members", "params"),
    [
        ("var a: int = 0\nvar a: int = 0\ninitial state cart { on PAID -> done { set a = 1 } }", "total: int"),
        ("var total: int = 0\ninitial state cart { on PAID -> done { set total = 1 } }", "total: int"),
        ("initial state cart { on PAID -> done }", "total: int, total: text"),
        ("initial state cart { on PAID -> done }\nfinal state done", "total: int"),
        ("initial state cart { on PAID(a: int, a: int) -> done }", "total: int"),
        ("unique (total, total)\ninitial state cart { on PAID -> done }", "total: int"),
    ],
)
def test_a_name_is_declared_once_in_its_machine(members: str, params: str) -> None:
    (found,) = compiled(order(members, params)).diagnostics
    assert found.rule.code == "J120"
    assert [label.text for label in found.secondary] == ["first declared here"]


def test_nested_states_share_the_names_of_the_machine() -> None:
    text = order("initial state a { initial state b { on GO -> done } }\nstate c { initial state b { on GO -> done } }")
    assert codes(text) == ["J120"]


@pytest.mark.parametrize(
    "name", ["id", "state", "attempts", "depth", "parent", "root", "created_at", "entered_at", "run_at", "now"]
)
def test_a_built_in_name_is_no_param_and_no_var(name: str) -> None:
    rest = "initial state cart { on GO -> done }"
    assert codes(order(rest, f"{name}: int")) == ["J121"]
    assert "J121" in codes(order(f"var {name}: int = 0\n{rest}"))
    assert codes(order("initial state cart { on GO(" + name + ": int) -> done }")) == []


def test_an_enum_takes_no_name_of_a_built_in_type() -> None:
    assert codes(order("initial state cart { on GO -> done }", top="enum text { a }")) == ["J121"]


def test_reserved_words_of_sql_are_good_names() -> None:
    text = (
        "module select\nmachine table(user: int, from: text) { initial state where { on GO -> end } final state end }"
    )
    assert codes(text) == []


# ---------------------------------------------------------------- names in Postgres


def test_a_name_that_postgres_would_cut_is_refused() -> None:
    rest = "{ initial state cart { on GO -> done } final state done }"
    assert codes(f"module m\nmachine {'a' * 49} {rest}") == []
    assert codes(f"module m\nmachine {'a' * 50} {rest}") == ["J122"]
    assert codes(f"module m\nmachine a({'p' * 63}: int) {rest}") == []
    assert codes(f"module m\nmachine a({'p' * 64}: int) {rest}") == ["J122"]
    assert codes(f"module {'m' * 64}\nmachine a {rest}") == ["J122"]


def test_an_event_has_room_behind_the_name_of_its_machine() -> None:
    def sending(event: str) -> str:
        return f"module m\nmachine {'a' * 40} {{ initial state cart {{ on {event} -> done }} final state done }}"

    assert codes(sending("E" * 17)) == []
    assert codes(sending("E" * 18)) == ["J122"]


def test_objects_that_would_meet_under_one_name_are_reported() -> None:
    def machines(*names: str, event: str = "GO", top: str = "") -> str:
        body = f"{{ initial state cart {{ on {event} -> done }} final state done }}"
        return "module m\n" + top + "\n".join(f"machine {name} {body}" for name in names)

    assert codes(machines("order", "order_history")) == ["J123"]
    assert codes(machines("order", "order_histories")) == []
    assert codes(machines("order", top="enum order { a }\n")) == ["J123"]
    assert codes(machines("order", "order_send", event="CREATE")) == ["J123"]
    assert codes(machines("order", "order_sent", event="CREATE")) == []


def test_a_program_keeps_the_docs_of_what_it_declares() -> None:
    text = (
        "/// The shop.\nmodule shop\n/// Who pays.\nenum tier { free }\n/// Money came.\nevent PAID\n"
        "/// An order.\nmachine order(t: tier) {\n/// How often.\nvar n: int = 0\n/// Open.\n"
        "initial state cart { on PAID -> done { increment n } }\nfinal state done }"
    )
    module = program(text).modules[0]
    order_ = module.machines[0]
    found = [
        module.doc,
        module.enums[0].doc,
        module.events[0].doc,
        order_.doc,
        order_.vars[0].doc,
        order_.states[0].doc,
    ]
    assert found == ["The shop.", "Who pays.", "Money came.", "An order.", "How often.", "Open."]


@pytest.mark.parametrize(("count", "found"), [(91, []), (92, ["J124"])])
def test_a_machine_has_no_more_params_than_a_function_of_postgres_takes(count: int, found: list[str]) -> None:
    params = ", ".join(f"p{number}: int" for number in range(count))
    assert codes(f"machine m({params}) {{ initial state a {{ on GO -> b }} final state b }}") == found


@pytest.mark.parametrize(("count", "found"), [(98, []), (99, ["J124"])])
@pytest.mark.parametrize("declared", [True, False])
def test_an_event_has_no_more_fields_than_a_function_of_postgres_takes(
    count: int, found: list[str], declared: bool
) -> None:
    fields = "(" + ", ".join(f"f{number}: int" for number in range(count)) + ")"
    head, there = (f"event GO{fields}\n", "") if declared else ("", fields)
    assert codes(f"{head}machine m {{ initial state a {{ on GO{there} -> b }} final state b }}") == found
