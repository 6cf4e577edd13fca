"""The IR: its canonical JSON, and the questions that are asked of a chart."""

from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from jetpackc.ir import canonical, chart, model as ir
from jetpackc.source import Span

TEXT = ir.Type("text")
BOOL = ir.Type("bool")
INT = ir.Type("int")
INTS = ir.Type("int", array=True)
JSON = ir.Type("json")


# ---------------------------------------------------------------- canonical JSON


def strategy(hint: Any, depth: int) -> st.SearchStrategy[Any]:
    """Values of an annotated type; statements and expressions end at a depth."""
    if get_origin(hint) is tuple:
        return sequence(get_args(hint), depth)
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in {Union, types.UnionType}:
        options = [option for option in get_args(hint) if depth > 0 or not is_nested(option)]
        return st.one_of([strategy(option, depth - 1) for option in options])
    if is_dataclass(hint) and isinstance(hint, type):
        return node(hint, depth - 1)
    plain = {str: st.text(max_size=5), int: st.integers(), bool: st.booleans(), type(None): st.none()}
    return plain[hint]


def sequence(arguments: tuple[Any, ...], depth: int) -> st.SearchStrategy[tuple[Any, ...]]:
    if arguments[-1] is Ellipsis:
        return st.lists(strategy(arguments[0], depth), max_size=max(0, min(2, depth))).map(tuple)
    return st.tuples(*(strategy(argument, depth) for argument in arguments))


def is_nested(option: Any) -> bool:
    return is_dataclass(option) and option not in {ir.Literal, ir.Ref, ir.Raise}


@cache
def node(cls: type, depth: int) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls)
    return st.builds(cls, **{each.name: strategy(hints[each.name], depth) for each in fields(cls) if each.compare})


@given(node(ir.Program, 9))
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_reading_what_was_written_gives_the_program_back(program: ir.Program) -> None:
    assert canonical.loads(canonical.dumps(program)) == program


@pytest.mark.parametrize(
    "expr",
    [
        ir.Literal(True, BOOL),
        ir.Literal(1, ir.Type("int")),
        ir.Literal("1", ir.Type("numeric")),
        ir.Literal(None, ir.Type("text", optional=True)),
        ir.In(ir.Ref("event", "x", TEXT), (ir.Literal("a", TEXT), ir.Literal("b", TEXT)), BOOL),
        ir.Access(ir.Ref("param", "c", JSON), ir.Literal("name", TEXT), ir.Type("json", optional=True)),
        ir.Access(ir.Array((ir.Literal(7, INT),), INTS), ir.Literal(0, INT), ir.Type("int", optional=True)),
        ir.Array((), INTS),
    ],
)
def test_a_constant_keeps_its_kind(expr: ir.Expr) -> None:
    program = machine_program(ir.State("a", timeout=expr))
    back = canonical.loads(canonical.dumps(program))
    found = back.modules[0].machines[0].states[0].timeout
    assert found == expr
    assert type(getattr(found, "value", None)) is type(getattr(expr, "value", None))


def machine_program(*states: ir.State) -> ir.Program:
    return ir.Program((ir.Module("m", machines=(ir.Machine("a", (), (), states, states[0].name),)),))


def test_the_json_has_a_version_sorted_keys_no_spans_and_no_defaults() -> None:
    here = Span("workflows.jet", 3, 9, 1, 4)
    text = canonical.dumps(machine_program(ir.State("a", kind="final", span=here)))
    state = '{"is": "final", "kind": "State", "name": "a"}'
    machine = f'{{"initial": "a", "kind": "Machine", "name": "a", "params": [], "states": [{state}], "vars": []}}'
    module = f'{{"kind": "Module", "machines": [{machine}], "name": "m"}}'
    assert json.loads(text) == json.loads(f'{{"ir": 1, "program": {{"kind": "Program", "modules": [{module}]}}}}')
    assert list(json.loads(text)["program"]["modules"][0]) == ["kind", "machines", "name"]


def test_the_json_is_broken_where_a_line_would_be_long_and_nowhere_else() -> None:
    short, word = json.dumps(["a"] * 10), json.dumps("a" * 30)
    assert canonical.pretty({"b": ["a"] * 10, "a": {}}) == f'{{"a": {{}}, "b": {short}}}'
    lines = [
        "{",
        f'  "a": {short},',
        '  "b": [',
        f"    {word},",
        f"    {word},",
        f"    {word},",
        f"    {word}",
        "  ]",
        "}",
    ]
    assert canonical.pretty({"b": ["a" * 30] * 4, "a": ["a"] * 10}) == "\n".join(lines)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_written_is_json(data: object) -> None:
    assert json.loads(canonical.pretty(data)) == data


