"""What one event does to one task: the clause, its effects, exits, the state, enters, and on until it rests."""

from __future__ import annotations

from contextlib import nullcontext

import psycopg
import pytest
from queue_client import Db, Sent

MACHINES = """\
module m

event GO
event MOVE
event LEAVE
event PAY(amount: numeric, note: text?)

machine guards(flag: bool?) {
  initial state a {
    on GO when flag     -> b
    on GO when not flag -> c
    on GO               -> d
  }
  final state b, c, d
}

machine effects {
  var x: int = 1
  var y: int = 0
  initial state a {
    on GO   { set x = x + 1  set y = x * 10  set x = y + 1 }
    on MOVE -> b { set x = 100 }
  }
  state b {
    enter { set y = x + 1 }
    on GO -> a
  }
}

machine nested {
  var log: text = ""
  initial state start {
    on GO   -> outer { set log = log ++ "clause " }
    on MOVE -> second
    exit { set log = log ++ "-start " }
  }
  state outer {
    enter { set log = log ++ "+outer " }
    exit  { set log = log ++ "-outer " }
    on LEAVE -> away
    initial state first {
      enter { set log = log ++ "+first " }
      exit  { set log = log ++ "-first " }
      on GO -> second
    }
    state second {
      enter { set log = log ++ "+second " }
      exit  { set log = log ++ "-second " }
      on GO    -> first
      on LEAVE -> start
      on MOVE  -> outer
    }
  }
  state away { on GO -> outer }
  on MOVE { set log = log ++ "anywhere " }
}

machine chain {
  var n: int = 0
  initial state a { on GO -> b }
  state b { enter when n < 5 -> c { increment n }  on GO -> d }
  state c { enter -> b }
  final state d
}

machine looper {
  var n: int = 0
  initial state rest { on GO -> b }
  state b { enter when n >= 0 -> c { increment n } on GO -> rest }
  state c { enter -> b }
}

machine counted(left: int) {
  var n: int = left
  initial state a { on GO -> b }
  state b { enter when n > 1 -> c { set n = n - 1 }  enter when n == 1 -> rest  enter when n < 1 -> rest }
  state c { enter when n > 1 -> b { set n = n - 1 }  enter when n <= 1 -> rest }
  final state rest
}

machine born {
  var n: int = 0
  initial state a { enter { set n = 7 }  enter when n == 7 -> b { increment n } on GO -> b }
  state b { enter { increment n } on GO -> a }
}

machine refuses {
  var x: int = 1
  initial state a {
    on GO   -> b { set x = 5 }
    on MOVE { set x = x / 0 }
    on PAY(amount: numeric, note: text?) when event.amount > 10 { set x = 9  fail "too much: " ++ (amount as text) }
  }
  state b { enter { fail "x is " ++ (x as text) } on GO -> a }
}

machine waits {
  var n: int = 0
  initial state idle { on GO -> ready in 5m  on MOVE -> ready }
  state ready {
    enter { increment n }
    on LOCKED_BY_WORKER -> running
    on GO   -> ready
    on MOVE -> ready in 1h
  }
  state running { run "x:y"  on SUCCESS -> idle  on ERROR -> idle }
}

machine picks {
  var tier: text = ""
  initial state a {
    on PAY(amount: numeric, note: text?) {
      when amount > 100 and note is not null { set tier = "gold " ++ note }
      else when amount > 10 -> c
      else { set tier = "tin" }
      set tier = tier ++ "!"
      -> b
    }
  }
  final state b, c
}
"""

CONFLICT = r"too much: 11"


@pytest.mark.parametrize(("flag", "state"), [(True, "b"), (False, "c"), (None, "d")])
def test_the_first_clause_whose_guard_is_true_wins_and_null_is_false(db: Db, flag: bool | None, state: str) -> None:
    id = db.create("guards", flag=flag)
    assert db.send("guards", id, "GO") == Sent(True, state, None)
    assert db.state("guards", id) == state


def test_effects_run_in_order_and_see_each_other(db: Db) -> None:
    id = db.create("effects")
    db.send("effects", id, "GO")
    assert (db.task("effects", id).x, db.task("effects", id).y) == (21, 20)


