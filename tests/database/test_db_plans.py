"""Plans: what workers call reaches its rows by key, on an empty table, a full one, and with statistics that lie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from queue_client import Db, outcome

MACHINES = """\
module m

event NUDGE

machine job(n: int) is task(max_attempts: 3) {
  unique (n) or return
  state running { run "x:y" on NUDGE -> ready }
}

machine plain(n: int) is task(max_attempts: 3) {
  state running { run "x:y" on NUDGE -> ready }
}

/// Its claim has effects, so it goes the longer way.
machine rich(n: int) {
  var claims: int = 0
  initial state ready { on LOCKED_BY_WORKER -> running { increment claims } }
  state running { run "x:y" on SUCCESS -> done on ERROR -> ready on NUDGE -> ready }
  final state done
}

/// Spawns wherever it can.
machine parent(n: int) {
  initial state ready { enter { spawn child(n: n) } on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    enter { spawn child(n: n + 1) spawn root child(n: n + 2) }
    on SUCCESS -> done { spawn child(n: n + 3) }
    on ERROR -> ready
    on NUDGE -> ready { spawn child(n: n) }
  }
  final state done
}
machine child(n: int) { initial state a { enter -> b { spawn plain(n: n) } } state b { on NUDGE -> c } final state c }
"""
MANY = 20_000
BATCH = 50


@dataclass(frozen=True)
class Cost:
    """What one transaction read of a machine's tables."""

    scans: int
    tuples: int


def cost(db: Db, machine: str, call: Callable[[], object]) -> Cost:
    """Run a call in a transaction of its own, and see which rows it touched."""
    query = (
        "select coalesce(sum(seq_scan), 0)::int as scans, coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int as tuples"
        " from pg_stat_xact_user_tables where schemaname = 'm' and relname in (%s, %s)"
    )
    db.begin()
    before = db.one(query, machine, f"_{machine}_hops")
    call()
    after = db.one(query, machine, f"_{machine}_hops")
    db.commit()
    return Cost(after.scans - before.scans, after.tuples - before.tuples)


def load(db: Db, machine: str, many: int = MANY) -> None:
    db.create_many(machine, [{"n": n} for n in range(many)])


def freeze(db: Db, machine: str) -> None:
    """Keep the statistics as they are now."""
    db.run(f"alter table m.{machine} set (autovacuum_enabled = off)")
    db.run(f"alter table m._{machine}_hops set (autovacuum_enabled = off)")
    db.run(f"analyze m.{machine}, m._{machine}_hops")


