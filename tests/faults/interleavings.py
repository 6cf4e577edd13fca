"""All interleavings of two transactions on one task, and on parent and child, generated and stepped through.

Each starts from the same rows, put back between runs. What comes out must be what one of the two serial orders makes;
or a caller got 40001 or 40P01, and it is as if that one had never called; or a sweep (which passes by what others hold)
is called again, as workers do all the time, and then it is what a serial order makes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

import psycopg

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.source import Source

MACHINES = """\
module m

event GO
event CANCEL
event NUDGE

machine parent {
  var ends: int = 0
  var nudges: int = 0
  on NUDGE { increment nudges }
  initial state open {
    on GO -> waiting { spawn child()  spawn child()  spawn child() }
  }
  state waiting {
    on CHILD_DONE { increment ends }
    on SUBTREE_FLUSHED -> done
    on CANCEL -> cancelled { send children CANCEL }
    after 0s { send children NUDGE }
  }
  final state done, cancelled
}

machine child {
  var nudges: int = 0
  var ticks: int = 0
  on CANCEL -> cancelled
  on NUDGE { increment nudges  send parent NUDGE }
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running {
    run "x:y"
    on SUCCESS                  -> done
    on ERROR when attempts < 2  -> ready
    on ERROR                    -> failed
    after 0s { increment ticks }
  }
  final state done, cancelled
  failure state failed
}
"""
SET_UP = """
select m.parent_create();
select m.parent_send(1, 'GO');
select jet.worker_start('gone');
select jet.worker_start('here');
select * from m.child_claim(1, 2);
select m.child_resolve(1, '[{"id": 3, "token": 2, "event": "SUCCESS"}]');
select jet.worker_stop(1);
create schema saved;
"""
"""Task 1 waits for its children: 2 is run by a worker that is gone, 3 is done and its news wait, 4 is ready."""
TABLES = ("m.parent", "m._parent_hops", "m.child", "m._child_hops", "jet.inbox", "jet.parked", "jet.worker")

PASSING = "{created_at,entered_at,run_at,_at,_was_entered,_timers,_timer_at,_payload,_log,_posts,_spawns,_news}"
"""Columns that hold times, or what the last dispatch alone is about."""
LOOK = f"""
select jsonb_build_object(
  'parent', (select jsonb_agg(to_jsonb(t) - '{PASSING}'::text[] order by t.id) from m.parent t),
  'child', (select jsonb_agg(to_jsonb(t) - '{PASSING}'::text[] || jsonb_build_object(
    'due', t.run_at is not null, 'timer', t._timer_at is not null) order by t.id) from m.child t),
  'hops', (select jsonb_agg(jsonb_build_array(h.id, h.seq, h.event, h.from_state, h.to_state, h.changed, h.actor,
    case when h.event not like 'after%' then h.payload end) order by h.id, h.seq)
    from (table m.parent_history union all table m.child_history) h),
  'inbox', (select jsonb_agg(to_jsonb(i) - '{{seq,at}}'::text[] order by i.receiver, i.seq) from jet.inbox i),
  'parked', (select jsonb_agg(to_jsonb(i) - '{{seq,at}}'::text[] order by i.receiver, i.seq) from jet.parked i))::text
"""
SWEEPS = 3
"""How often sweeps are called again: what one brings about is another's to take up."""
LEVELS = ("read committed", "repeatable read", "serializable")
FREE = frozenset({"40001", "40P01"})


@dataclass(frozen=True)
class Operation:
    """What one transaction does. `sweeps`: it passes by what somebody holds. `by_worker`: in READ COMMITTED alone."""

    name: str
    statements: tuple[str, ...]
    sweeps: bool = False
    by_worker: bool = True


def _outcome(event: str) -> tuple[str, ...]:
    return (f"""select result from m.child_resolve(1, '[{{"id": 2, "token": 2, "event": "{event}"}}]')""",)


