"""What templates, steps and operators become, as the user would read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trees import nodes

from jetpackc.check import compile_sources
from jetpackc.check.expansion import expand
from jetpackc.check.expansion.expand import prelude
from jetpackc.check.report import Report
from jetpackc.ir import canonical
from jetpackc.source import Source
from jetpackc.syntax import ast, parse, print_file

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("examples", "tests") for path in (ROOT / folder).rglob("*.jet"))


def expanded(text: str) -> tuple[ast.File, Report]:
    report = Report()
    file, diagnostics = parse(Source("a.jet", text))
    assert diagnostics == (), text
    (found,) = expand([file], report)
    return found, report


def plain(text: str) -> str:
    """What a text becomes, without findings."""
    file, report = expanded(text)
    assert report.diagnostics == ()
    return print_file(file)


def found(text: str) -> list[str]:
    """The findings: code, the text under the caret, message, labels elsewhere."""
    _, report = expanded(text)
    return [
        f"{each.rule.code} {text[each.span.start : each.span.end]!r} {each.message}"
        + "".join(f" [{text[label.span.start : label.span.end]}: {label.text}]" for label in each.secondary)
        for each in report.diagnostics
        if each.span is not None
    ]


def block(call: str, operators: str) -> str:
    """What stands in a clause in place of a call of an operator."""
    text = plain(f"{operators}\nmachine m {{ state s {{ enter {call} }} }}\n")
    return " ".join(text.split()).removeprefix("machine m { state s { enter ").removesuffix(" } }")


# ---------------------------------------------------------------- operators


def test_an_operator_becomes_its_statements() -> None:
    assert block("again()", "operator again() { set n = 1 -> s }") == "{ set n = 1 -> s }"


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("enter o()", "enter { -> s }"),
        ("enter when a o()", "enter when a { -> s }"),
        ("on GO o()", "on GO { -> s }"),
        ("after 5m o()", "after 5m { -> s }"),
        ("exit { o() }", "exit { -> s }"),
        ("removed state t { o() }", "removed state t -> s"),
        ("enter { when a o() else o() }", "enter { when a -> s else -> s }"),
        ("enter { when a { when b { o() } } }", "enter { when a { when b -> s } }"),
    ],
)
def test_an_operator_stands_wherever_a_block_may(before: str, behind: str) -> None:
    text = plain(f"operator o() {{ -> s }}\nmachine m {{ state s {{ {before} }} }}")
    assert " ".join(text.split()) == f"machine m {{ state s {{ {behind} }} }}"


def test_arguments_stand_in_place_of_params_and_keep_their_meaning() -> None:
    operator = "operator o(a: int, b: int = a * 2, c: int = 7) { set n = a * b - c }"
    assert block("o(x + 1, c: y)", operator) == "{ set n = (x + 1) * ((x + 1) * 2) - y }"
    assert block("o(2, 3)", operator) == "{ set n = 2 * 3 - 7 }"


def test_an_argument_is_not_mistaken_for_a_param_of_the_same_name() -> None:
    both = "operator o(a: int, b: int) { p(b, a) } operator p(a: int, b: int) { set n = a - b }"
    assert block("o(b, a)", both) == "{ set n = a - b }"
    assert block("o(a, b)", both) == "{ set n = b - a }"


def test_only_uses_of_a_param_are_replaced() -> None:
    operator = "operator o(n: int, backoff: interval) { set n = event.n + n -> s in backoff(backoff, n, n: 1) }"
    assert block("o(5, 2s)", operator) == "{ set n = event.n + 5 -> s in backoff(2s, 5, n: 1) }"


def test_an_operator_takes_states_and_hands_them_on() -> None:
    operators = (
        "operator o(n: int, otherwise: state = failed) { when n > 0 -> s else p(otherwise) }\n"
        "operator p(otherwise: state) { -> otherwise }"
    )
    assert block("o(1)", operators) == "{ when 1 > 0 -> s else -> failed }"
    assert block("o(1, otherwise: pay.ready)", operators) == "{ when 1 > 0 -> s else -> pay.ready }"


def test_a_state_is_replaced_in_arrows_only() -> None:
    assert block("o(done)", "operator o(s: state) { set s = 1 -> s }") == "{ set s = 1 -> done }"
    assert block("o(5)", "operator o(s: int) { -> s }") == "{ -> s }"


def test_a_state_is_no_value() -> None:
    text = "operator o(s: state) { set n = s when s == n { p(s) } }\noperator p(s: state) { -> s }"
    assert found(text) == ["J402 's' `s` is a state, and a value is expected here [s: a state]"] * 2


def test_the_type_of_a_param_stays_with_its_argument() -> None:
    file, _ = expanded('operator o(a: int) { set n = a }\nmachine m { state s { enter o("x") } }')
    (ascribed,) = [node for node in nodes(file) if isinstance(node, ast.Ascribed)]
    assert (ascribed.type.name.text, ascribed.param.text, ascribed.owner) == ("int", "a", "operator `o`")
    assert ascribed.span == ascribed.value.span


@pytest.mark.parametrize(
    ("call", "finding"),
    [
        ("o()", "J203 'o()' `o` is missing the argument `a` [o: declared here]"),
        ("o(1, 2, 3)", "J204 '3' too many arguments for `o` [o: declared here]"),
        ("o(1, c: 2)", "J206 'c' unknown argument `c`"),
        ("o(1, a: 2)", "J205 'a: 2' `a` is given twice [1: first given here]"),
        ("o(b: s, 1)", "J217 '1' an unnamed argument behind a named one"),
        ("o(1..2)", "J405 '1..2' a range where one value is expected"),
        ("o(1, 2)", "J402 '2' `b` of operator `o` is a state [b: takes a state]"),
        ("oo(1)", "J108 'oo' unknown operator `oo`"),
    ],
)
def test_arguments_that_do_not_match_are_said_at_the_call(call: str, finding: str) -> None:
    text = f"operator o(a: int, b: state = s) {{ set n = a -> b }}\nmachine m {{ state s {{ enter {call} }} }}"
    assert finding in found(text)


def test_operators_that_contain_each_other_are_refused() -> None:
    text = "operator a() { b() } operator b() { when x { a() } }\nmachine m { state s { enter a() } }"
    (line,) = found(text)
    assert line == "J401 'a' operator `a` contains itself"


def test_two_declarations_of_one_name_are_refused() -> None:
    assert found("operator o() {}\noperator o() {}") == [
        "J120 'o' operator `o` is declared twice [o: first declared here]"
    ]
    assert found("template t {}\ntemplate t {}") == ["J120 't' template `t` is declared twice [t: first declared here]"]
    assert found("operator o(a: int, a: int) {}") == ["J120 'a' param `a` is declared twice [a: first declared here]"]


BOMBS = {
    "calls": "".join(f"operator o{i}() {{ o{i + 1}() o{i + 1}() }}\n" for i in range(40)) + "operator o40() {}",
    "path": "".join(f"operator o{i}() {{ o{i + 1}() }}\n" for i in range(400)) + "operator o400() {}",
    "values": "".join(f"operator o{i}(x: int = n) {{ o{i + 1}(x + x) }}\n" for i in range(28))
    + "operator o28(x: int) { set n = x }",
    "levels": "".join(f"operator o{i}() {{ {'when n { ' * 20} o{i + 1}() {'}' * 20} }}\n" for i in range(9))
    + "operator o9() {}",
    "width": "operator o0() { " + "o1() " * 500 + "} operator o1() { " + "set n = 1 " * 50 + "}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_expands_to_too_much_is_refused(name: str) -> None:
    (line,) = found(f"{BOMBS[name]}\nmachine m {{ state s {{ enter o0() }} }}")
    assert line.startswith("J401 'o0()' operator `o0` ")


# ---------------------------------------------------------------- templates

BASE = """\
template base(n: int = 2) {
  var seen: bool = false
  on STOP -> ended
  initial state ready { on GO -> ended enter { set seen = true } }
  state busy { run "a:b" timeout 5s on GO when 1 < n -> ready on ERROR, HALT -> ended
    enter -> ready exit { set x = 2 } }
  final state ended
}
"""


def test_a_machine_without_a_body_is_its_template() -> None:
    text = plain("template t(n: int) { initial state a { on GO when n > 1 -> a } }\nmachine m is t(3)")
    assert text == "machine m { initial state a { on GO when 3 > 1 -> a } }\n"


def test_a_machine_comes_before_its_template() -> None:
    text = plain(
        f"{BASE}machine m is base {{\n"
        "  var own: int = 1\n  on STOP when own > 1 -> busy\n"
        "  state busy { on GO -> extra on HALT -> extra enter when own > 0 -> extra exit { set x = 1 } }\n"
        "  state extra { on GO -> ended }\n}"
    )
    assert (
        text
        == """\