def test_enter_sees_the_effects_of_the_clause(db: Db) -> None:
    id = db.create("effects")
    db.send("effects", id, "MOVE")
    assert (db.task("effects", id).x, db.task("effects", id).y) == (100, 101)


def test_a_block_takes_the_first_true_arm_and_an_arrow_ends_it(db: Db) -> None:
    def paid(amount: int, note: str | None) -> tuple[str, str]:
        id = db.create("picks")
        db.send("picks", id, "PAY", {"amount": amount, "note": note})
        task = db.task("picks", id)
        return task.state, task.tier

    assert paid(200, "x") == ("b", "gold x!")
    assert paid(200, None) == ("c", "")
    assert paid(5, None) == ("b", "tin!")


def test_exits_run_from_inner_to_outer_and_enters_from_outer_to_inner(db: Db) -> None:
    id = db.create("nested")

    def after(event: str) -> tuple[str, str]:
        db.send("nested", id, event)
        task = db.task("nested", id)
        told: str = task.log
        return task.state, told[len(before) :].strip()

    before = ""
    assert after("GO") == ("first", "clause -start +outer +first")
    before = db.task("nested", id).log
    assert after("GO") == ("second", "-first +second")
    before = db.task("nested", id).log
    assert after("MOVE") == ("first", "-second +first")
    before = db.task("nested", id).log
    assert after("LEAVE") == ("away", "-first -outer")


def test_a_state_goes_before_those_around_it_and_they_before_the_machine(db: Db) -> None:
    id = db.create("nested")
    db.send("nested", id, "MOVE")
    assert db.state("nested", id) == "second"
    db.send("nested", id, "LEAVE")
    assert db.state("nested", id) == "start"
    db.send("nested", id, "GO")
    log = db.task("nested", id).log
    db.send("nested", id, "MOVE")
    assert db.task("nested", id).log == log + "anywhere "
    assert db.state("nested", id) == "first"


def test_entering_an_inner_state_from_outside_enters_those_around_it(db: Db) -> None:
    id = db.create("nested")
    db.send("nested", id, "MOVE")
    assert db.task("nested", id).log == "-start +outer +second "


def test_an_event_runs_to_completion_in_one_dispatch(db: Db) -> None:
    id = db.create("chain")
    db.send("chain", id, "GO")
    task = db.task("chain", id)
    assert (task.state, task.n) == ("b", 5)
    hops = db.hops("chain", id)
    assert [hop.to_state for hop in hops] == ["a", "b", *["c", "b"] * 5]
    assert [hop.seq for hop in hops] == list(range(1, 13))
    assert [hop.event for hop in hops] == [None, "GO", *[None] * 10]
    assert len({hop.at for hop in hops[1:]}) == 1
    assert [hop.changed for hop in hops[1:5]] == [{"n": 1}, None, {"n": 2}, None]


def test_enter_runs_at_creation(db: Db) -> None:
    id = db.create("born")
    task = db.task("born", id)
    assert (task.state, task.n) == ("b", 9)
    assert [hop.to_state for hop in db.hops("born", id)] == ["a", "b"]
    assert [hop.at for hop in db.hops("born", id)] == [task.created_at] * 2


def test_more_than_a_hundred_hops_are_refused_with_machine_state_and_line(db: Db) -> None:
    id = db.create("looper")
    with pytest.raises(psycopg.errors.StatementTooComplex) as raised:
        db.send("looper", id, "GO")
    message = f"{raised.value.diag.message_primary} {raised.value.diag.message_detail}"
    line = 1 + MACHINES.splitlines().index("machine looper {")
    assert "m.looper" in message
    assert f"workflows.jet line {line}" in message
    assert "in state c" in message or "in state b" in message
    assert db.path("looper", id) == [(None, None, "rest")]


@pytest.mark.parametrize(("n", "state"), [(99, "rest"), (100, "a")])
def test_a_hundred_hops_pass_and_one_more_is_refused(db: Db, n: int, state: str) -> None:
    id = db.create("counted", left=n)
    with nullcontext() if state == "rest" else pytest.raises(psycopg.errors.StatementTooComplex):
        db.send("counted", id, "GO")
    assert db.state("counted", id) == state
    assert len(db.hops("counted", id)) == 1 + (100 if state == "rest" else 0)