def worked_while_empty(db: Db, machine: str, worker: int) -> None:
    """Every plan of this session is made, and cached as a generic one, on empty tables; others filled them since."""
    freeze(db, machine)
    for n in range(8):
        ids = db.create_many(machine, [{"n": -n}])
        for task in db.claim(machine, worker).tasks:
            db.send(machine, ids[0], "NUDGE")
            db.resolve(machine, worker, task, "SUCCESS")
        for task in db.claim(machine, worker).tasks:
            db.resolve(machine, worker, task, "SUCCESS")
            db.resolve(machine, worker, task, "SUCCESS")
            db.send(machine, ids[0], "NUDGE", key="k")
            db.send(machine, ids[0], "NUDGE", key="k")
            db.create(machine, n=-n, _key="k")
    with Db(db.dsn) as other:
        load(other, machine)
        finish(other, machine, other.worker(), MANY // 2)


def full(db: Db, machine: str, worker: int) -> None:
    load(db, machine)
    freeze(db, machine)


def half_done(db: Db, machine: str, worker: int) -> None:
    """Half of the tasks have run; the statistics know all of that."""
    load(db, machine)
    finish(db, machine, worker, MANY // 2)
    freeze(db, machine)


def none_seen_running(db: Db, machine: str, worker: int) -> None:
    """The statistics saw nothing but finished tasks."""
    load(db, machine, 2000)
    finish(db, machine, worker, 2000)
    freeze(db, machine)
    db.create_many(machine, [{"n": -1 - n} for n in range(MANY)])


def finish(db: Db, machine: str, worker: int, many: int) -> None:
    for _ in range(many // 2000):
        tasks = db.claim(machine, worker, 2000).tasks
        db.resolve_many(machine, worker, [outcome(task, "SUCCESS") for task in tasks])


SITUATIONS = {found.__name__: found for found in (worked_while_empty, full, half_done, none_seen_running)}


@pytest.mark.parametrize("machine", ["job", "plain", "rich"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_batch_reads_little_more_than_its_own_rows(db: Db, machine: str, situation: str) -> None:
    worker = db.worker()
    SITUATIONS[situation](db, machine, worker)
    tasks: list[Any] = []
    mark: list[Any] = [None]

    def claim() -> None:
        claimed = db.claim(machine, worker, BATCH, mark[0])
        mark[0] = claimed.mark
        tasks[:] = claimed.tasks

    def resolve(event: str) -> Callable[[], object]:
        return lambda: db.resolve_many(machine, worker, [outcome(task, event) for task in tasks])

    for _ in range(3):
        costs = {"claim": cost(db, machine, claim)}
        assert len(tasks) == BATCH
        costs["resolve"] = cost(db, machine, resolve("SUCCESS"))
        costs["resolve again"] = cost(db, machine, resolve("SUCCESS"))
        cost(db, machine, claim)
        costs["fail"] = cost(db, machine, resolve("ERROR"))
        assert {name: found.scans for name, found in costs.items()} == dict.fromkeys(costs, 0)
        assert {name: found for name, found in costs.items() if found.tuples > 10 * BATCH} == {}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_one_task_costs_what_one_task_costs(db: Db, situation: str) -> None:
    worker = db.worker()
    SITUATIONS[situation](db, "job", worker)
    task = db.claim_one("job", worker)
    calls: dict[str, Callable[[], object]] = {
        "create": lambda: db.create("job", n=MANY + 1),
        "create the same": lambda: db.create("job", n=MANY + 1),
        "create with a key": lambda: db.create("job", n=MANY + 2, _key="k"),
        "create with it again": lambda: db.create("job", n=MANY + 2, _key="k"),
        "create many": lambda: db.create_many("job", [{"n": MANY + 3, "_key": "l"}, {"n": MANY + 3}]),
        "lost": lambda: db.value("select m.job_lost(%s, array[%s::bigint], array[1::bigint])", worker, task.id),
        "send": lambda: db.send("job", task.id, "NUDGE", key="x"),
        "send again": lambda: db.send("job", task.id, "NUDGE", key="x"),
        "late": lambda: db.resolve("job", worker, task, "SUCCESS"),
        "history": lambda: db.hops("job", task.id),
    }
    costs = {name: cost(db, "job", call) for name, call in calls.items()}
    assert {name: found for name, found in costs.items() if found.tuples > 200} == {}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_sweep_walks_what_is_in_flight(db: Db, situation: str) -> None:
    worker = db.worker("w", "1 h")
    SITUATIONS[situation](db, "plain", worker)
    dead = db.worker("d", "1 h")
    db.claim("plain", dead, BATCH)
    db.run("select jet.worker_stop(%s)", dead)
    found = cost(db, "plain", lambda: db.value("select jet.tick()"))
    assert found.scans == 0
    assert db.value("select count(*) from m.plain_history where actor = 'jet.tick'") >= BATCH


def test_a_steady_queue_does_not_walk_what_it_has_done(db: Db) -> None:
    """With the mark, the hundredth claim costs what the first does, though nothing was vacuumed."""
    db.run("alter table m.plain set (autovacuum_enabled = off)")
    worker, mark = db.worker(), None
    db.create_many("plain", [{"n": n} for n in range(5000)])
    read: list[int] = []
    query = "select m.plain_claim(%s, 25, %s)"
    for _ in range(100):
        explain = f"explain (analyze, buffers, format json) {query}"
        db.begin()
        plan = db.value(explain, worker, None if mark is None else Jsonb(mark))
        db.rollback()
        read.append(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])
        claimed = db.claim("plain", worker, 25, mark)
        mark = claimed.mark
        db.resolve_many("plain", worker, [outcome(task, "SUCCESS") for task in claimed.tasks])
    assert sum(read[-20:]) < 2 * sum(read[5:25])


class Watched(Db):
    """A session that tells which of its statements were handed to the JIT compiler."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.compiled: list[str] = []
        self.connection.add_notice_handler(self._listen)
        self.run("load 'auto_explain'")
        for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_analyze = on"):
            self.run(f"set auto_explain.{setting}")
        self.run("set client_min_messages = log")

    def _listen(self, notice: Any) -> None:
        if "JIT:" in (text := notice.message_primary or ""):
            self.compiled.append(text)


@pytest.mark.parametrize("machine", ["parent", "rich", "job"])
def test_no_statement_is_compiled_before_it_runs(dsn: str, db: Db, machine: str) -> None:
    """A plan whose cost is inflated by switched off nodes would be handed to the JIT compiler: 100 ms a statement.

    Every call has a session of its own: a statement keeps the plan of the first function that came to it."""
    worker = db.worker()
    ids = db.create_many(machine, [{"n": n} for n in range(4)])
    tasks = db.claim(machine, worker, 4).tasks
    outcomes = [outcome(task, event) for task, event in zip(tasks, ("SUCCESS", "ERROR", "ODD", "SUCCESS"), strict=True)]
    calls: dict[str, Callable[[Db], object]] = {
        "create": lambda own: own.create(machine, n=11),
        "create with a key": lambda own: own.create(machine, n=12, _key="k"),
        "create the same": lambda own: own.create(machine, n=12, _key="k"),
        "create many": lambda own: own.create_many(machine, [{"n": 13}, {"n": 13, "_key": "k"}]),
        "claim": lambda own: own.claim(machine, worker, 2),
        "send": lambda own: own.send(machine, ids[0], "NUDGE", key="x"),
        "resolve": lambda own: own.resolve_many(machine, worker, outcomes),
        "resolve again": lambda own: own.resolve_many(machine, worker, outcomes),
        "lost": lambda own: own.rows(f"select m.{machine}_lost(%s, %s, %s)", worker, ids, ids),
        "retry": lambda own: own.retry(machine, ids[0]),
        "stop": lambda own: own.run("select jet.worker_stop(%s)", worker),
        "tick": lambda own: own.value("select jet.tick()"),
    }
    compiled: dict[str, list[str]] = {}
    for name, call in calls.items():
        with closing(Watched(dsn)) as own:
            call(own)
            compiled |= {name: own.compiled} if own.compiled else {}
    assert compiled == {}