machine m {
  var own: int = 1
  on STOP when own > 1 -> busy
  var seen: bool = false
  on STOP -> ended

  initial state ready {
    on GO -> ended
    enter { set seen = true }
  }

  state busy {
    on GO   -> extra
    on HALT -> extra
    enter when own > 0 -> extra
    exit               { set x = 1 }
    run "a:b"
    timeout 5s
    on ERROR -> ended
    enter -> ready
    exit  { set x = 2 }
  }

  final state ended
  state extra { on GO -> ended }
}
"""
    )


def test_run_and_timeout_of_a_machine_replace_those_of_its_template() -> None:
    text = plain(f'{BASE}machine m is base {{ state busy {{ run "c:d" }} }}')
    assert 'run "c:d"' in text
    assert 'run "a:b"' not in text
    assert "timeout 5s" in text


def test_an_enter_that_always_moves_leaves_the_templates_nothing_to_do() -> None:
    assert "enter -> ready" not in plain(f"{BASE}machine m is base {{ state busy {{ enter -> ended }} }}")
    assert "enter -> ready" in plain(f"{BASE}machine m is base {{ state busy {{ enter {{ set x = 1 }} }} }}")


def test_extending_a_final_state_keeps_it_final() -> None:
    assert "final state ended { enter { set x = 1 } }" in plain(
        f"{BASE}machine m is base {{ state ended {{ enter {{ set x = 1 }} }} }}"
    )
    assert "final state ended" in plain(f"{BASE}machine m is base {{ final state ended }}")


def test_another_kind_than_the_templates_is_refused() -> None:
    (line,) = found(f"{BASE}machine m is base {{ failure state ended }}")
    message = "the template makes `ended` a final state, the machine a failure state"
    assert line == f"J403 'ended' {message} [ended: from this template]"
    (line,) = found(f"{BASE}machine m is base {{ initial state busy }}")
    assert "a plain state, the machine an initial state" in line


def test_states_that_share_a_body_are_extended_each_by_itself() -> None:
    text = plain("template t { state a, b { on GO -> b } }\nmachine m is t { state b, c { on STOP -> a } }")
    assert " ".join(text.split()) == (
        "machine m { state a { on GO -> b } state b { on STOP -> a on GO -> b } state c { on STOP -> a } }"
    )


def test_states_inside_states_are_merged_too() -> None:
    template = "template t { state a { initial state b { on GO -> c } state c } }"
    text = plain(f"{template}\nmachine m is t {{ state a {{ state c {{ on STOP -> b }} state d }} }}")
    assert " ".join(text.split()) == (
        "machine m { state a { initial state b { on GO -> c } state c { on STOP -> b } state d } }"
    )


@pytest.mark.parametrize(
    ("base", "finding"),
    [
        ("bass", "J109 'bass' unknown template `bass`"),
        ("base(m: 1)", "J206 'm' unknown argument `m`"),
        ("base(1, 2)", "J204 '2' too many arguments for `base` [base: declared here]"),
    ],
)
def test_a_template_that_does_not_fit_is_said_at_the_machine(base: str, finding: str) -> None:
    assert found(f"{BASE}machine m is {base} {{ state busy {{ on GO -> ready }} }}") == [finding]


def test_a_template_may_use_operators_and_steps() -> None:
    text = plain(
        "operator o(n: int) { when attempts < n -> s }\n"
        'template t(n: int) { step s(max_attempts: n) { run "a:b" on ABANDONED o(n) } }\nmachine m is t(4)'
    )
    assert "on ABANDONED { when attempts < 4 -> s }" in text
    assert "on ERROR when attempts < 4 -> s.ready" in text


# ---------------------------------------------------------------- the prelude


def test_the_prelude_has_the_seeds_task_machine() -> None:
    """The language page's, in every word but its docs."""
    page = parse(Source("a.jet", (ROOT / "tests/language/task.jet").read_text(encoding="utf-8")))[0]
    (shipped,) = [item for item in prelude().items if isinstance(item, ast.Template)]
    (shown,) = page.items
    assert print_file(ast.File("", (shipped,))).split("\n", 1)[1] == print_file(ast.File("", (shown,)))


