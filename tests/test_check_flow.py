"""How machines move: for each rule an example that breaks it and a near miss that does not."""

from __future__ import annotations

import pytest
from checking import codes, compiled, finding, findings, is_linear, machine, state

from jetpackc.ir import chart, model as ir

DONE = "final state done"
WORK = """\
initial state ready { on LOCKED_BY_WORKER -> running }
state running { run "m:f" on SUCCESS -> done on ERROR -> failed }
failure state failed
final state done
"""


def m(members: str, top: str = "") -> str:
    return f"module m\n{top}\nmachine m {{\n{members}\n}}\n"


# ---------------------------------------------------------------- the tree of states


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (f"state a {{ on GO -> done }} {DONE}", ["J301"]),
        (f"initial state a {{ on GO -> done }} {DONE}", []),
        ("", ["J301"]),
        (f"initial state a {{ on GO -> done }} initial state b {{ on GO -> done }} {DONE}", ["J302"]),
        (f"initial state a, b {{ on GO -> done }} {DONE}", ["J302"]),
        (f"initial state a {{ on GO -> done state b }} {DONE}", ["J301"]),
        (f"initial state a {{ on GO -> done initial state b initial state c }} {DONE}", ["J302"]),
        (f"initial state a {{ on GO -> done initial state b }} {DONE}", []),
        ("initial state a { on GO -> done } final failure state done", ["J316"]),
        ("initial state a { on GO -> done } final state done { initial state b }", ["J316"]),
    ],
)
def test_a_machine_and_a_composite_have_one_initial_state(members: str, expected: list[str]) -> None:
    assert codes(m(members)) == expected


def test_the_first_state_is_offered_as_the_initial_one() -> None:
    text = m(f"state a {{ on GO -> done }} {DONE}")
    (found,) = compiled(text).diagnostics
    (fix,) = found.fixes
    assert codes(text[: fix.span.start] + fix.replacement + text[fix.span.end :]) == []


def test_an_arrow_to_a_composite_enters_its_initial_leaf() -> None:
    text = m(
        "initial state a { on GO -> b }\n"
        "state b { on STOP -> done initial state c { initial state d { on DEEPER -> e } state e } }\n" + DONE
    )
    goto = state(text, "a").on[0].body[-1]
    assert isinstance(goto, ir.Goto)
    assert goto.target == "d"
    assert [(each.name, each.parent, each.initial) for each in machine(text).states] == [
        ("a", None, None),
        ("b", None, "c"),
        ("c", "b", "d"),
        ("d", "c", None),
        ("e", "c", None),
        ("done", None, None),
    ]


def test_a_machine_starts_in_the_leaf_of_its_initial_state() -> None:
    assert machine(m(f"initial state a {{ initial state b {{ on GO -> done }} }} {DONE}")).initial == "b"


# ---------------------------------------------------------------- reach


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("state b { on GO -> done }", ["J303"]),
        ("state b { on GO -> c } state c { on GO -> b }", ["J303", "J303"]),
        ("on JUMP -> b\nstate b { on GO -> done }", []),
        ("final state b", ["J303"]),
        ("state b { on X -> done initial state c state d }", ["J303"]),
    ],
)
def test_a_state_that_nothing_leads_to_is_reported(members: str, expected: list[str]) -> None:
    assert codes(m(f"initial state a {{ on GO -> done }} {DONE}\n{members}")) == expected


def test_a_state_inside_a_reachable_one_may_itself_be_unreachable() -> None:
    text = m(f"initial state a {{ on GO -> done initial state b state c }} {DONE}")
    assert findings(text) == ["J303 4 'c' nothing leads to state `c`"]


def test_a_state_of_a_template_that_its_machine_goes_around_is_no_error() -> None:
    text = (
        'module m\nmachine m is task {\nstate running { run "m:f" on ERROR -> done }\n}\n'
        'machine n is task {\nstate running { run "m:f" }\nstate spare { on GO -> done }\n}\n'
    )
    assert findings(text) == ["J303 7 'spare' nothing leads to state `spare`"]


