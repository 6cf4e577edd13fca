"""Timers and messages in one machine: whichever comes first decides, and the other finds what it left. A random run
holds Postgres to the reference interpreter, step by step."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest
from checking import program
from queue_client import Db

from jetpackc.interpret import UndoneError, World
from jetpackc.interpret.model import Spawned

MACHINES = """\
module m

event HIT(by: int = 1)
event STOP
event START
event NEWS

/// Its timers tell others, and messages put its timers out.
machine board(names: text[]) {
  var told: int = 0
  var last: bigint?
  initial state open {
    enter { spawn piece(name: name) for name in names  spawn piece(name: "d") as last }
    after 1h  { send children HIT(by: 2)  increment told }
    after 3h  { send last STOP  increment told }
    on NEWS   { increment told }
    on STOP   -> closing { send children STOP }
    after 9h  -> closing
  }
  state closing {
    on START reenter
    after 2h -> open
    on SUBTREE_FLUSHED -> over
    on CHILD_DONE { increment told }
  }
  final state over
}

machine piece(name: text) {
  unique (name) while in (hot, over_hot) or return
  var hits: int = 0
  initial state cold {
    after 1h when hits > 0 -> hot { send parent NEWS }
    after 2h -> waiting
    on HIT   { set hits = hits + by }
    on START -> hot
  }
  state hot {
    after 50m -> cold { send siblings START }
    on HIT  -> over_hot { set hits = hits + by }
    on STOP -> over
  }
  state over_hot {
    after 20m  -> hot
    after 20m { increment hits }
    on HIT reenter
    on STOP -> cold
  }
  state waiting {
    defer HIT
    after 40m when hits > 3 -> cold
    after 80m -> cold { spawn root note(name: name) }
    on START -> hot
  }
  final state over
  on STOP -> over
}

machine note(name: text) {
  unique (name) or return
  initial state open {
    after 4h -> done
    on STOP  -> done
  }
  final state done
}
"""
EVENTS = {"board": ["NEWS", "STOP", "START"], "piece": ["HIT", "STOP", "START"], "note": ["STOP"]}


def all_pumped(db: Db) -> None:
    while db.value("select m.board_pump() + m.piece_pump()"):
        pass


def a_piece(db: Db) -> tuple[int, int]:
    """A board and its only piece, which is cold for an hour by now and was hit; its board has a message for it."""
    board = db.create("board", names=[])
    piece = db.task("board", board).last
    db.send("piece", piece, "HIT")
    db.send("board", board, "STOP")
    db.shift("61 minutes")
    return board, piece


def test_a_message_that_comes_first_puts_the_timer_out(db: Db) -> None:
    _, piece = a_piece(db)
    assert db.value("select m.piece_pump()") == 1
    assert db.value("select m.piece_fire() ->> 'fired'") == "0"
    assert db.path("piece", piece)[1:] == [("HIT", "cold", "cold"), ("STOP", "cold", "over")]


def test_a_message_that_comes_behind_the_timer_finds_its_state(db: Db) -> None:
    board, piece = a_piece(db)
    assert db.value("select m.piece_fire() ->> 'fired'") == "1"
    assert db.value("select m.piece_pump()") == 1
    assert db.path("piece", piece)[2:] == [("after 1h", "cold", "hot"), ("STOP", "hot", "over")]
    all_pumped(db)
    assert [hop[0] for hop in db.path("board", board)[-3:]] == ["NEWS", "CHILD_DONE", "SUBTREE_FLUSHED"]


def test_what_timers_of_one_sweep_send_waits_for_the_next_pump(db: Db) -> None:
    """Board and piece are due together: what the board's timer says comes to the piece where its own has brought it."""
    board = db.create("board", names=[])
    piece = db.task("board", board).last
    db.send("piece", piece, "HIT")
    db.shift("61 minutes")
    for machine in ("board", "piece"):
        db.value(f"select m.{machine}_fire()")
    all_pumped(db)
    assert db.path("piece", piece)[2:] == [("after 1h", "cold", "hot"), ("HIT", "hot", "over_hot")]


def test_a_timer_that_came_due_while_it_was_kept_for_later_sees_what_was_kept_once_it_moves(db: Db) -> None:
    """HIT is deferred in `waiting`; the timer that leaves it lets HIT through, in the same update."""
    _, piece = a_piece(db)
    db.run("delete from jet.inbox")
    other = db.create("piece", name="b")
    db.shift("121 minutes")
    for _ in range(2):
        db.value("select m.piece_fire()")
    assert db.state("piece", other) == "waiting"
    db.send("piece", other, "HIT", {"by": 7})
    db.shift("81 minutes")
    assert db.task("piece", other).hits == 0
    db.value("select m.piece_fire()")
    db.value("select m.piece_fire()")
    assert db.path("piece", other)[-3:] == [
        ("after 40m", "waiting", None),
        ("after 1h20m", "waiting", "cold"),
        ("HIT", "cold", "cold"),
    ]
    assert piece < other


