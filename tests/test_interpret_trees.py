"""Trees in the interpreter and in Postgres: the same random events, the same tasks and histories."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from checking import program
from psycopg.types.json import Jsonb

from jetpackc.interpret import UndoneError, World

sys.path.append(str(Path(__file__).parent / "database"))
from test_db_random_trees import MACHINES as FOUND
from test_db_trees import MACHINES

EVENTS: dict[str, list[str]] = {
    "order": ["GO", "UNDO", "BAD"],
    "parcel": ["GO", "GO", "UNDO", "FAIL", "TELL", "BAD"],
    "label": ["GO"],
    "careful": ["GO", "READY", "UNDO"],
    "eager": [],
    "lonely": ["GO"],
    "deep": ["GO", "GO", "UNDO"],
}
PARAMS: dict[str, dict[str, Any]] = {"order": {"n": 1}, "lonely": {"n": 3}, "deep": {"level": 2}}
PUMPED = ("deep", "order", "parcel", "eager", "lonely")


@pytest.mark.parametrize("seed", range(3))
def test_both_play_the_same(fresh: Callable[[str], str], seed: int) -> None:
    dice = random.Random(seed)
    world = World(program(MACHINES), datetime(2026, 1, 1, tzinfo=UTC))
    with psycopg.connect(fresh(MACHINES), autocommit=True) as db:
        pumped = [machine for machine in PUMPED if _has_pump(db, machine)]
        for machine in EVENTS:
            _create(db, world, machine)
        for number in range(121):
            if dice.random() < 0.4:
                machine = dice.choice(pumped)
                db.execute(f"select m.{machine}_pump()".encode())
                world.pump(f"m.{machine}")
            else:
                _send(db, world, dice)
            if number % 20 == 0:
                assert _told(world) == _stored(db)


def _has_pump(db: psycopg.Connection[Any], machine: str) -> bool:
    row = db.execute("select to_regprocedure(%s)", (f"m.{machine}_pump(integer)",)).fetchone()
    return row is not None and row[0] is not None


def _create(db: psycopg.Connection[Any], world: World, machine: str) -> None:
    params = PARAMS.get(machine, {"n": 1} if machine in {"parcel", "label"} else {})
    row = db.execute(f"select m.{machine}_create_many(%s)".encode(), (Jsonb([params]),)).fetchone()
    assert row is not None
    assert row[0] == world.create(f"m.{machine}", params, "postgres")


def _send(db: psycopg.Connection[Any], world: World, dice: random.Random) -> None:
    task = dice.choice([one for one in world.tasks.values() if EVENTS[one.machine.removeprefix("m.")]])
    machine = task.machine.removeprefix("m.")
    event = dice.choice(EVENTS[machine])
    payload: dict[str, Any] = {"READY": {"n": dice.randint(1, 9)}}.get(event, {})
    if event == "TELL":
        payload = {"to": dice.choice([None, 4711, *world.tasks])}
    answers: list[object] = []
    try:
        sent = world.send(task.id, event, payload, "postgres")
        answers.append((sent.applied, sent.state))
    except UndoneError:
        answers.append("undone")
    try:
        query = f"select applied, state from m.{machine}_send(%s, %s, %s)".encode()
        answers.append(db.execute(query, (task.id, event, Jsonb(payload))).fetchone())
    except psycopg.errors.RaiseException:
        answers.append("undone")
    assert answers[0] == answers[1], (task, event)


def _told(world: World) -> dict[int, object]:
    found = {}
    for id, task in world.tasks.items():
        hops = [(hop.event, hop.from_state, hop.to_state) for hop in world.history if hop.id == id]
        found[id] = (task.machine, task.state, dict(sorted(task.vars.items())), bool(task.stuck), hops)
    return found


def _stored(db: psycopg.Connection[Any]) -> dict[int, object]:
    found: dict[int, object] = {}
    for machine in EVENTS:
        rows = db.execute(f'select to_jsonb(t) from m."{machine}" t'.encode()).fetchall()
        hops: dict[int, list[object]] = {}
        query = f"select id, event, from_state, to_state from m.{machine}_history order by id, seq"
        for id, *hop in db.execute(query.encode()).fetchall():
            hops.setdefault(id, []).append(tuple(hop))
        names = {var.name for one in program(MACHINES).modules[0].machines if one.name == machine for var in one.vars}
        for (row,) in rows:
            vars = {name: row[name] for name in sorted(names)}
            found[row["id"]] = (f"m.{machine}", row["state"], vars, row["_stuck"] is not None, hops[row["id"]])
    return found


def test_one_that_is_there_already_is_no_child_and_is_not_counted() -> None:
    world = World(program(MACHINES), datetime(2026, 1, 1, tzinfo=UTC))
    there = [world.create("m.room", {"n": n}, "postgres") for n in (0, 1)]
    id = world.create("m.round", {"rooms": [1, 2, 3]}, "postgres")
    world.send(id, "GO", {}, "postgres")
    assert (world.tasks[id].vars["hall"], len(world.tasks[id].known)) == (there[0], 2)
    for room in [*world.tasks[id].known]:
        world.send(room, "GO", {}, "postgres")
    world.pump("m.round")
    assert (world.tasks[id].state, world.tasks[id].vars["left"]) == ("done", 2)
    full = world.create("m.round", {"rooms": [1]}, "postgres")
    assert world.send(full, "GO", {}, "postgres").state == "done"


def test_an_event_that_moves_a_stuck_task_on_lets_it_hear_what_came_meanwhile() -> None:
    world = World(program(FOUND), datetime(2026, 1, 1, tzinfo=UTC))
    counter, asker = (world.create(f"m.{machine}", {}, "postgres") for machine in ("counter", "asker"))
    for bad in (True, False, False):
        world.send(asker, "TELL", {"to": counter, "bad": bad}, "postgres")
        world.pump("m.counter")
    world.send(counter, "NUDGE", {}, "postgres")
    world.send(asker, "TELL", {"to": counter, "bad": False}, "postgres")
    assert world.send(counter, "CANCEL", {}, "postgres").state == "calm"
    world.pump("m.counter")
    assert world.tasks[counter].vars == {"n": 4, "log": "ccc"}


NULLS = """\
module m
machine trip(cities: text[]) {
  initial state open { on GO -> done { spawn hotel(city: city) for city in cities } }
  final state done
}
machine hotel(city: text, stars: int = 3) { initial state open { on GO -> done } final state done }
"""


def test_an_element_that_is_null_goes_to_no_param_that_must_be_given(fresh: Callable[[str], str]) -> None:
    world = World(program(NULLS), datetime(2026, 1, 1, tzinfo=UTC))
    id = world.create("m.trip", {"cities": ["Oslo", None]}, "postgres")
    with pytest.raises(UndoneError) as found:
        world.send(id, "GO", {}, "postgres")
    assert (found.value.sqlstate, len(world.tasks), world.tasks[id].state) == ("22023", 1, "open")
    with psycopg.connect(fresh(NULLS), autocommit=True) as db:
        db.execute("select m.trip_create_many(%s)", (Jsonb([{"cities": ["Oslo", None]}]),))
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"task 2 of m\.hotel: it needs field 'city'"):
            db.execute("select m.trip_send_go(id) from m.trip")