@pytest.mark.parametrize(
    ("state_b", "expected"),
    [
        ("state b", ["J304"]),
        ("state b { on GO { increment attempts } }", ["J304"]),
        ("state b { on GO -> b }", ["J304"]),
        ("state b { on GO reenter }", ["J304"]),
        ("final state b", []),
        ("failure state b", []),
        ("state b { on GO -> a }", []),
        ("state b { on GO { when attempts > 1 -> a } }", []),
        ("state b { enter -> c } final state c", []),
    ],
)
def test_a_state_that_nothing_leaves_and_that_is_not_final_is_reported(state_b: str, expected: list[str]) -> None:
    assert codes(m(f"initial state a {{ on X -> b }}\n{state_b}")) == expected


def test_a_clause_of_a_state_around_is_a_way_out() -> None:
    assert codes(m(f"initial state a {{ on GO -> done initial state b {{ on NEXT -> c }} state c }} {DONE}")) == []
    assert codes(m(f"on GO -> done\ninitial state b {{ on NEXT -> c }} state c\n{DONE}")) == []


# ---------------------------------------------------------------- shadowed clauses


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("on GO -> done on GO when attempts > 1 -> s", ["J305"]),
        ("on GO when true -> done on GO -> s", ["J305"]),
        ("on GO { when attempts > 1 -> done } on GO -> done", ["J305"]),
        ("on A, B -> done on B, C -> s", ["J305"]),
        ("on GO when attempts > 1 -> done on GO -> s", []),
        ("on GO -> done on STOP -> s", []),
        ("on GO -> done enter -> done enter { increment attempts }", ["J305"]),
        ("on GO -> done enter when attempts > 1 -> done enter { increment attempts }", []),
    ],
)
def test_a_clause_behind_one_that_is_always_taken_is_reported(clauses: str, expected: list[str]) -> None:
    assert codes(m(f"initial state s {{ {clauses} }} {DONE}")) == expected


def test_machine_wide_clauses_shadow_each_other_and_inner_ones_override() -> None:
    assert codes(m(f"on GO -> done\non GO -> s\ninitial state s {{ on X -> done }} {DONE}")) == ["J305"]
    assert codes(m(f"on GO -> done\ninitial state s {{ on GO -> t }} state t {{ on X -> s }} {DONE}")) == []


def test_a_machines_own_clause_before_its_templates_is_overriding() -> None:
    own = 'module m\nmachine m is task {{ state running {{ run "m:f" {} }} }}'
    assert codes(own.format("on SUCCESS -> done")) == []
    assert codes(own.format("on SUCCESS -> done on SUCCESS -> failed")) == ["J305"]


# ---------------------------------------------------------------- cycles of enter


@pytest.mark.parametrize(
    ("states", "trace"),
    [
        ("state b { enter -> c } state c { enter -> b }", "b -> c -> b"),
        ("state b { enter -> c } state c { enter -> d } state d { enter -> b }", "b -> c -> d -> b"),
        ("state b { enter -> c } state c { enter when p -> b enter -> done }", "b -> c -> b"),
        ("state b { enter -> c } state c { enter { when p -> b else -> done } }", "b -> c -> b"),
        ("state b { enter -> c } state c { enter when n < 5 -> b enter -> done }", "b -> c -> b"),
        ("state b { enter reenter }", "b -> b"),
        ("state b { enter -> d initial state c state d { enter -> e } } state e { enter -> b }", "c -> d -> e -> c"),
        ("state b { enter -> c } state c { on ABANDONED -> b enter { raise ABANDONED } }", "b -> c -> b"),
    ],
)
def test_a_cycle_of_enter_that_no_guard_bounds_is_reported_with_its_trace(states: str, trace: str) -> None:
    members = f"var n: int = 0\ninitial state a {{ on GO -> b {{ increment n }} }}\n{states}\n{DONE}"
    text = m(members).replace("machine m", "machine m(p: bool)")
    found = [each for each in compiled(text).diagnostics if each.rule.code == "J306"]
    assert [each.message for each in found] == [f"`enter` goes on for ever: `{trace}`"]


