"""`jetpackc test`: what tests do on a real database, what a failing one says, what `--paths` counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
from told import Cli, Told

from jetpackc.postgres import Server

SHOP = """module shop

enum tier { free, pro }

event PAID(amount: numeric)
event CANCEL

machine order(number: int, tier: tier = free) {
  unique (number)
  var total: numeric = 0
  var receipt: text?

  initial state cart {
    on PAID when amount > 0 -> charging { set total = amount }
    on CANCEL               -> cancelled
  }
  step charging(max_attempts: 3, backoff: 10s..1m) {
    run "shop.payments:charge"
    timeout 30s
    on SUCCESS(receipt: text) -> sending { set receipt = event.receipt }
    on DECLINED               -> cart
    on ABANDONED              -> refused
  }
  state sending {
    enter { spawn mail(address: "a@b") }
    enter -> done
  }
  final state done, cancelled
  failure state refused
}

machine mail(address: text) is task(max_attempts: 2) {
  state running { run "shop.mail:send" }
}
"""

Run = Callable[..., Told]


@pytest.fixture
def run(cli: Cli, postgres: Server, tmp_path: Path) -> Run:
    """Runs tests against the server of the tests."""

    def call(*statements: str, options: tuple[str, ...] = (), program: str = SHOP) -> Told:
        body = "\n".join(f"  {statement}" for statement in statements)
        (tmp_path / "workflows.jet").write_text(f'{program}\ntest "it holds" {{\n{body}\n}}\n')
        return cli("test", "--dsn", postgres.dsn(), *options)

    return call


# ---------------------------------------------------------------- what happens


def test_a_story_with_retries_and_virtual_time(run: Run) -> None:
    told = run(
        'stub charge raises "down" twice',
        'stub charge returns (receipt: "r.pdf")',
        "create order(number: 1, tier: pro) as first",
        "expect tier == pro and total == 0 and receipt is null",
        "send PAID(amount: 12.50)",
        "expect sent applied",
        "expect state charging",
        "advance 4s",
        "expect attempts == 1",
        "advance 1m30s",
        "expect state done",
        "expect attempts == 3 and total == 12.5",
        'expect (receipt ?? "") == "r.pdf"',
    )
    assert (told.code, told.out.splitlines()[-1]) == (0, "1 passed"), told.out


def test_time_stands_still_but_for_advance(run: Run) -> None:
    told = run(
        "create order(number: 1)",
        "expect now() - created_at < 1ms",
        "advance 36h",
        "expect now() - created_at == 36h",
    )
    assert told.code == 0, told.out


def test_work_is_done_in_the_order_in_which_it_falls_due(run: Run) -> None:
    program = """module m
machine tick(every: interval) {
  var seen: timestamptz?
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "m:tick"
    on SUCCESS when attempts < 0 -> ended
    on SUCCESS -> ready in every { set seen = now() }
    on ERROR -> ended
  }
  final state ended
}
"""
    told = run(
        "create tick(every: 7m) as a",
        "create tick(every: 1h) as b",
        "advance 3h",
        "expect a.seen is not null",
        "expect (a.seen ?? a.created_at) - a.created_at < 2h56m + 1s",
        "expect (a.seen ?? a.created_at) - a.created_at > 2h54m",
        "expect (b.seen ?? b.created_at) - b.created_at > 3h - 1s",
        program=program,
    )
    assert told.code == 0, told.out


def test_timers_fire_as_time_goes_by(run: Run) -> None:
    program = """module m
