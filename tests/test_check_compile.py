"""From the text to the IR: every stage speaks, and none of what only follows from another."""

from __future__ import annotations

import pytest
from checking import codes, compiled, findings, machine, program

from jetpackc.check import compile_sources
from jetpackc.ir import canonical, model as ir
from jetpackc.source import Source

SHOP = """\
module shop
enum tier { free, pro }
event PAID(amount: numeric)
machine order(t: tier) {
  initial state cart { on PAID when amount > 0 and t == free -> done { spawn audit(what: "paid") } }
  final state done
}
machine audit(what: text) {
  initial state open { on CLOSE -> done }
  final state done
}
"""


def test_a_clean_program_has_no_findings() -> None:
    assert compiled(SHOP).diagnostics == ()


@pytest.mark.parametrize(
    "line",
    ["enum tier { free, pro }", "event PAID(amount: numeric)", "machine audit(what: text) {"],
)
def test_a_declaration_that_does_not_parse_is_not_held_against_its_users(line: str) -> None:
    broken = SHOP.replace(line, line.replace("{", "{ -> ", 1) if "{" in line else f"{line} )")
    assert broken != SHOP
    found = codes(broken)
    assert len(found) == 1
    assert found[0].startswith("J00")
    assert compiled(broken).program is None


def test_what_parses_is_checked_beside_what_does_not() -> None:
    text = SHOP.replace("initial state open", "initial stat open").replace("t == free", "t == fre")
    assert [each[:4] for each in findings(text)] == ["J104", "J001"]


def test_sources_are_known_by_their_paths() -> None:
    result = compile_sources(
        [
            Source("b.jet", "module m\nmachine a { initial state s { on GO -> x } }"),
            Source("a.jet", "module m\nmachine b { initial state s { on GO -> y } }"),
        ]
    )
    assert [(found.span.path, found.rule.code) for found in result.diagnostics if found.span] == [
        ("a.jet", "J101"),
        ("b.jet", "J101"),
    ]


def test_no_sources_and_empty_ones_make_an_empty_program() -> None:
    assert compile_sources([]).program == ir.Program(())
    assert compile_sources([Source("a.jet", "// nothing\n")]).program == ir.Program(())


def test_the_same_text_gives_the_same_bytes_and_they_give_the_program_back() -> None:
    text = canonical.dumps(program(SHOP))
    assert text == canonical.dumps(program(SHOP))
    assert canonical.loads(text) == program(SHOP)


def test_spans_point_at_the_line_of_each_node() -> None:
    found = machine(SHOP)
    assert (found.span.line, found.states[0].span.line, found.states[0].on[0].span.line) == (4, 5, 5)


def test_the_seeds_machine_by_hand_rests_with_a_warning_where_its_guard_is_false() -> None:
    text = (
        "machine my_task {\n  var iterations: int = 0\n  initial state pending { on LOCKED_BY_WORKER -> running }\n"
        '  state running {\n    run "my_handlers:do_work"\n    enter { set iterations = iterations + 1 }\n'
        "    on ERROR -> failed    on SUCCESS -> done    on IDLE -> idle\n  }\n"
        "  state failed, idle {\n    enter when iterations <= 5 -> pending\n  }\n  final state done\n}\n"
    )
    result = compiled(text)
    assert [found.rule.code for found in result.diagnostics] == ["J380", "J380"]
    assert result.program is not None
    assert [state.name for state in machine(text).states] == ["pending", "running", "failed", "idle", "done"]


TASK = """\
module m
machine mail(to: text) is task(max_attempts: 3) {
  state running { run "m:f" }
}
"""


def test_a_machine_of_the_prelude_compiles_clean() -> None:
    found = machine(TASK)
    assert compiled(TASK).diagnostics == ()
    assert [state.name for state in found.states] == ["ready", "running", "failed", "done", "abandoned"]
    assert {each.event for each in found.signatures if not each.state} == {"SNOOZE", "RERUN_TASK", "RETRY_TASK"}


def test_what_a_machine_lacks_that_its_template_needs_is_said_of_the_machine() -> None:
    (found,) = compiled(TASK.replace('run "m:f"', "")).diagnostics
    assert found.rule.code == "J308"
    assert found.span is not None
    assert (found.span.path, found.span.line) == ("workflows.jet", 2)
    assert found.secondary


def test_a_fault_of_a_template_is_said_once_however_many_machines_use_it() -> None:
    text = (
        "module m\ntemplate t { initial state s { on GO -> done { set nope = 1 } } final state done }\n"
        "machine a is t\nmachine b is t\n"
    )
    assert codes(text) == ["J110"]


def test_a_fault_of_an_operator_is_said_once_however_often_it_is_used() -> None:
    text = (
        "module m\noperator o(n: int) { when n > nope -> done else -> done }\n"
        "machine a { initial state s { on GO o(1) on X o(2) } final state done }\n"
    )
    assert codes(text) == ["J106"]


def test_a_step_becomes_a_composite_with_two_leaves() -> None:
    text = (
        "module m\nmachine a {\n  var url: text?\n  initial step pay(max_attempts: 3, backoff: 2s..5m) {\n"
        '    run "m:f"\n    timeout 30s\n    on SUCCESS(url: text) -> done { set url = event.url }\n'
        "    on ABANDONED -> bad\n  }\n  failure state bad\n  final state done\n}\n"
    )
    found = machine(text)
    assert compiled(text).diagnostics == ()
    assert [(state.name, state.parent) for state in found.states][:3] == [
        ("pay", None),
        ("pay.ready", "pay"),
        ("pay.running", "pay"),
    ]
    assert found.initial == "pay.ready"
    assert found.states[2].timeout == ir.Literal(30_000, ir.Type("interval"))


@pytest.mark.parametrize(
    "clause",
    [
        "when " + " and ".join(["ok"] * 3000) + " -> done",
        "when " + "not " * 3000 + "ok -> done",
        "{ " + "when ok { " * 3000 + "-> done" + " }" * 3001,
    ],
    ids=["and", "not", "when"],
)
def test_what_nests_too_deeply_is_said_and_does_not_run_out_of_stack(clause: str) -> None:
    text = f"module m\nmachine m(ok: bool) {{ initial state s {{ on GO {clause} }} final state done }}"
    assert codes(text) == ["J001"]


def test_a_hundred_operators_in_a_row_compile() -> None:
    guard = " and ".join(["ok"] * 100)
    text = f"module m\nmachine m(ok: bool) {{ initial state s {{ on GO when {guard} -> done }} final state done }}"
    assert canonical.loads(canonical.dumps(program(text))) == program(text)


def test_a_machine_whose_template_is_unknown_is_known_to_others_by_its_head() -> None:
    text = (
        "module m\nevent GO\nmachine a { initial state s { on STOP -> done { spawn b(x: 1) } } final state done }\n"
        "machine b(x: int) is tsk { state running { on GO -> nowhere } }\n"
    )
    assert codes(text) == ["J109"]


def test_where_the_expansion_went_wrong_flow_is_not_checked_and_elsewhere_it_is() -> None:
    text = (
        "module m\nmachine a { initial state s { on GO nope() } final state done }\n"
        "machine b { initial state s { on GO -> done } state lost { on GO -> done } final state done }\n"
    )
    assert codes(text) == ["J108", "J303"]
