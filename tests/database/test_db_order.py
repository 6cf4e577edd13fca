"""In which order clauses are tried and `exit`s and `enter`s run, across nested states, steps and templates."""

from __future__ import annotations

import pytest
from queue_client import Db

TRACED = """\
    enter {{ set log = log ++ "+{0} " }}
    exit  {{ set log = log ++ "-{0} " }}
"""


def traced(name: str) -> str:
    """An `enter` and an `exit` that write the state's name into the log."""
    return TRACED.format(name)


MACHINES = f"""\
module m

event GO
event AGAIN_INNER
event AGAIN_MIDDLE
event AGAIN_OUTER
event AGAIN_ANYWHERE
event SAME
event BACK

machine nest {{
  var log: text = ""
  initial state away {{ {traced("away")} on GO -> outer }}
  state outer {{
    {traced("outer")}
    on AGAIN_OUTER {{ set log = log ++ "clause "  reenter }}
    on BACK -> away
    initial state middle {{
      {traced("middle")}
      on AGAIN_MIDDLE reenter
      initial state first {{ {traced("first")} on GO -> second }}
      state second {{
        {traced("second")}
        on AGAIN_INNER reenter
        on SAME -> second
        on GO   -> third
      }}
    }}
    state third {{ {traced("third")} on GO -> second }}
  }}
  on AGAIN_ANYWHERE when length(log) < 10000 reenter
}}

machine bounded {{
  var log: text = ""
  var n: int = 0
  initial state start {{ on GO -> outer }}
  state outer {{
    {traced("outer")}
    enter when n < 2 {{ increment n  reenter }}
    initial state inner {{ {traced("inner")} on GO -> start }}
  }}
}}

machine stepped {{
  var log: text = ""
  initial state start {{ on GO -> outer }}
  state outer {{
    {traced("outer")}
    initial step work(max_attempts: 3) {{
      {traced("work")}
      run "app:work"
      on AGAIN_INNER when state == work.ready reenter
      on SUCCESS   -> rest
      on ABANDONED -> rest
    }}
    state rest {{ {traced("rest")} on BACK -> start }}
    on AGAIN_OUTER when state == rest reenter
    on GO when state == work.ready {{ set log = log ++ "outer's " }}
  }}
  on GO {{ set log = log ++ "machine's " }}
}}

template base {{
  initial state top {{
    initial state leaf {{
      on GO when choice == 1 {{ set log = log ++ "template" }}
      on GO when choice == 2 {{ set log = log ++ "template too" }}
    }}
    on GO when choice == 3 {{ set log = log ++ "outer of template" }}
  }}
}}

machine tried(choice: int) is base {{
  var log: text = ""
  state top {{
    state leaf {{
      on GO when choice <= 0 {{ set log = log ++ "own" }}
      on GO when choice in (0, 99) {{ set log = log ++ "never" }}
      on BACK -> gone
    }}
    on GO when choice == 4 {{ set log = log ++ "own outer" }}
  }}
  final state gone
  on GO {{ set log = log ++ "machine" }}
}}
"""


def steps(db: Db, machine: str, id: int, *events: str) -> str:
    """What the log gains with these events."""
    before = db.task(machine, id).log
    for event in events:
        assert db.send(machine, id, event).applied
    log: str = db.task(machine, id).log
    assert log.startswith(before)
    return log[len(before) :].strip()


@pytest.mark.parametrize(
    ("event", "log"),
    [
        ("AGAIN_INNER", "-second +second"),
        ("AGAIN_MIDDLE", "-second -middle +middle +first"),
        ("AGAIN_OUTER", "clause -second -middle -outer +outer +middle +first"),
        ("AGAIN_ANYWHERE", "-second +second"),
        ("SAME", ""),
        ("BACK", "-second -middle -outer +away"),
        ("GO", "-second -middle +third"),
    ],
)
def test_reenter_leaves_and_enters_the_state_that_owns_the_clause(db: Db, event: str, log: str) -> None:
    id = db.create("nest")
    assert steps(db, "nest", id, "GO", "GO") == "-away +outer +middle +first -first +second"
    before = db.task("nest", id)
    assert steps(db, "nest", id, event) == log
    after = db.task("nest", id)
    assert (after.entered_at > before.entered_at) == (event != "SAME")
    assert after._seq == before._seq + 1


def test_reenter_of_the_machine_leaves_and_enters_the_leaf_alone(db: Db) -> None:
    id = db.create("nest")
    assert steps(db, "nest", id, "AGAIN_ANYWHERE") == "-away +away"
    assert steps(db, "nest", id, "GO", "GO", "GO", "AGAIN_ANYWHERE").endswith("+third -third +third")
    assert db.task("nest", id).state == "third"


def test_a_reenter_counts_once_and_not_for_the_arrow_behind_it(db: Db) -> None:
    id = db.create("nest")
    steps(db, "nest", id, "GO", "AGAIN_OUTER")
    assert steps(db, "nest", id, "GO") == "-first +second"


def test_reenter_in_an_enter_runs_on_until_its_guard_is_false(db: Db) -> None:
    id = db.create("bounded")
    assert steps(db, "bounded", id, "GO") == "+outer -inner -outer +outer -inner -outer +outer +inner"


def test_steps_inside_of_states_enter_and_leave_with_them(db: Db) -> None:
    id, worker = db.create("stepped"), db.worker()
    assert steps(db, "stepped", id, "GO") == "+outer +work"
    assert steps(db, "stepped", id, "GO") == "outer's"
    assert steps(db, "stepped", id, "AGAIN_INNER") == "-work +work"
    token = db.claim_one("stepped", worker)
    assert db.task("stepped", id).attempts == 1
    assert steps(db, "stepped", id, "GO") == "machine's"
    db.resolve("stepped", worker, token, "SUCCESS")
    assert db.task("stepped", id).log.endswith("machine's -work +rest ")
    assert steps(db, "stepped", id, "AGAIN_OUTER") == "-rest -outer +outer +work"
    assert db.task("stepped", id).attempts == 0


@pytest.mark.parametrize(
    ("choice", "log"),
    [(0, "own"), (1, "template"), (2, "template too"), (3, "outer of template"), (4, "own outer"), (5, "machine")],
)
def test_clauses_are_tried_own_first_then_templates_then_outer_then_the_machines(db: Db, choice: int, log: str) -> None:
    id = db.create("tried", choice=choice)
    assert steps(db, "tried", id, "GO") == log