machine cart(ends: timestamptz? = null) {
  var reminders: int = 0
  initial state open {
    after 23h when reminders == 0 { increment reminders }
    after 24h -> late
    at ends   -> closed
    on PAID   -> closed
  }
  state late { after 1h -> closed }
  final state closed
}
"""
    told = run(
        "create cart as first",
        "create cart(ends: now() + 30m) as second",
        "advance 23h",
        "expect first.reminders == 1",
        "expect second state closed",
        "expect second.entered_at - second.created_at < 31m",
        "advance 59m59s999ms",
        "expect first state open",
        "advance 1ms",
        "expect first state late",
        "advance 12h",
        "expect first state closed",
        "expect first.entered_at - first.created_at == 25h",
        program=program,
        options=("--paths",),
    )
    assert told.code == 0, told.out
    assert "transitions taken: 3 of 4 (75 %)" in told.out
    assert "open -PAID-> closed" in told.out


def test_schedules_run_as_time_goes_by(run: Run) -> None:
    program = """module m
machine report(day: date) {
  unique (day)
  initial state open { on DONE -> closed }
  final state closed
}
schedule nightly cron "0 3 * * *" in "UTC" spawn report(day: today)
"""
    told = run(
        "advance 2h59m",
        'create report(day: "2026-01-01" as date)',
        "send DONE",
        "advance 1m",
        'create report(day: "2026-01-01" as date)',
        'expect error "already has a live task"',
        "advance 24h",
        'create report(day: "2026-01-02" as date)',
        'expect error "already has a live task"',
        'create report(day: "2026-01-03" as date)',
        program=program,
    )
    assert told.code == 0, told.out


def test_what_is_below_a_task_is_counted(run: Run) -> None:
    program = """module m
machine batch(names: text[]) {
  initial state open {
    enter { spawn part(name: x) for x in names }
    on CLOSE -> closed
  }
  final state closed
}
machine part(name: text) is task(max_attempts: 1) {
  state running { run "m:part" }
  state done { enter { spawn audit() } }
}
machine audit { final state written  initial state open { enter -> written } }
"""
    told = run(
        'stub part raises "no" once',
        'create batch(names: ["a", "b", "c"]) as b',
        "create batch(names: [])",
        "expect children.count(done) == 0 and children.all(done) and not subtree.some(final)",
        "expect b.children.count(done) == 2 and b.children.count(failure) == 1",
        "expect b.children.count(part.abandoned) == 1 and b.children.count(final) == 3",
        "expect b.subtree.count(final) == 5 and b.subtree.count(audit.written) == 2",
        "expect b.children.some(failure) and not b.children.all(done) and b.subtree.all(final)",
        "expect b.children.count(done) == 3",
        program=program,
    )
    assert told.code == 1
    assert "`children.count(done)` is `2`" in told.out, told.out


def test_messages_go_through_a_tree(run: Run) -> None:
    program = """module m