@pytest.mark.parametrize(
    "states",
    [
        "state b { enter -> c } state c { enter when n < 5 -> b { increment n } enter -> done }",
        "state b { enter -> c { increment n } } state c { enter when n < 5 -> b enter -> done }",
        "state b { exit { increment n } enter -> c } state c { enter when n >= 5 -> done enter -> b }",
        "state b { enter { increment n } enter -> c } state c { enter { when n < 5 -> b else -> done } }",
        "state b { enter -> c } state c { enter when n < 5 -> a enter -> done }",
        "state b { on GO -> done enter -> d initial state c state d }",
        "state b { on GO -> done enter -> b }",
    ],
)
def test_a_cycle_that_changes_what_its_guard_reads_is_bounded(states: str) -> None:
    members = f"var n: int = 0\ninitial state a {{ on GO -> b {{ increment n }} on STOP -> done }}\n{states}\n{DONE}"
    assert [code for code in codes(m(members)) if code != "J303"] == []


# ---------------------------------------------------------------- claims and runs


def test_a_claim_leads_to_a_state_with_run() -> None:
    assert codes(m(WORK)) == []
    assert codes(m(WORK.replace('run "m:f" ', ""))) == ["J308"]
    leads_nowhere = WORK.replace("-> running", "{ increment attempts } on GO -> running")
    assert codes(m(leads_nowhere)) == ["J308", "J307"]


def test_a_run_of_a_state_that_no_claim_leads_to_is_reported() -> None:
    assert codes(m(WORK.replace("LOCKED_BY_WORKER", "GO"))) == ["J307"]


def test_a_claim_does_not_hang_on_a_guard() -> None:
    guarded = m(WORK.replace("LOCKED_BY_WORKER ->", "LOCKED_BY_WORKER when attempts < 3 ->"))
    assert codes(guarded) == ["J320"]
    assert codes(guarded.replace("-> running }", "-> running on LOCKED_BY_WORKER -> running }", 1)) == []


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("state spare { on GO -> running }\non SPARE -> spare", ["J321"]),
        ("state spare { enter -> running }\non SPARE -> spare", ["J321"]),
        ("state spare { on GO -> ready }\non SPARE -> spare", []),
        ("on AGAIN reenter", ["J321"]),
    ],
)
def test_a_state_with_run_is_entered_by_a_claim_alone(members: str, expected: list[str]) -> None:
    assert codes(m(f"{WORK}\n{members}")) == expected


def test_a_state_with_run_is_no_initial_one() -> None:
    waits_later = WORK.replace("initial state ready", "state ready")
    text = m(waits_later.replace("state running {", "initial state running { on BACK -> ready "))
    assert codes(text) == ["J321"]


def test_staying_in_a_running_state_is_no_entry() -> None:
    assert codes(m(WORK.replace("on SUCCESS", "on MORE -> running on SUCCESS"))) == []


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("", ["J309"]),
        ("on SUCCESS when attempts > 1 -> done", ["J309"]),
        ("on SUCCESS { when attempts > 1 -> done }", ["J309"]),
        ("on SUCCESS { increment attempts }", ["J309"]),
        ("on SUCCESS -> running", ["J309"]),
        ("on SUCCESS { when attempts > 1 -> done else -> failed }", []),
        ('on SUCCESS { when attempts > 1 { fail "no" } -> done }', []),
        ("on SUCCESS when attempts > 1 -> done on SUCCESS -> failed", []),
    ],
)
def test_a_state_with_run_has_an_unguarded_way_out(clause: str, expected: list[str]) -> None:
    keeps_done = "on GO -> done "
    assert codes(m(WORK.replace("on SUCCESS -> done ", keeps_done + clause + " "))) == expected


def test_the_way_out_may_be_inherited() -> None:
    inner = WORK.replace("on SUCCESS -> done on ERROR -> failed", "")
    assert codes(m(inner + "on SUCCESS -> done\non ERROR -> failed")) == []
    assert codes(m(inner + "on SUCCESS -> done\non BAD -> failed")) == ["J309"]