def test_what_comes_from_the_prelude_stands_where_it_is_used() -> None:
    text = "machine m is task(max_attempts: 3) { state running { enter retry(2) } }"
    file, _ = expanded(text)
    paths = {(node.span.path, node.span.end <= len(text)) for node in nodes(file) if hasattr(node, "span")}
    assert paths == {("a.jet", True)}


def test_a_users_definition_wins_over_the_preludes() -> None:
    assert plain("template task { initial state a }\nmachine m is task") == "machine m { initial state a }\n"
    assert block("retry(5)", "operator retry(max: int) { when attempts <= max -> s }") == "{ when attempts <= 5 -> s }"


def test_the_preludes_retry_waits_longer_each_time_and_gives_up() -> None:
    expected = "{ when attempts < 5 -> ready in backoff(2s, attempts, cap: 1h) else -> abandoned }"
    assert block("retry(5)", "") == expected
    other = "{ when attempts < 5 -> a in backoff(1s, attempts, cap: 1m) else -> b }"
    assert block("retry(5, again: a, otherwise: b, base: 1s, cap: 1m)", "") == other


# ---------------------------------------------------------------- steps


def step(head: str, body: str = "on ABANDONED -> s") -> str:
    text = plain(f'machine m {{ {head} {{ run "a:b" {body} }} }}')
    return " ".join(text.removeprefix("machine m {").removesuffix("}\n").split())