machine parent {
  var answers: int = 0
  initial state open {
    enter { spawn child() as one }
    on ASK            -> asked { send one QUESTION }
  }
  state asked {
    on ANSWER { increment answers }
    on SUBTREE_FLUSHED when answers == 1 -> closed
  }
  final state closed
}
machine child {
  initial state idle { on QUESTION -> told { send parent ANSWER } }
  state told { after 1h -> over }
  final state over
}
"""
    told = run(
        "create parent",
        "send ASK",
        "expect answers == 1",
        "expect children.count(told) == 1",
        "expect state asked",
        "advance 1h",
        "expect state closed",
        program=program,
    )
    assert told.code == 0, told.out + told.err


FAMILY = """module m
event LOST
machine order(parts: text[]) {
  var lost: int = 0
  initial state open {
    enter { spawn part(name: x) for x in parts }
    on GONE { increment lost }
  }
  final state closed
  on CLOSE -> closed
}
machine part(name: text) {
  initial state sent {
    on LOST -> lost
    on SPLIT { spawn part(name: name ++ "1") }
  }
  state lost { enter { send parent GONE  spawn root audit(what: name) }  after 1h -> over }
  final state over
}
machine audit(what: text) {
  initial state noted { on READ -> read }
  final state read
}
schedule nightly cron "0 3 * * *" in "UTC" spawn audit(what: "night")
"""


def test_tasks_that_were_spawned_are_named_in_their_order(run: Run) -> None:
    told = run(
        'create order(parts: ["a", "b"]) as first',
        'create order(parts: ["c"])',
        "spawned part as a",
        "spawned part of first as b",
        "spawned part as c",
        'expect a.name == "a" and b.name == "b" and c.name == "c" and c.parent == id',
        "send b LOST",
        "expect sent applied",
        "expect b state lost",
        "expect a state sent",
        "expect first.lost == 1 and lost == 0",
        "spawned audit as noted",
        'expect noted.what == "b" and noted.parent is null',
        "advance 3h",
        "expect b state over",
        "spawned audit as nightly",
        'expect nightly.what == "night"',
        "send nightly READ",
        "expect nightly state read",
        program=FAMILY,
        options=("--paths",),
    )
    assert told.code == 0, told.out + told.err
    assert "sent -LOST-> lost" not in told.out


def test_children_of_children_are_named_by_their_parent(run: Run) -> None:
    told = run(
        'create order(parts: ["a", "b"])',
        "spawned part as a",
        "send a SPLIT",
        "spawned part of a as below",
        "spawned part as b",
        'expect below.name == "a1" and b.name == "b"',
        "expect below.parent == a.id and below.depth == 2",
        program=FAMILY,
    )
    assert told.code == 0, told.out + told.err


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["spawned part as a", "spawned part as b"], "no other `part` has been spawned"),
        (["spawned audit as a"], "no `audit` has been spawned"),
        (["spawned part as a", "spawned part of a as b"], "it has no child `part`"),
    ],
)
def test_a_task_that_was_not_spawned_is_told_with_what_happened(run: Run, statements: list[str], said: str) -> None:
    told = run('create order(parts: ["a"]) as o', *statements, program=FAMILY)
    assert told.code == 1
    assert "error[J614]" in told.out
    assert said in told.out
    assert "m.part 2 is in sent" in told.out or "m.order 1 is in open" in told.out


DYING = """module m
machine job(kind: text) {
  limit 1 per kind
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running {
    run "m:work"
    timeout 5m
    on SUCCESS       -> done
    on LEASE_EXPIRED -> ready
    on TIMEOUT       -> slow
    on ERROR         -> failed
    on CANCEL        -> failed
  }
  final state done, slow
  failure state failed
}
"""


def test_a_worker_that_dies_keeps_its_task_until_its_lease_is_over(run: Run) -> None:
    told = run(
        "stub work dies twice",
        "stub work returns ()",
        'create job(kind: "a") as first',
        'create job(kind: "a") as second',
        "advance 29s",
        "expect first state running",
        "expect second state ready",
        "advance 1s",
        "expect first state ready",
        "expect second state running",
        "advance 30s",
        "expect first state done",
        "expect second state done",
        "expect first.attempts == 2 and second.attempts == 2",
        "expect first.entered_at - first.created_at >= 60s and first.entered_at - first.created_at < 60s + 100ms",
        program=DYING,
        options=("--paths",),
    )
    assert told.code == 0, told.out + told.err
    assert "running -LEASE_EXPIRED-> ready" not in told.out


def test_a_dead_worker_takes_nobody_elses_task_along(run: Run) -> None:
    told = run(
        "stub work hangs once",
        "stub work dies once",
        'create job(kind: "a") as hanging',
        'create job(kind: "b") as dying',
        'create job(kind: "c") as sound',
        "expect sound state done",
        "advance 1m",
        "expect hanging.attempts == 1 and hanging.state == running",
        "expect dying.attempts == 2 and dying.state == done",
        "advance 4m",
        "expect hanging state slow",
        program=DYING,
    )
    assert told.code == 0, told.out + told.err


def test_a_timeout_that_is_over_beats_the_lease_and_a_task_that_went_on_is_let_go(run: Run) -> None:
    told = run(
        "stub work dies",
        'create job(kind: "a") as first',
        'create job(kind: "b") as second',
        "send second CANCEL",
        "advance 30s",
        "expect first state slow",
        "expect second state failed",
        "expect second.attempts == 1",
        program=DYING.replace("timeout 5m", "timeout 20s"),
    )
    assert told.code == 0, told.out + told.err


def test_a_rate_lets_go_as_time_goes_by(run: Run) -> None:
    program = """module m
