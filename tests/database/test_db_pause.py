"""`jet.pause`: no worker claims what is paused, and all of it is found again."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db

MACHINES = """\
module m

machine order(n: int = 0, tenant: text = "a") {
  initial state open { on GO -> charging }
  step charging(max_attempts: 2) {
    run "app:charge"
    on SUCCESS   -> shipping
    on ABANDONED -> lost
  }
  step shipping {
    run "app:ship"
    on SUCCESS   -> done
    on ABANDONED -> lost
  }
  final state done
  failure state lost
}

machine job(n: int = 0) is task { state running { run "app:f" } }

machine call(tenant: text) is task {
  fair by tenant
  state running { run "app:f" }
}
"""


def ordered(db: Db, count: int) -> list[int]:
    """Orders of which every second one is to be shipped, the others to be charged, which are due first."""
    ids, worker = [db.create("order") for _ in range(count)], db.worker()
    for id in ids:
        db.send("order", id, "GO")
    tasks = db.claim("order", worker, count).tasks
    for task in tasks[1::2]:
        db.resolve("order", worker, task, "RELEASED")
    for task in tasks[::2]:
        db.resolve("order", worker, task, "SUCCESS")
    return ids


@pytest.mark.parametrize("machine", ["job", "call"])
def test_nothing_of_a_paused_machine_is_claimed_and_all_of_it_later(db: Db, machine: str) -> None:
    params = {"tenant": "a"} if machine == "call" else {}
    ids = [db.create(machine, **params) for _ in range(5)]
    worker = db.worker()
    first = db.claim(machine, worker, 2)
    db.run("select jet.pause(%s)", f"m.{machine}")
    db.run("select jet.pause(%s)", f"m.{machine}")
    paused = db.claim(machine, worker, 2, first.mark)
    assert paused.ids == []
    assert db.resolve(machine, worker, first.tasks[0], "SUCCESS") == "applied"
    assert db.create(machine, **params) not in db.claim(machine, worker).ids
    db.run("select jet.resume(%s)", f"m.{machine}")
    found = db.claim(machine, worker, 10, paused.mark)
    assert found.ids[:3] == ids[2:]
    assert len(found.ids) == 4


def test_one_queue_is_paused_and_the_others_go_on(db: Db) -> None:
    ids = ordered(db, 6)
    db.run("select jet.pause('m.order', 'charging')")
    worker = db.worker()
    found = db.claim("order", worker, 2)
    assert {task.state for task in found.tasks} == {"shipping.running"}
    found = db.claim("order", worker, 10, found.mark)
    assert {task.state for task in found.tasks} == {"shipping.running"}
    found = db.claim("order", worker, 10, found.mark)
    assert found.ids == []
    db.run("select jet.resume('m.order', 'charging')")
    found = db.claim("order", worker, 10, found.mark)
    assert {task.state for task in found.tasks} == {"charging.running"}
    assert len(found.ids) == 3
    assert set(found.ids) < set(ids)


def test_the_mark_leaves_what_is_paused_behind_and_the_end_of_the_pause_leaves_the_mark(db: Db) -> None:
    ordered(db, 40)
    db.run("select jet.pause('m.order', 'charging')")
    worker, mark, seen = db.worker(), None, 0
    for _ in range(12):
        found = db.claim("order", worker, 4, mark)
        mark, seen = found.mark, seen + len(found.ids)
    assert seen == 20
    low = mark["p"]["0"][0]
    assert low != "-infinity"
    db.run("select jet.resume('m.order')")
    seen = 0
    for _ in range(8):
        found = db.claim("order", worker, 4, mark)
        mark, seen = found.mark, seen + len(found.ids)
    assert seen == 20


@pytest.mark.parametrize("state", ["charging", "charging.ready", "charging.running"])
def test_a_state_may_be_named_in_three_ways(db: Db, state: str) -> None:
    db.run("select jet.pause('m.order', %s)", state)
    assert db.value("select array_agg(state) from jet.paused") == ["charging.ready"]
    db.run("select jet.resume('m.order', %s)", state)
    assert db.value("select count(*) from jet.paused") == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("pause('m.none')", "there is no machine m.none"),
        ("pause(null)", "there is no machine null"),
        ("pause('m.order', 'open')", "state open of m.order is no queue"),
        ("resume('m.order', 'x')", "state x of m.order is no queue"),
    ],
)
def test_what_cannot_be_paused_is_said(db: Db, call: str, says: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=says):
        db.run(f"select jet.{call}")


def test_a_state_of_a_machine_that_is_paused_whole_is_not_resumed_alone(db: Db) -> None:
    db.run("select jet.pause('m.order')")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="paused as a whole"):
        db.run("select jet.resume('m.order', 'charging')")
    db.run("select jet.resume('m.order')")
    ordered(db, 2)
    assert len(db.claim("order", db.worker()).ids) == 2