OPERATIONS = (
    Operation("claim", ("select id, token, state from m.child_claim(2, 10) where id is not null",), sweeps=True),
    Operation("finish", _outcome("SUCCESS")),
    Operation("fail", _outcome("ERROR")),
    Operation("expire", ("select jet.sweep(100)",), sweeps=True),
    Operation("timer", ("select m.child_fire() ->> 'fired'",), sweeps=True),
    Operation("timer of the parent", ("select m.parent_fire() ->> 'fired'",), sweeps=True),
    Operation("join", ("select m.parent_pump()",), sweeps=True),
    Operation("messages to children", ("select m.child_pump()",), sweeps=True),
    Operation("cancel", ("select * from m.child_send(2, 'CANCEL')",), by_worker=False),
    Operation("event", ("select * from m.child_send(2, 'NUDGE')",), by_worker=False),
    Operation("cancel the parent", ("select * from m.parent_send(1, 'CANCEL')",), by_worker=False),
    Operation("event to the parent", ("select * from m.parent_send(1, 'NUDGE')",), by_worker=False),
    Operation(
        "child, then parent",
        ("select * from m.child_send(2, 'NUDGE')", "select * from m.parent_send(1, 'NUDGE')"),
        by_worker=False,
    ),
    Operation(
        "parent, then child",
        ("select * from m.parent_send(1, 'CANCEL')", "select * from m.child_send(2, 'CANCEL')"),
        by_worker=False,
    ),
)


@dataclass(frozen=True)
class Case:
    """Two transactions with their isolation levels, and whose step is next, as a row of 0 and 1."""

    operations: tuple[Operation, Operation]
    levels: tuple[str, str]
    order: tuple[int, ...]

    def __str__(self) -> str:
        who = " and ".join(f"{one.name} ({level})" for one, level in zip(self.operations, self.levels, strict=True))
        return f"{who}, in the order {''.join('ab'[step] for step in self.order)}"

    def steps(self, side: int) -> list[str]:
        """The statements of one of them, behind its begin; the first of a higher level takes its snapshot."""
        snapshot = [] if self.levels[side] == LEVELS[0] else ["select count(*) from jet.meta"]
        return [*snapshot, *self.operations[side].statements, "commit"]


def cases() -> Iterator[Case]:
    """Each pair of operations, at each pair of levels, in each order."""
    for pair in combinations_with_replacement(OPERATIONS, 2):
        for levels in product(*(LEVELS[:1] if one.by_worker else LEVELS for one in pair)):
            both = levels[0], levels[1]
            lengths = [len(Case(pair, both, ()).steps(side)) for side in (0, 1)]
            yield from (Case(pair, both, order) for order in _orders(*lengths))


def _orders(left: int, right: int) -> Iterator[tuple[int, ...]]:
    if not left or not right:
        yield (0,) * left + (1,) * right
        return
    yield from ((0, *rest) for rest in _orders(left - 1, right))
    yield from ((1, *rest) for rest in _orders(left, right - 1))


Answer = str
"""What a transaction was answered, as JSON; an SQLSTATE where it failed."""