RUN = 'initial state a { on LOCKED_BY_WORKER -> b } state b { run "m:f" on SUCCESS, ERROR -> done '


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("initial state a { timeout 5s on GO -> done }", ["J317"]),
        (f"{RUN} timeout 5s }}", []),
        (f"{RUN} timeout 5 }}", ["J201"]),
        (f"{RUN} timeout 5s timeout 6s }}", ["J012"]),
        ('initial state a { run "m:f" on GO -> done initial state b }', ["J011"]),
        ("initial state a { ignore GO on GO -> done }", ["J318"]),
        ("initial state a { ignore STOP on GO -> done } on STOP -> done", []),
    ],
)
def test_what_a_state_holds_fits_together(members: str, expected: list[str]) -> None:
    assert codes(m(f"{members}\n{DONE}")) == expected


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ('final state done { run "m:f" }', ["J315"]),
        ("failure state done { on LOCKED_BY_WORKER -> a }", ["J315"]),
        ("final state done { on AGAIN -> a enter { increment attempts } exit { increment attempts } }", []),
    ],
)
def test_a_final_state_does_no_work(done: str, expected: list[str]) -> None:
    found = codes(m(f"initial state a {{ on GO -> done }} {done}"))
    assert [code for code in found if code != "J308"] == expected


# ---------------------------------------------------------------- blocks


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("on GO { -> done increment attempts }", ["J310"]),
        ("on GO { when attempts > 1 -> done else -> s increment attempts }", ["J310"]),
        ("on GO { when attempts > 1 -> done increment attempts -> s } on X -> done", []),
        ("on GO -> done { when attempts > 1 -> s }", ["J311"]),
        ("on GO -> done { -> s }", ["J311"]),
        ("on GO -> done { when attempts > 1 { increment attempts } }", []),
        ("on GO -> done exit { -> s }", ["J319"]),
        ("on GO -> done exit { when attempts > 1 { -> s } }", ["J319"]),
        ("on GO -> done exit { when attempts > 1 { increment attempts } }", []),
    ],
)
def test_an_arrow_ends_its_block_and_stands_once(clause: str, expected: list[str]) -> None:
    assert codes(m(f"initial state s {{ {clause} }} {DONE}")) == expected


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("on GO -> done in 5m", ["J312"]),
        ("on GO -> running in 5m", ["J312"]),
        ("on GO -> ready in 5m", []),
        ("on GO -> ready in 5", ["J201"]),
    ],
)
def test_a_delay_is_for_a_claimable_target(clause: str, expected: list[str]) -> None:
    found = codes(m(f"{WORK}\nstate wait {{ {clause} }}\non WAIT -> wait"))
    assert [code for code in found if code != "J321"] == expected


def test_the_clauses_own_arrow_is_its_last_statement() -> None:
    body = state(m(f"initial state s {{ on GO -> done {{ increment attempts }} }} {DONE}"), "s").on[0].body
    assert [type(statement) for statement in body] == [ir.Set, ir.Goto]


def test_a_delay_reads_what_the_block_has_set() -> None:
    text = m(f"var d: interval? = null\n{WORK}\nstate wait {{ on GO -> ready in d {{ set d = 5m }} }}\non WAIT -> wait")
    assert codes(text) == []


def test_reenter_names_the_leaf_that_it_enters() -> None:
    text = m(f"initial state a {{ on GO -> done on AGAIN reenter initial state b {{ on X -> c }} state c }} {DONE}")
    (goto,) = state(text, "a").on[1].body
    assert goto == ir.Goto("b", reenter=True)


def test_reenter_of_the_machine_names_no_leaf_and_its_clauses_name_each() -> None:
    text = m(f"on AGAIN when true {{ when false -> done else reenter }} initial state a {{ on GO -> done }} {DONE}")
    found = machine(text)
    (when,) = found.on[0].body
    assert when.branches[1].body == (ir.Goto("", reenter=True),)  # type: ignore[union-attr]
    (clause,) = chart.clauses(found, "a", "AGAIN")
    (when,) = clause.body
    assert when.branches[1].body == (ir.Goto("a", reenter=True),)  # type: ignore[union-attr]
    assert chart.reentered(found, "a", clause) == "a"


