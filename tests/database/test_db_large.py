"""Large machines and strange ones: what they become is installed and does what it says, or they are refused clearly."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from checking import is_linear
from installing import compile_to_sql
from queue_client import Db, Sent

from jetpackc.check import compile_sources
from jetpackc.source import Source

Fresh = Callable[[str], str]


def ring(states: int) -> str:
    """Work and waiting in turn, one state after the other."""
    lines = ["module m", "machine ring {", "  var x: int = 0", "  initial state s0 { on GO -> s1 }"]
    for n in range(1, states - 1, 3):
        lines += [
            f"  state s{n} {{ on LOCKED_BY_WORKER -> s{n + 1} {{ increment attempts }} }}",
            f'  state s{n + 1} {{ run "x:y" on SUCCESS -> s{n + 2} on ERROR -> s0 }}',
            f"  state s{n + 2} {{ on GO -> s{n + 3} {{ set x = {n} }} on BACK when x > 0 -> s0 }}",
        ]
    return "\n".join([*lines, f"  final state s{n + 3}", "}", ""])


def codes(text: str) -> list[str]:
    return [found.rule.code for found in compile_sources([Source("workflows.jet", text)]).diagnostics]


def test_ten_thousand_states_compile_in_reasonable_time() -> None:
    began = time.process_time()
    compile_to_sql(ring(10_000))
    assert time.process_time() - began < 60  # what it takes is a tenth of that


def test_a_thousand_states_are_one_machine_like_any_other(fresh: Fresh) -> None:
    with Db(fresh(ring(1000))) as db:
        id = db.create("ring")
        worker = db.worker()
        for n in (1, 4):
            assert db.send("ring", id, "GO") == Sent(True, f"s{n}", None)
            assert db.resolve("ring", worker, db.claim_one("ring", worker), "SUCCESS") == "applied"
        assert db.send("ring", id, "BACK") == Sent(True, "s0", None)
        assert [hop.to_state for hop in db.hops("ring", id)] == ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s0"]


def test_a_machine_of_twice_the_states_takes_twice_the_work() -> None:
    assert is_linear(lambda states: compile_to_sql.__wrapped__(ring(states)), 200)


def test_thousands_of_mistakes_are_told_in_reasonable_time() -> None:
    states = "".join(f"state c{n} {{ on GO -> d{n} }}\n" for n in range(5000))
    began = time.process_time()
    assert codes(f"module m\nmachine b {{ initial {states} }}").count("J101") == 5000
    assert time.process_time() - began < 60


@pytest.mark.parametrize("n", [91, 92])
def test_params_up_to_what_a_function_takes(n: int, fresh: Fresh) -> None:
    params = ", ".join(f"p{i}: int" for i in range(n))
    text = f"module m\nmachine b({params}) {{ initial state a {{ on GO -> z }} final state z }}\n"
    if n > 91:
        assert codes(text) == ["J124"]
        return
    with Db(fresh(text)) as db:
        id = db.create("b", **{f"p{i}": i for i in range(n)})
        assert db.task("b", id).p90 == 90


def test_a_thousand_vars_and_a_string_of_a_million_characters(fresh: Fresh) -> None:
    long = "x'\u00e9" * 333_333
    names = [f"v{n}" for n in range(1000)]
    declared = "\n".join(f"var {name}: int = {n}" for n, name in enumerate(names))
    effects = "\n".join(f"set {name} = {name} + 1" for name in names)
    text = (
        f'module m\nmachine b {{ {declared}\nvar long: text = "{long}"\n'
        f'initial state a {{ on GO -> z {{ {effects} set long = long ++ "{long}" }} }} final state z }}\n'
    )
    with Db(fresh(text)) as db:
        id = db.create("b")
        assert db.send("b", id, "GO").applied
        task = db.task("b", id)
        assert [task[name] for name in names] == list(range(1, 1001))
        assert task.long == long * 2
        changed = db.hops("b", id)[-1].changed
        assert (changed["v999"], changed["long"]) == (1000, long * 2)