EMPTY = {"ir": 1, "program": {"kind": "Program", "modules": []}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no `ir` version"),
        ('{"ir": 2, "program": {}}', "IR version 2 is unknown here, this compiler reads version 1"),
        ('{"ir": 1}', "expected Program at program, found null"),
        ('{"ir": 1, "program": {"kind": "Programme"}}', "unknown kind 'Programme' at program"),
        ('{"ir": 1, "program": {"kind": "Program"}}', "field 'modules' of Program is missing at program"),
        ('{"ir": 1, "program": {"kind": "Program", "modules": 5}}', "expected a list at program.modules, found 5"),
        (
            '{"ir": 1, "program": {"kind": "Program", "modules": [], "x": 1}}',
            "unknown field 'x' of Program at program",
        ),
        (
            '{"ir": 1, "program": {"kind": "Program", "modules": [{"kind": "Module", "name": 7}]}}',
            r"expected str at program.modules\[0\].name, found 7",
        ),
        (
            '{"ir": 1, "program": {"kind": "Program", "modules": [{"kind": "State", "name": "a"}]}}',
            r"unknown kind 'State' at program.modules\[0\]",
        ),
    ],
)
def test_what_is_no_program_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(canonical.IRError, match=message):
        canonical.loads(text)


def test_a_wrong_word_is_refused() -> None:
    text = canonical.dumps(machine_program(ir.State("a", kind="final"))).replace('"final"', '"over"')
    with pytest.raises(canonical.IRError, match=r"expected one of 'plain', 'final', 'failure' at .*, found \"over\""):
        canonical.loads(text)


def test_an_error_of_reading_is_a_value_error() -> None:
    assert issubclass(canonical.IRError, ValueError)
    assert canonical.loads(json.dumps(EMPTY)) == ir.Program(())


# ---------------------------------------------------------------- charts


def on(event: str, target: str) -> ir.Clause:
    return ir.Clause((event,), None, (ir.Goto(target),))


STEP = ir.Machine(
    name="order",
    params=(),
    vars=(),
    states=(
        ir.State("cart", on=(on("PAID", "charging.ready"),)),
        ir.State("charging", initial="charging.ready", on=(on("SUCCESS", "done"), on("PAID", "cart"))),
        ir.State("charging.ready", parent="charging", on=(on("LOCKED_BY_WORKER", "charging.running"),)),
        ir.State("charging.running", parent="charging", run="a:b", on=(on("ERROR", "bad"), on("PAID", "bad"))),
        ir.State("done", "final", on=(on("AGAIN", "cart"),)),
        ir.State("bad", "failure"),
    ),
    initial="cart",
    on=(on("PAID", "done"), on("CANCEL", "bad")),
    signatures=(
        ir.Signature("PAID", (ir.Field("amount", TEXT),)),
        ir.Signature("SUCCESS", (ir.Field("url", TEXT),), "charging"),
        ir.Signature("ERROR", chart.ERROR_FIELDS, "charging.running"),
    ),
)


def names(states: tuple[ir.State, ...]) -> list[str]:
    return [state.name for state in states]


def targets(leaf: str, event: str) -> list[str]:
    last = [clause.body[-1] for clause in chart.clauses(STEP, leaf, event)]
    return [statement.target for statement in last if isinstance(statement, ir.Goto)]


def test_leaves_are_the_states_without_children() -> None:
    assert names(chart.leaves(STEP)) == ["cart", "charging.ready", "charging.running", "done", "bad"]
    assert names(chart.leaves_of(STEP, "charging")) == ["charging.ready", "charging.running"]
    assert names(chart.leaves_of(STEP, "cart")) == ["cart"]


def test_ancestors_go_from_inner_to_outer() -> None:
    assert names(chart.ancestors(STEP, "charging.ready")) == ["charging.ready", "charging"]
    assert names(chart.ancestors(STEP, "done")) == ["done"]


def test_clauses_are_tried_from_inner_to_outer_and_machine_wide_ones_last() -> None:
    assert targets("charging.running", "PAID") == ["bad", "cart", "done"]
    assert targets("cart", "PAID") == ["charging.ready", "done"]
    assert targets("cart", "NEVER") == []


def test_a_final_leaf_has_its_own_clauses_only() -> None:
    assert targets("done", "AGAIN") == ["cart"]
    assert targets("done", "CANCEL") == []
    assert chart.events(STEP, "bad") == ()
    assert chart.is_final(STEP, "bad")
    assert not chart.is_final(STEP, "cart")


def test_events_of_a_leaf_stand_in_the_order_of_their_first_clauses() -> None:
    assert chart.events(STEP, "charging.running") == ("ERROR", "PAID", "SUCCESS", "CANCEL")


def test_claimable_and_running_leaves() -> None:
    assert names(chart.claimable(STEP)) == ["charging.ready"]
    assert names(chart.running(STEP)) == ["charging.running"]


def test_fields_come_from_the_innermost_signature() -> None:
    assert [field.name for field in chart.fields(STEP, "SUCCESS", "charging.running")] == ["url"]
    assert [field.name for field in chart.fields(STEP, "ERROR", "charging.running")] == ["type", "message", "traceback"]
    assert [field.name for field in chart.fields(STEP, "PAID", "charging.ready")] == ["amount"]
    assert chart.fields(STEP, "SUCCESS", "cart") == ()


def test_the_owner_of_a_clause_is_the_state_it_stands_in() -> None:
    inner, outer, wide = chart.clauses(STEP, "charging.running", "PAID")
    found = [chart.owner(STEP, "charging.running", clause) for clause in (inner, outer, wide)]
    assert found == ["charging.running", "charging", None]