# ---------------------------------------------------------------- lifecycle events


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (m(f"initial state s {{ on GO -> done }} {DONE}", "event TIMEOUT"), ["J313"]),
        (m(f"initial state s {{ on GO {{ raise SUCCESS }} on X -> done }} {DONE}"), ["J313"]),
        (m(f"initial state s {{ on GO -> done on SUCCESS -> done }} {DONE}"), ["J313"]),
        (m(f"initial state s {{ on GO -> done on ABANDONED -> done }} {DONE}"), ["J313"]),
        (m(f"initial state s {{ on GO -> done on ERROR -> done }} {DONE}"), []),
        (m(f"initial state s {{ on GO {{ raise ABANDONED }} on ABANDONED -> done }} {DONE}"), []),
        (m(f"initial state s {{ on GO {{ raise ABANDONED }} on X -> done }} {DONE}"), ["J314"]),
        (m(f"initial state s {{ on GO, ABANDONED {{ raise ABANDONED }} on X -> done }} {DONE}"), ["J313"]),
        (
            m(f"initial state s {{ on GO {{ raise ABANDONED }} on ABANDONED when attempts > 1 -> done }} {DONE}"),
            ["J314"],
        ),
        (m(f"initial state s {{ on GO -> done {{ spawn m() }} on SUBTREE_FLUSHED -> done }} {DONE}"), []),
    ],
)
def test_lifecycle_events_come_where_they_come(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_a_step_says_what_happens_when_its_attempts_are_used_up() -> None:
    step = 'initial step pay(max_attempts: 3) {{ run "m:f" on SUCCESS -> done {} }} failure state bad\n' + DONE
    assert codes(m(step.format("on ABANDONED -> bad"))) == []
    assert finding(m(step.format("on GO -> bad")), "J314").startswith(
        "`pay` does not say what happens when its attempts are used up"
    )


# ---------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("state b { enter when n < 5 -> a }", ["J380"]),
        ("state b { enter { when n < 5 -> a } }", ["J380"]),
        ("state b { enter when n < 5 -> a enter -> done }", []),
        ("state b { enter { when n < 5 -> a else -> done } }", []),
        ("state b { enter when n < 5 -> a on GO -> done }", []),
        ("final state b { enter when n < 5 -> a }", []),
    ],
)
def test_a_state_that_only_a_guarded_enter_leaves_is_warned_of(members: str, expected: list[str]) -> None:
    text = m(f"var n: int = 0\ninitial state a {{ on X -> b {{ increment n }} on STOP -> done }}\n{members}\n{DONE}")
    result = compiled(text)
    assert [found.rule.code for found in result.diagnostics] == expected
    assert result.program is not None


@pytest.mark.parametrize(
    ("var", "clause", "expected"),
    [
        ("var x: int = 0", "on GO -> done", ["J382"]),
        ("var x: int = 0", "on GO when x > 0 -> done", []),
        ("var x: int = 0", "on GO -> done { set x = 1 }", []),
        ("var x: int = 0\nunique (x)", "on GO -> done", []),
        ("var x: interval = 0s", "on GO { fail x as text } on X -> done", []),
    ],
)
def test_a_var_that_nothing_uses_is_warned_of(var: str, clause: str, expected: list[str]) -> None:
    assert codes(m(f"{var}\ninitial state s {{ {clause} }} {DONE}")) == expected


def test_a_var_may_be_for_the_handlers_of_its_machine() -> None:
    assert codes(m(f"var x: int = 0\n{WORK}")) == []


def test_an_event_that_nothing_handles_is_warned_of() -> None:
    assert codes(m(f"initial state s {{ on GO -> done }} {DONE}", "event LATE")) == ["J381"]
    assert codes(m(f"initial state s {{ on GO -> done ignore LATE }} {DONE}", "event LATE")) == []
    assert codes(m("initial state s { on GO -> done } final state done { on LATE -> s }", "event LATE")) == []


# ---------------------------------------------------------------- the rest of the lowering


def test_unique_names_columns_and_leaves() -> None:
    text = m(
        "var x: int = 0\nunique (x) while in (s, t) or return\nunique (x)\n"
        f"initial state s {{ on GO -> t }} state t {{ on GO -> done initial state u }} {DONE}"
    )
    assert machine(text).uniques == (ir.Unique(("x",), ("s", "u"), "return"), ir.Unique(("x",), (), "error"))
    assert codes(text.replace("(x) while in (s, t)", "(y) while in (s, q)")) == ["J106", "J101"]