machine call(n: int) is task(max_attempts: 1) {
  limit 2 per 1m
  state running { run "m:call" }
}
"""
    created = [f"create call(n: {number}) as c{number}" for number in range(5)]
    told = run(
        *created,
        "expect c1 state done",
        "expect c2 state ready",
        "advance 10m",
        "expect c3 state done",
        "expect c4.entered_at - c0.entered_at < 3m",
        "expect c2.entered_at - c0.entered_at >= 58s",
        "expect c2.entered_at - c0.entered_at < 63s",
        program=program,
    )
    assert told.code == 0, told.out


def test_a_hanging_handler_meets_its_timeout(run: Run) -> None:
    told = run(
        "stub charge hangs twice",
        'stub charge returns (receipt: "r.pdf")',
        "create order(number: 1)",
        "send PAID(amount: 5)",
        "advance 29s",
        "expect state charging.running",
        "advance 5m",
        "expect state done",
        "expect attempts == 3",
    )
    assert told.code == 0, told.out


def test_a_hanging_handler_whose_task_went_on_is_forgotten(run: Run) -> None:
    program = SHOP.replace("timeout 30s\n", "timeout 30s\n    on CANCEL -> cancelled\n")
    told = run(
        "stub charge hangs",
        "create order(number: 1)",
        "send PAID(amount: 5)",
        "send CANCEL",
        "advance 1h",
        "expect state cancelled",
        program=program,
    )
    assert told.code == 0, told.out


def test_counted_stubs_come_first_and_the_last_standing_one_holds(run: Run) -> None:
    told = run(
        'stub charge raises "never"',
        "stub charge returns DECLINED",
        'stub charge returns (receipt: "r") once',
        "create order(number: 1)",
        "send PAID(amount: 5)",
        "expect state done",
        "create order(number: 2)",
        "send PAID(amount: 5)",
        "expect state cart",
    )
    assert told.code == 0, told.out


def test_tasks_are_compared(run: Run) -> None:
    told = run(
        "create order(number: 1, tier: pro) as t",
        "send PAID(amount: 0)",
        "create order(number: 2)",
        "expect t.id == id - 1 and t.tier != tier and t.state == state",
        "expect t.number + 5 == number",
    )
    assert told.code == 1
    assert "`t.number` is `1`, `number` is `2`" in told.out
    assert "shop.order 1 is in cart" in told.out
    assert "shop.order 2 is in cart" in told.out


def test_an_event_that_is_ignored_changes_nothing(run: Run) -> None:
    told = run("create order(number: 1)", "send PAID(amount: 0)", "expect sent ignored", "expect state cart")
    assert told.code == 0, told.out


def test_an_event_that_would_break_what_is_unique_is_refused(run: Run) -> None:
    program = SHOP.replace(
        "final state done, cancelled", "final state done\n  final state cancelled { on RETRY -> cart }"
    )
    told = run(
        "create order(number: 1) as first",
        "send CANCEL",
        "create order(number: 1)",
        "send first RETRY",
        "expect sent refused",
        "expect first state cancelled",
        program=program,
    )
    assert told.code == 0, told.out


def test_a_refused_create_is_expected(run: Run) -> None:
    told = run(
        "create order(number: 1) as first",
        "create order(number: 1)",
        'expect error "already has a live task"',
        "send CANCEL",
        "expect first state cancelled",
        "create order(number: 1)",
        "expect state cart",
    )
    assert told.code == 0, told.out


def test_each_test_begins_with_an_empty_database(cli: Cli, postgres: Server, tmp_path: Path) -> None:
    story = "create order(number: 1)\nexpect id == 1\n"
    (tmp_path / "workflows.jet").write_text(f'{SHOP}test "a" {{\n{story}}}\ntest "b" {{\n{story}}}\n')
    told = cli("test", "--dsn", postgres.dsn())
    assert told.code == 0, told.out
    with psycopg.connect(postgres.dsn()) as connection:
        left = connection.execute("select datname from pg_database where datname like 'jetpack\\_test\\_%'").fetchall()
    assert left == []


# ---------------------------------------------------------------- what a failure says


def test_a_timeline_is_told_in_utc_wherever_the_server_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    assert "  2026-01-01 00:00:00.000  " in run("create order(number: 1)", "expect state done").out


def test_a_wrong_state_is_told_with_the_timeline(run: Run) -> None:
    told = run("create order(number: 1)", "send CANCEL", "expect state done")
    assert told.code == 1
    lines = [line.rstrip() for line in told.out.splitlines()]
    assert lines[0].startswith("FAIL  it holds")
    assert lines[2:8] == [
        "error[J610]: in test `it holds`: the task is in `cancelled`, not in `done`",
        "  --> workflows.jet:39:3",
        "   |",
        "39 |   expect state done",
        "   |   ^^^^^^^^^^^^^^^^^ it is in `cancelled`",
        "",
    ]
    assert lines[8] == "shop.order 1 is in cancelled"
    assert "-> cart" in lines[9]
    assert "CANCEL  cart -> cancelled" in lines[10]
    assert lines[-1] == "0 passed, 1 failed"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["expect total > 1 and receipt is not null"], ["this does not hold", "`total` is `0`, `receipt` is null"]),
        (["expect total / 0 == 1"], ["it cannot be told: division by zero"]),
        (["send PAID(amount: 0)", "expect sent applied"], ["was ignored: state cart does not take PAID"]),
        (["send CANCEL", "expect sent ignored"], ["the event was applied"]),
        (["create order(number: 1)"], ["error[J611]", "it is refused: shop.order already has a live task"]),
        (["create order(number: 2)", 'expect error "x"'], ["nothing was refused", "there was no error"]),
        (["create order(number: 1)", 'expect error "xyz"'], ["refused for another reason", "it was: shop.order al"]),
        (["send PAID(amount: 5)"], ["error[J612]", "answers with `receipt`", "stub charge returns (receipt: …)"]),
        (["advance 0h - 1h"], ["time does not go back"]),
    ],
)
def test_what_is_wrong_is_told(run: Run, statements: list[str], said: list[str]) -> None:
    told = run("create order(number: 1)", *statements)
    assert told.code == 1
    assert [part for part in said if part not in told.out] == [], told.out


def test_an_event_that_is_kept_for_later_is_told(run: Run) -> None:
    program = """module m