class Pair:
    """A world and a database to which the same is done. Postgres goes first, and gives the ids."""

    def __init__(self, db: Db, seed: int) -> None:
        self.db, self.chance = db, random.Random(seed)
        self.ids: list[int] = []
        self.world = World(program(MACHINES), self.now(), self._new_id)

    def now(self) -> datetime:
        found: datetime = self.db.value("select jet.now()")
        return found

    def _new_id(self, new: Spawned, parent: int | None, _at: datetime, _actor: str) -> int:
        known = [*self.world.tasks, *self.world.given]
        among = "" if new.machine == "m.board" else "and name = %s"
        query = f"select min(id) from {new.machine} where parent is not distinct from %s and id <> all(%s) {among}"
        found = self.db.value(query, parent, known, *(new.arguments["name"][:1] if among else ()))
        return int(found) if found is not None else -len(known) - 1

    def create(self) -> None:
        machine = self.chance.choice(["board", "board", "piece", "note"])
        params: dict[str, Any] = {"name": self.chance.choice("abc")}
        if machine == "board":
            params = {"names": self.chance.choices("abc", k=self.chance.randint(0, 2))}
        id = self.db.create(machine, **params)
        self.world.now = self.now()
        assert self.world.create(f"m.{machine}", params, "postgres") == id

    def send(self) -> None:
        task = self.chance.choice([*self.world.tasks.values()])
        machine = task.machine.removeprefix("m.")
        event = self.chance.choice(EVENTS[machine])
        payload = {"by": self.chance.randint(0, 3)} if event == "HIT" else None
        answers: list[object] = []
        try:
            sent = self.db.send(machine, task.id, event, payload)
            answers.append((sent.applied, sent.state))
        except psycopg.Error:
            answers.append("undone")
        self.world.now = self.now()
        try:
            told = self.world.send(task.id, event, payload, "postgres")
            answers.append((told.applied, told.state))
        except UndoneError:
            answers.append("undone")
        assert answers[0] == answers[1], (task, event)

    def fire(self) -> None:
        machine = self.chance.choice(["board", "piece", "note"])
        fired = int(self.db.value(f"select m.{machine}_fire() ->> 'fired'"))
        self.world.now = self.now()
        assert self.world.fire(f"m.{machine}", 100) == fired

    def pump(self) -> None:
        machine = self.chance.choice(["board", "piece"])
        self.db.value(f"select m.{machine}_pump()")
        self.world.now = self.now()
        self.world.pump(f"m.{machine}")

    def wait(self) -> None:
        """By sevens, so that nothing is due within the seconds that the test itself takes."""
        self.db.shift(f"{7 * self.chance.choice([1, 4, 9])} minutes")

    def step(self) -> None:
        ways = [self.send, self.send, self.fire, self.pump, self.pump, self.wait]
        self.chance.choice(ways if self.world.tasks and self.chance.random() < 0.9 else [self.create])()

    def compare(self) -> None:
        for task in self.world.tasks.values():
            machine = task.machine.removeprefix("m.")
            row = self.db.task(machine, task.id)
            mine = [(hop.event, _plain(hop.payload), hop.from_state, hop.to_state) for hop in self._hops(task.id)]
            hops = self.db.hops(machine, task.id)
            assert mine == [(hop.event, _plain(hop.payload), hop.from_state, hop.to_state) for hop in hops]
            assert {name: row[name] for name in task.vars} == task.vars
            assert (row.state, row._stuck is not None) == (task.state, task.stuck is not None)
            assert _running(task.timers) == _running(row._timers or [])
        counts = self.db.value(
            "select (select count(*) from m.board) + (select count(*) from m.piece) + (select count(*) from m.note)"
        )
        assert counts == len(self.world.tasks)

    def _hops(self, id: int) -> Iterator[Any]:
        return (hop for hop in self.world.history if hop.id == id)


def _running(timers: Sequence[datetime | None]) -> set[int]:
    return {place for place, moment in enumerate(timers) if moment is not None}


def _plain(payload: Any) -> Any:
    """Without moments, which the two read a moment apart."""
    if isinstance(payload, dict):
        return {key: _plain(value) for key, value in payload.items() if key not in {"due", "lag"}}
    return payload


@pytest.mark.parametrize("seed", range(4))
def test_postgres_and_the_interpreter_agree(db: Db, seed: int) -> None:
    pair = Pair(db, seed)
    for number in range(250):
        pair.step()
        if number % 10 == 9:
            pair.compare()
    events = {hop.event for hop in pair.world.history}
    assert {"refused", "after 1h", "HIT", "NEWS", "STOP"} <= events
