"""What random programs found where Postgres and the reference interpreter did not agree: each once more, by itself."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db, outcome

from jetpackc.check import compile_sources
from jetpackc.source import Source

MACHINES = """\
module m

event GO(at: timestamptz, c: json, x: int?, xs: int[])

machine constant(a: int = 5) {
  unique (n) or return
  var n: int = 7
  var flag: bool = a >= 3
  initial state s0 { on STOP -> z }
  final state z
}

machine flagged(a: int) {
  unique (flag) or error
  var flag: bool = a >= 3
  initial state s0 { on STOP -> z }
  final state z
}

machine reckons {
  var s: text = ""
  var found: text?
  initial state s0 {
    on GO when not ((x in xs) ?? false) {
      set s = (event.at - ("2026-01-01T00:00:00Z" as timestamptz)) as text
      set found = c[0] as text
    }
    on GO { when x in xs { set s = "in" } }
  }
  final state z
  on STOP -> z
}

machine born {
  var n: int = 0
  var s: text = "unchanged"
  initial state s0 { enter { increment n } enter -> s1 }
  state s1 { enter { set n = n + 10 } on STOP -> z }
  final state z
}

machine divides(n: int) {
  var tenth: int = 10 / n
  initial state s0 { on STOP -> z }
  final state z
}

machine maker is task { state running { run "x:y" }  state done { enter { spawn born() } } }

machine queues {
  initial state s0 { on STOP -> ready { spawn born() } }
  state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running { run "x:y"  on SUCCESS -> z  on ERROR -> z }
  final state z
}

machine poison {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    timeout 1h
    on SUCCESS -> z
    on ERROR -> z { when attempts >= 0 { fail "no way out" } }
  }
  final state z
}

machine slow(patient: bool) {
  var tired: bool = patient
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    timeout 1h
    on NUDGE { set tired = false }
    on TIMEOUT -> rests { when tired { fail "not yet" } }
    on SUCCESS -> z
    on ERROR -> rests { when tired { fail "not yet" } }
  }
  state rests { on NUDGE -> z }
  final state z
}

machine lax(w: interval?, t: timestamptz?, d: date?, s: text?, b: bool?, y: bytes?) {
  initial state s0 { on STOP -> z }
  final state z
}

machine defaults(a: int = 5, b: int? = 6) {
  initial state s0 { on STOP -> z }
  final state z
}

machine fails(a: int, b: int) {
  initial state s0 { enter { when a == 0 { fail "nothing to do" } } on STOP -> z }
  final state z
}

machine whole(a: bigint = 9007199254740993) {
  var up: numeric = ceil(a)
  var down: numeric = floor(a) % 10.0
  initial state s0 { on STOP -> z }
  final state z
}

machine reads(digits: text) {
  unique (v) or return
  var v: int = digits as int
  initial state s0 { on STOP -> z }
  final state z
}

machine again {
  initial state ready {
    on LOCKED_BY_WORKER -> running { when attempts == 0 { fail "not yet" } }
    on GO reenter
    on STAY -> ready in 5s
  }
  state running { run "x:y"  on SUCCESS -> z  on ERROR -> z }
  final state z
  on STOP -> z
}

machine pair is task {
  state running { run "x:y" }
  state done { enter { spawn single(n: 1) } }
}