machine door {
  initial state shut {
    defer KNOCK
    on OPEN -> open
  }
  state open { on KNOCK -> done }
  final state done
}
"""
    told = run("create door", "send KNOCK", "expect state done", program=program)
    assert "\n  kept: KNOCK  until the state changes\n" in told.out


def test_work_without_end_is_told(run: Run) -> None:
    program = """module m
machine spin {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "m:spin"
    on SUCCESS when attempts < 0 -> ended
    on SUCCESS -> ready
    on ERROR   -> ended
  }
  final state ended
}
"""
    told = run("create spin", program=program)
    assert told.code == 1
    assert "error[J613]" in told.out


def test_a_program_with_mistakes_is_not_run(run: Run) -> None:
    told = run("create ordr(number: 1)")
    assert told.code == 1
    assert "did you mean `order`?" in told.err
    assert told.out == ""


# ---------------------------------------------------------------- which tests, and for whom


def test_tests_of_a_folder_stand_in_their_own_files_as_well(cli: Cli, postgres: Server, tmp_path: Path) -> None:
    (tmp_path / "shop.jet").write_text(f'{SHOP}test "here" {{ create order(number: 1) }}\n')
    for name in ("a", "b"):
        text = f'import "shop.jet"\nmodule shop\ntest "in {name}" {{ create order(number: 1) }}\n'
        (tmp_path / f"{name}_test.jet").write_text(text)
    told = cli("test", "--dsn", postgres.dsn())
    assert [line[6:].split("  ")[0] for line in told.out.splitlines()[:-1]] == ["here", "in a", "in b"]
    told = cli("test", "--dsn", postgres.dsn(), "a_test.jet")
    assert [line[6:].split("  ")[0] for line in told.out.splitlines()[:-1]] == ["in a"]
    told = cli("test", "--dsn", postgres.dsn(), "-k", "IN B")
    assert [line[6:].split("  ")[0] for line in told.out.splitlines()[:-1]] == ["in b"]
    told = cli("test", "--dsn", postgres.dsn(), "-k", "nowhere")
    assert (told.code, "no test has `nowhere` in its name" in told.err) == (2, True)
    assert cli("build").code == 0
    assert cli("check").code == 0


def test_a_program_without_tests_says_how_to_write_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(SHOP)
    told = cli("test")
    assert (told.code, "there is no test in `workflows.jet`" in told.err) == (1, True)


def test_json_holds_what_failed_and_the_history(run: Run) -> None:
    told = run("create order(number: 1)", "expect state done", options=("--json", "--paths"))
    assert told.code == 1
    found = json.loads(told.out)
    assert (found["passed"], found["failed"]) == (0, 1)
    (test,) = found["tests"]
    assert (test["name"], test["file"], test["passed"]) == ("it holds", "workflows.jet", False)
    failure = test["failure"]
    assert (failure["code"], failure["statement"]) == ("J610", "expect state done")
    assert failure["actual"] == "it is in `cart`"
    assert [hop["to_state"] for hop in failure["tasks"][0]["history"]] == ["cart"]
    assert found["paths"]["taken"] == 0
    assert {
        "machine": "shop.order",
        "state": "cart",
        "trigger": "CANCEL",
        "target": "cancelled",
        "file": "workflows.jet",
        "line": 15,
    } in found["paths"]["missed"]


def test_junit_has_a_case_a_test(run: Run, tmp_path: Path) -> None:
    told = run("create order(number: 1)", "expect state done", options=("--junit", "out.xml"))
    assert told.code == 1
    root = ElementTree.parse(tmp_path / "out.xml").getroot()
    (case,) = root.iter("testcase")
    assert (case.get("name"), case.get("file")) == ("it holds", "workflows.jet")
    (failure,) = case.iter("failure")
    assert "shop.order 1 is in cart" in (failure.text or "")


def test_paths_tell_which_arrows_no_test_takes(run: Run) -> None:
    told = run(
        'stub charge returns (receipt: "r")',
        "create order(number: 1)",
        "send PAID(amount: 5)",
        options=("--paths",),
    )
    assert told.code == 0
    lines = [line.rstrip() for line in told.out.splitlines()]
    at = next(index for index, line in enumerate(lines) if line.startswith("transitions taken"))
    assert lines[at:] == [
        "transitions taken: 3 of 6 (50 %)",
        "no test of shop.order takes",
        "  cart -CANCEL-> cancelled       workflows.jet:15",
        "  charging -DECLINED-> cart      workflows.jet:21",
        "  charging -ABANDONED-> refused  workflows.jet:22",
    ]


def test_a_server_that_is_not_there_is_a_database_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(f'{SHOP}test "t" {{ create order(number: 1) }}\n')
    told = cli("test", "--dsn", "host=/nowhere dbname=x")
    assert (told.code, "the database cannot be used" in told.err) == (4, True)