def test_a_machine_ignores_in_every_outermost_state_that_has_no_answer() -> None:
    text = m(
        f"ignore GO, STOP\nignore LATE\ninitial state s {{ on GO -> t }} state t {{ on STOP -> done }} {DONE}",
        "event LATE",
    )
    found = {each.name: each.ignore for each in machine(text).states}
    assert found == {"s": ("STOP", "LATE"), "t": ("GO", "LATE"), "done": ()}
    assert {each.event for each in machine(text).signatures} == {"GO", "STOP", "LATE"}


@pytest.mark.parametrize(
    "text",
    [
        m(f"initial state s was t {{ on GO -> done }} {DONE}"),
        m(f"initial state s {{ on GO -> done }} {DONE} removed state t -> done"),
    ],
)
def test_what_comes_later_is_refused_once_at_its_place(text: str) -> None:
    result = compiled(text)
    assert [found.rule.code for found in result.diagnostics] == ["J090"]
    assert all(found.span is not None and found.span.line == 4 for found in result.diagnostics)
    assert result.program is None


def test_json_and_bytes_are_columns_that_are_passed_on_whole() -> None:
    text = (
        "module m\nmachine m(j: json, b: bytes) {\nvar k: json?\nvar c: bytes = b\n"
        "initial state s { on GO(x: json) when k is null or c == b -> done { set k = x set c = b } }\n"
        "final state done\n}"
    )
    assert codes(text) == []


def chain(length: int) -> str:
    states = "\n".join(
        f"state s{i} {{ on GO -> s{i + 1} on BACK -> s0 enter {{ increment n }} }}" for i in range(length)
    )
    return m(f"var n: int = 0\ninitial {states}\nfinal state s{length}")


def test_a_machine_of_twice_the_states_takes_twice_the_work_to_check() -> None:
    assert codes(chain(1000)) == []
    assert is_linear(lambda length: codes(chain(length)), 250)


@pytest.mark.parametrize("handler", ["f", "m.f", "m:f.g", "m:", ":f", "m/n:f", "m f:g"])
def test_a_handler_is_a_module_and_a_function(handler: str) -> None:
    assert codes(m(WORK.replace("m:f", handler))) == ["J013"]
    assert codes(m(WORK.replace("m:f", "m.n_2:_f"))) == []


def test_an_index_of_a_chart_is_not_taken_for_that_of_another_machine() -> None:
    first = machine(m(f"initial state s {{ on GO -> done }} {DONE}"))
    second = machine(m(f"initial state t {{ on GO -> done }} {DONE}"))
    assert [chart.leaves(each)[0].name for each in (first, second)] == ["s", "t"]


# ---------------------------------------------------------------- traces


def notes(text: str) -> list[str]:
    return [note for found in compiled(text).diagnostics for note in found.notes]


def test_a_flow_error_tells_how_a_task_gets_there() -> None:
    states = "initial state a { on X -> b on Y -> c } state b { enter -> c } state c { on Z -> d } state d"
    assert notes(m(states)) == ["a task gets here by `a -Y-> c -Z-> d`"]
    assert notes(m("initial state a")) == ["a task gets here by `a`"]
    assert notes(m("initial state a { enter -> b } state b { enter -> a }")) == ["`a -> b -> a`, then for ever"]


def test_the_middle_of_a_long_way_is_left_out() -> None:
    states = "".join(f"state s{i} {{ on E{i} -> s{i + 1} }}\n" for i in range(9))
    assert notes(m(f"initial {states} state s9")) == [
        "a task gets here by `s0 -E0-> s1 -E1-> s2 -E2-> s3 … s6 -E6-> s7 -E7-> s8 -E8-> s9`"
    ]


def test_a_part_that_nothing_leads_to_is_told_with_what_leads_into_it() -> None:
    states = "initial state a { on X -> done } state b { on Y -> c } state c { on Z -> done }"
    assert notes(m(f"{states} {DONE}")) == ["`b -Y-> c` does, but nothing leads to `b`"]


def test_traces_of_twice_the_states_take_twice_the_work() -> None:
    def dead_ends(number: int) -> list[str]:
        states = "".join(f"state s{i} {{ on E -> s{i + 1} on F -> t{i} }} state t{i}\n" for i in range(number))
        return codes(m(f"initial {states} final state s{number}"))

    assert dead_ends(1500) == ["J304"] * 1500
    assert is_linear(dead_ends, 100)