machine single(n: int) {
  unique (n)
  initial state s0 { on STOP -> z }
  final state z
}
"""


def test_unique_over_a_var_with_a_constant_default(db: Db) -> None:
    first, second = db.create_many("constant", [{}, {"a": 2}])
    assert first == second
    assert db.create("constant") == first


def test_unique_over_a_var_whose_default_is_a_comparison(db: Db) -> None:
    id = db.create("flagged", a=5)
    with pytest.raises(psycopg.errors.UniqueViolation, match=f"task {id}"):
        db.create("flagged", a=4)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("w", [1], "interval, which [1] is not"),
        ("t", ["2026-01-01"], 'timestamptz, which ["2026-01-01"] is not'),
        ("d", ["2026-01-01"], 'date, which ["2026-01-01"] is not'),
        ("s", {"a": 1}, 'text, which {"a": 1} is not'),
        ("b", "true", 'bool, which "true" is not'),
        ("y", [1], "bytes, which [1] is not"),
    ],
)
def test_create_many_makes_no_value_out_of_another_kind(db: Db, name: str, value: object, what: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as told:
        db.create_many("lax", [{}, {name: value}])
    assert told.value.diag.message_primary == f"task 2 of m.lax: it takes field '{name}' as {what}"


def test_a_whole_number_that_is_rounded_is_no_float(db: Db) -> None:
    task = db.task("whole", db.create("whole"))
    assert (task.up, task.down) == (9007199254740993, 3)


def test_a_param_that_is_null_takes_its_default(db: Db) -> None:
    ids = [db.create("defaults", a=None, b=None), *db.create_many("defaults", [{"a": None, "b": None}])]
    assert [tuple(row) for row in db.rows("select a, b from m.defaults where id = any(%s)", ids)] == [(5, 6)] * 2


def test_create_many_names_a_param_that_is_missing_though_enter_fails_on_the_task(db: Db) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"task 1 of m\.fails: it needs field 'b'"):
        db.create_many("fails", [{"a": 0}])


def test_outcomes_that_fail_together_are_taken_in_the_order_of_ids(db: Db) -> None:
    first, second = db.create_many("pair", [{}, {}])
    worker = db.worker()
    claimed = {row.id: row for row in db.claim("pair", worker, limit=2).tasks}
    outcomes = [outcome(claimed[id], "SUCCESS") for id in (second, first)]
    found = db.resolve_many("pair", worker, outcomes)
    assert found == {first: "applied", second: "failed"}


def test_a_delay_where_no_worker_claims_is_refused_by_create_many_too(db: Db) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no delay"):
        db.create_many("born", [{"_delay": "1 h"}])


def test_a_spawn_with_a_delay_where_no_worker_claims_does_not_compile() -> None:
    text = MACHINES.replace("spawn born()", "spawn born() in 1h")
    found = compile_sources([Source("workflows.jet", text)])
    assert {diagnostic.rule.code for diagnostic in found.diagnostics if diagnostic.is_error} == {"J312"}


def test_a_length_of_time_between_moments_has_no_days(db: Db) -> None:
    id = db.create("reckons")
    db.send("reckons", id, "GO", {"at": "2026-01-30T00:29:55.000006Z", "c": {}, "xs": []})
    assert db.task("reckons", id).s == "696:29:55.000006"


def test_the_first_element_of_what_is_no_array_is_nothing(db: Db) -> None:
    id = db.create("reckons")
    for value, found in (("x", None), (5, None), ({"0": "x"}, None), (["x"], "x")):
        db.send("reckons", id, "GO", {"at": "2026-01-30T00:00:00Z", "c": value, "xs": []})
        assert db.task("reckons", id).found == found


def test_whether_something_optional_is_in_an_array_can_be_a_guard_of_when(db: Db) -> None:
    id = db.create("reckons")
    db.send("reckons", id, "GO", {"at": "2026-01-30T00:00:00Z", "c": 1, "x": 3, "xs": [3]})
    assert db.task("reckons", id).s == "in"


def test_a_hop_tells_what_it_set_and_not_what_creation_did_before(db: Db) -> None:
    id = db.create("born")
    assert [hop.changed for hop in db.hops("born", id)] == [None, {"n": 11}]


def test_a_spawned_task_is_made_by_who_moved_its_parent(db: Db) -> None:
    db.create("maker")
    worker = db.worker("ada")
    db.resolve("maker", worker, db.claim_one("maker", worker), "SUCCESS")
    (id,) = (row.id for row in db.rows("select id from m.born"))
    assert {hop.actor for hop in db.hops("born", id)} == {"ada"}


def test_a_claim_does_not_spawn_again_what_the_dispatch_before_it_spawned(db: Db) -> None:
    id = db.create("queues")
    db.send("queues", id, "STOP")
    worker = db.worker()
    assert db.claim("queues", worker).ids == [id]
    assert db.value("select count(*) from m.born") == 1


def test_a_result_behind_a_lost_lease_is_late_where_its_sweep_failed(db: Db) -> None:
    db.create("poison")
    worker = db.worker()
    task = db.claim_one("poison", worker)
    db.run("select jet.worker_stop(%s)", worker)
    assert db.value("select jet.tick()") == 1
    assert db.task("poison", task.id)._stuck["event"] == "LEASE_EXPIRED"
    assert db.resolve_many("poison", worker, [outcome(task, "SUCCESS")]) == {task.id: "lost"}
    assert db.hops("poison", task.id)[-1].event == "late"


def test_a_result_is_late_where_the_timeout_was_stuck_and_then_dispatched_again(db: Db) -> None:
    id = db.create("slow", patient=True)
    worker = db.worker("w", "1 d")
    task = db.claim_one("slow", worker)
    db.shift("2 h")
    db.run("update jet.pulse set late_at = '-infinity'")
    assert db.value("select jet.tick()") == 1
    db.send("slow", id, "NUDGE")
    db.value("select applied from m.slow_retry(%s)", id)
    assert db.task("slow", id).state == "rests"
    assert db.resolve_many("slow", worker, [outcome(task, "SUCCESS")]) == {id: "lost"}
    assert db.hops("slow", id)[-1].event == "late"


def test_a_stuck_task_that_enters_its_state_again_is_stuck_no_more(db: Db) -> None:
    id = db.create("again")
    assert db.claim("again", db.worker()).ids == []
    assert db.task("again", id)._stuck["error"] == "not yet"
    db.send("again", id, "STAY")
    assert db.task("again", id).run_at is None
    db.send("again", id, "GO", {"at": "2026-01-30T00:00:00Z", "c": 1, "x": 3, "xs": [3]})
    assert db.task("again", id)._stuck is None
    assert db.task("again", id).run_at is not None


def test_a_run_that_took_too_long_is_stuck_on_its_timeout(db: Db) -> None:
    db.create("poison")
    worker = db.worker("w", "1 d")
    task = db.claim_one("poison", worker)
    db.shift("2 h")
    db.run("update jet.pulse set late_at = '-infinity'")
    assert db.value("select jet.tick()") == 1
    assert db.task("poison", task.id)._stuck["event"] == "TIMEOUT"


def test_a_repeated_key_is_not_sorted_by_what_could_fail(db: Db) -> None:
    first = db.create("reads", digits="1", _key="k")
    again, other = db.create_many("reads", [{"digits": "x", "_key": "k"}, {"digits": "2"}])
    assert (again, db.task("reads", other).v) == (first, 2)


def test_a_repeated_key_does_nothing_that_could_fail(db: Db) -> None:
    first = db.create("divides", n=5, _key="k")
    assert db.create("divides", n=0, _key="k") == first
    assert db.create_many("divides", [{"n": 0, "_key": "k"}, {"n": 1}])[0] == first
    with pytest.raises(psycopg.errors.DivisionByZero):
        db.create("divides", n=0, _key="l")


@pytest.mark.parametrize(
    ("clauses", "what"),
    [
        ("unique (n) or return", "`unique` over `n`"),
        ("unique (s) while in (s1) or return", "`unique` in `s1`"),
    ],
)
def test_unique_over_what_creation_changes_is_refused(clauses: str, what: str) -> None:
    text = MACHINES.replace("machine born {", f"machine born {{ {clauses}")
    found = compile_sources([Source("workflows.jet", text)])
    assert [(each.rule.code, each.message.startswith(what)) for each in found.diagnostics if each.is_error] == [
        ("J090", True)
    ]