class Side:
    """One of the two sessions, a statement at a time."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], watch: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._watch = watch
        self._pending: list[str] = []
        self._running: asyncio.Task[None] | None = None
        self._told: list[Any] = []
        self._error = ""

    async def begin(self, level: str) -> None:
        """A transaction, in which nothing has happened yet."""
        self._told, self._error = [], ""
        await self._connection.execute(f"begin isolation level {level}".encode())

    async def step(self, statement: str) -> None:
        """The next statement, as soon as the one before it is through; comes back once it is, or waits for a lock."""
        self._pending.append(statement)
        await self.settle()

    async def settle(self, *, wholly: bool = False) -> None:
        """Go on until nothing is left or (unless `wholly`) the statement under way waits for a lock."""
        while self._running or self._pending:
            if self._running is None:
                self._running = asyncio.create_task(self._do(self._pending.pop(0)))
            done, _ = await asyncio.wait({self._running}, timeout=0.002)
            if done:
                self._running.result()
                self._running = None
            elif not wholly and await self._waits():
                return

    async def _waits(self) -> bool:
        query = "select cardinality(pg_blocking_pids(%s)) > 0"
        row = await (await self._watch.execute(query, (self._connection.info.backend_pid,))).fetchone()
        return row == (True,)

    async def _do(self, statement: str) -> None:
        if self._error:
            return
        try:
            cursor = await self._connection.execute(statement.encode())
            self._told.append(await cursor.fetchall() if cursor.description else None)
        except psycopg.Error as error:
            self._error = error.sqlstate or type(error).__name__
            await self._connection.execute("rollback")

    @property
    def answer(self) -> Answer:
        """What it was told by the operation itself."""
        return self._error or json.dumps([told for told in self._told if told is not None][self.skipped :], default=str)

    skipped = 0
    """Statements in front of the operation."""


@dataclass(frozen=True)
class Outcome:
    """What came of two transactions: what each was answered (None: it did not run), what stood then, and after the
    sweeps among them were called again."""

    answers: tuple[Answer | None, Answer | None]
    stands: str
    swept: str


class Board:
    """A database in which cases are played. `await open()` first."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._serial: dict[tuple[Any, ...], Outcome] = {}

    async def open(self) -> None:
        """Put the machines and the first position in, and connect."""
        program = compile_sources([Source("m.jet", MACHINES)]).program
        assert program is not None
        self._watch = await self._connect()
        self._connections = await self._connect(), await self._connect()
        await self._watch.execute("\n\n".join(one.create for one in emit(program) if not one.within).encode())
        await self._watch.execute(SET_UP.encode())
        for table in TABLES:
            await self._watch.execute(f"create table saved.{_plain(table)} as table {table}".encode())
        self._reset = "set session_replication_role = replica;" + "".join(
            f"delete from {table}; insert into {table} overriding system value table saved.{_plain(table)};"
            for table in TABLES
        )

    async def close(self) -> None:
        """Hang up."""
        for connection in (self._watch, *self._connections):
            await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
        await connection.execute("set deadlock_timeout = '10ms'")
        return connection

    async def judge(self, case: Case) -> str | None:
        """Play a case; what is wrong with how it came out."""
        found = await self._interleaved(case)
        failed = [answer for answer in found.answers if answer is not None and not answer.startswith("[")]
        if set(failed) - FREE:
            return f"{case}: {failed}"
        done = [side for side in (0, 1) if found.answers[side] not in FREE]
        serial = [await self._in_turn(case, order) for order in (done, done[::-1])]
        direct = [side for side in done if not case.operations[side].sweeps]
        for one in serial:
            if found.stands == one.stands and _alike(found, one, done):
                return None
            if direct != [0, 1] and found.swept == one.swept and _alike(found, one, direct):
                return None
        return f"{case}: {found}, neither {serial[0]} nor {serial[1]}"

    async def _interleaved(self, case: Case) -> Outcome:
        await self._put_back()
        sides = [Side(connection, self._watch) for connection in self._connections]
        steps = [case.steps(0), case.steps(1)]
        for side, level in zip(sides, case.levels, strict=True):
            side.skipped = int(level != LEVELS[0])
            await side.begin(level)
        for number in case.order:
            await sides[number].step(steps[number].pop(0))
            await sides[1 - number].settle()
        await asyncio.gather(*(side.settle(wholly=True) for side in sides))
        return await self._outcome(case, (sides[0].answer, sides[1].answer))

    async def _in_turn(self, case: Case, order: Sequence[int]) -> Outcome:
        """What comes of these transactions one after the other."""
        key = (case.operations, tuple(order))
        if key not in self._serial:
            await self._put_back()
            answers: list[Answer | None] = [None, None]
            for number in order:
                side = Side(self._connections[number], self._watch)
                await side.begin(LEVELS[0])
                for statement in (*case.operations[number].statements, "commit"):
                    await side.step(statement)
                answers[number] = side.answer
            self._serial[key] = await self._outcome(case, (answers[0], answers[1]))
        return self._serial[key]

    async def _outcome(self, case: Case, answers: tuple[Answer | None, Answer | None]) -> Outcome:
        stands = swept = await self._look()
        for _ in range(SWEEPS):
            for operation in case.operations:
                for statement in operation.statements if operation.sweeps else ():
                    await self._connections[0].execute(statement.encode())
            swept = await self._look()
        return Outcome(answers, stands, swept)

    async def _put_back(self) -> None:
        await self._watch.execute(self._reset.encode())

    async def _look(self) -> str:
        row = await (await self._watch.execute(LOOK.encode())).fetchone()
        assert row is not None
        return str(row[0])


def _alike(found: Outcome, other: Outcome, sides: Sequence[int]) -> bool:
    return all(found.answers[side] == other.answers[side] for side in sides)


def _plain(table: str) -> str:
    return table.replace(".", "_")