def test_fail_undoes_the_whole_dispatch_and_its_message_reaches_the_sender(db: Db) -> None:
    id = db.create("refuses")
    with pytest.raises(psycopg.errors.RaiseException, match=r"^x is 5") as raised:
        db.send("refuses", id, "GO")
    line = 1 + next(n for n, text in enumerate(MACHINES.splitlines()) if "x is " in text)
    assert f"workflows.jet line {line}" in (raised.value.diag.message_detail or "")
    with pytest.raises(psycopg.errors.RaiseException, match=CONFLICT):
        db.send("refuses", id, "PAY", {"amount": 11})
    task = db.task("refuses", id)
    assert (task.state, task.x) == ("a", 1)
    assert db.path("refuses", id) == [(None, None, "a")]


def test_an_error_of_an_expression_undoes_the_dispatch_too(db: Db) -> None:
    id = db.create("refuses")
    with pytest.raises(psycopg.errors.DivisionByZero):
        db.send("refuses", id, "MOVE")
    assert db.path("refuses", id) == [(None, None, "a")]


def test_an_event_that_the_state_does_not_take_changes_nothing_and_is_recorded(db: Db) -> None:
    id = db.create("chain")
    before = db.task("chain", id)
    sent = db.send("chain", id, "GO")
    assert sent.applied
    db.send("chain", id, "GO")
    ended = db.task("chain", id)
    ignored = db.send("chain", id, "GO")
    assert ignored == Sent(False, "d", "state d does not take GO")
    public = [name for name in before if not name.startswith("_")]
    assert [db.task("chain", id)[name] for name in public] == [ended[name] for name in public]
    last = db.hops("chain", id)[-1]
    assert (last.event, last.from_state, last.to_state, last.changed) == ("GO", "d", None, None)


def test_an_event_whose_guards_are_all_false_is_ignored(db: Db) -> None:
    id = db.create("refuses")
    assert db.send("refuses", id, "PAY", {"amount": 3, "note": "n"}).applied is False
    last = db.hops("refuses", id)[-1]
    assert (last.event, last.payload, last.to_state) == ("PAY", {"amount": 3, "note": "n"}, None)


def test_an_arrow_with_a_delay_enters_now_and_is_claimable_later(db: Db) -> None:
    id = db.create("waits")
    db.send("waits", id, "GO")
    task = db.task("waits", id)
    assert (task.state, task.n) == ("ready", 1)
    assert (task.run_at - task.entered_at).total_seconds() == 300
    assert db.claim("waits", db.worker()).ids == []


def test_moving_to_the_state_one_is_in_runs_no_enter_and_keeps_its_times(db: Db) -> None:
    id = db.create("waits")
    db.send("waits", id, "MOVE")
    before = db.task("waits", id)
    assert db.send("waits", id, "GO").applied
    after = db.task("waits", id)
    assert (after.n, after.entered_at, after.run_at) == (before.n, before.entered_at, before.run_at)
    assert db.path("waits", id)[-1] == ("GO", "ready", "ready")


def test_moving_to_the_state_one_is_in_with_a_delay_puts_it_off(db: Db) -> None:
    id = db.create("waits")
    db.send("waits", id, "MOVE")
    before = db.task("waits", id)
    db.send("waits", id, "MOVE")
    after = db.task("waits", id)
    assert (after.n, after.entered_at) == (before.n, before.entered_at)
    assert 3600 <= (after.run_at - before.run_at).total_seconds() < 3660
    assert db.claim("waits", db.worker()).ids == []


def test_a_state_that_nobody_claims_has_no_run_at(db: Db) -> None:
    id = db.create("waits")
    assert db.task("waits", id).run_at is None
    db.send("waits", id, "MOVE")
    assert db.task("waits", id).run_at is not None
    worker = db.worker()
    assert db.resolve("waits", worker, db.claim_one("waits", worker), "SUCCESS") == "applied"
    assert db.task("waits", id).run_at is None


def test_the_history_says_who(db: Db) -> None:
    id = db.create("chain")
    db.run("select set_config('jet.actor', 'clerk 7', false)")
    db.send("chain", id, "GO")
    db.run("select set_config('jet.actor', '', false)")
    db.send("chain", id, "GO")
    user = db.value("select session_user::text")
    assert [hop.actor for hop in db.hops("chain", id) if hop.event or hop.seq == 1] == [user, "clerk 7", user]