def test_a_step_is_a_composite_of_a_leaf_that_waits_and_a_leaf_that_runs() -> None:
    assert (
        plain(
            'machine m {\n  /// Pays.\n  initial step pay(max_attempts: 5, backoff: 2s..5m) was buy {\n    run "a:b"\n'
            "    timeout 30s\n    enter { set x = 1 }\n    on SUCCESS -> done\n    on CANCEL -> done\n"
            "    after 1h -> done\n    on ABANDONED -> done\n  }\n}"
        )
        == """\
machine m {
  /// Pays.
  initial state pay was buy {
    enter { set attempts = 0 }
    enter { set x = 1 }
    on CANCEL    -> done
    after 1h     -> done
    on ABANDONED -> done
    initial state pay.ready { on LOCKED_BY_WORKER -> pay.running { increment attempts } }
    state pay.running {
      run "a:b"
      timeout 30s
      on SUCCESS                 -> done
      on ERROR when attempts < 5 -> pay.ready in backoff(2s, attempts, cap: 5m)
      on ERROR                   { raise ABANDONED }
      on RELEASED                -> pay.ready          { set attempts = attempts - 1 }
      on SNOOZE(delay: interval) -> pay.ready in delay { set attempts = attempts - 1 }
    }
  }
}
"""
    )


def test_a_step_tries_once_and_waits_for_nothing_unless_told() -> None:
    assert "on ERROR when attempts < 1 -> s.ready on ERROR { raise ABANDONED }" in step("step s")


def test_one_backoff_is_doubled_up_to_an_hour() -> None:
    assert "-> s.ready in backoff(2s, attempts, cap: 1h)" in step("step s(backoff: 2s)")
    assert "attempts < 3 -> s.ready in backoff(2s, attempts, cap: 4s)" in step("step s(3, 2s..4s)")


def test_the_users_clauses_on_outcomes_come_before_the_steps_own() -> None:
    text = step("step s(max_attempts: 3)", "on ERROR when x -> t on ABANDONED -> t on SNOOZE(delay: interval) -> t")
    assert "on ERROR when x -> t on SNOOZE(delay: interval) -> t on ERROR when attempts < 3" in text
    assert "in delay" not in text
    assert "raise" not in step("step s", "on ERROR -> t")


def test_a_clause_on_an_outcome_and_another_event_is_split() -> None:
    text = step("step s", "on ERROR, CANCEL -> t")
    assert text.index("on CANCEL -> t") < text.index("state s.ready")
    assert text.index("on ERROR -> t") > text.index("state s.running")


def test_two_steps_do_not_meet() -> None:
    text = 'machine m { initial step a { run "x:y" on ABANDONED -> b } step b { run "x:y" on ABANDONED -> a } }'
    names = [node.names[0].text for node in nodes(expanded(text)[0]) if isinstance(node, ast.State)]
    assert names == ["a", "a.ready", "a.running", "b", "b.ready", "b.running"]


def test_steps_inside_states_are_steps_too() -> None:
    text = plain('machine m { state outer { initial step a { run "x:y" on ABANDONED -> b } state b } }')
    assert "initial state a.ready" in text
    assert "step" not in text


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("step s { on ABANDONED -> s }", "J404 's' step `s` does not say what to run"),
        ('step s(max: 2) { run "a:b" }', "J206 'max' unknown argument `max`"),
        ('step s(max_attempts: 1..2) { run "a:b" }', "J405 'max_attempts: 1..2' a range where one value is expected"),
    ],
)
def test_a_step_that_is_wrong_is_said(text: str, finding: str) -> None:
    assert found(f"machine m {{ {text} }}") == [finding]


# ---------------------------------------------------------------- all of it


def left(file: ast.File) -> list[Any]:
    """What an expanded file may not hold."""
    sugar = ast.Template | ast.Operator | ast.Step | ast.Apply
    found = [node for node in nodes(file) if isinstance(node, sugar)]
    found += [node for node in nodes(file) if isinstance(node, ast.Machine) and node.template is not None]
    return found + [node for node in nodes(file) if isinstance(node, ast.State) and len(node.names) > 1]


def expands(path: Path) -> bool:
    """Whether a file is not there to show a mistake of syntax or expansion."""
    file, diagnostics = parse(Source("a.jet", path.read_text(encoding="utf-8")))
    report = Report()
    expand([file], report)
    return not diagnostics and not report.diagnostics


@pytest.mark.parametrize("path", [*filter(expands, FILES)], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_expanded_program_is_plain_and_expands_to_itself(path: Path) -> None:
    once, _ = expanded(path.read_text(encoding="utf-8"))
    assert left(once) == []
    assert plain(print_file(once)) == print_file(once)


CLEAN = [path for path in FILES if compile_sources([Source("a.jet", path.read_text("utf-8"))]).program is not None]


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_expanded_program_means_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    file, _ = parse(Source("a.jet", text))
    again = print_file(expand([file], Report())[0])
    programs = [compile_sources([Source("a.jet", one)]).program for one in (text, again)]
    assert programs[0] is not None
    assert programs[1] is not None, again
    assert canonical.dumps(programs[0]) == canonical.dumps(programs[1])


def test_states_inside_states_pass_through_unharmed() -> None:
    text = (
        "machine m {\n  initial state outer {\n    on STOP -> done\n    initial state inner { on GO -> other }\n"
        "    state other         { reenter }\n  }\n\n  final state done\n}\n"
    ).replace("{ reenter }", "{ on GO { reenter } }")
    assert plain(text) == text


def of_several(*texts: str) -> tuple[list[str], list[str]]:
    """What several files become, and the codes of what is wrong with them."""
    report = Report()
    files = [parse(Source(f"{name}.jet", text))[0] for name, text in zip("abc", texts, strict=False)]
    return [print_file(file) for file in expand(files, report)], [each.rule.code for each in report.diagnostics]


def test_operators_of_one_file_are_known_in_the_others_of_its_module() -> None:
    machine = "module m\nmachine m { state s { enter again() } }"
    found, codes = of_several(machine, "module m\noperator again() { -> s }")
    assert codes == []
    assert found == ["module m\n\nmachine m { state s { enter { -> s } } }\n", "module m\n"]
    assert of_several(machine, "module n\noperator again() { -> s }")[1] == ["J108"]


def test_two_modules_may_use_one_name_for_two_operators() -> None:
    text = "operator again() {{ -> {0} }}\nmachine m {{ state {0} {{ enter again() }} }}"
    found, codes = of_several(text.format("s"), text.format("t"))
    assert codes == []
    assert found == ["machine m { state s { enter { -> s } } }\n", "machine m { state t { enter { -> t } } }\n"]
