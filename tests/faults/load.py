"""What runs while things break: tasks, events, timers and joins whose end is known to the digit.

load = Load(dsn, seed=7, scale=1)
load.begin()                    # may be cut off at any moment: each call has a key and is repeated until answered
while load.left(): ...
load.mistakes()                 # nothing
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import cache, partial
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from evidence import Evidence, gather
from invariants import broken, unfinished
from jetpack_runtime import Client, DatabaseUnreachable, Task

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.ir import model as ir
from jetpackc.source import Source

T = TypeVar("T")

MACHINES = """\
module f

event GO
event ADD(n: int)
event PAID(amount: int)

/// Works once; half of them leave an effect in the transaction that finishes them.
machine job(n: int, writes: bool) is task(max_attempts: 100) {
  var seen: int = 0
  state running { run "faults:work" on SUCCESS(n: int) -> done { set seen = event.n } }
}

/// A join: as many parts as there are items, which say what they are worth and that they have ended.
machine batch(items: int[]) {
  var sum: int = 0
  var ends: int = 0
  var flushes: int = 0
  on ADD { set sum = sum + event.n }
  initial state open { on GO -> waiting { spawn part(n: i) for i in items } }
  state waiting {
    on CHILD_DONE { increment ends }
    on SUBTREE_FLUSHED when children.count(done) == length(items) -> full { increment flushes }
    on SUBTREE_FLUSHED                                            -> short { increment flushes }
  }
  final state full { on ADD { set sum = sum + event.n } }
  failure state short
}
machine part(n: int) is task(max_attempts: 100) {
  state running { run "faults:part" }
  state done { enter { send parent ADD(n: n) } }
}

/// Three timers, one after the other.
machine nap(n: int) {
  var ticks: int = 0
  initial state first { after 100ms -> second { increment ticks } }
  state second { after 100ms -> third { increment ticks } }
  state third { after 100ms -> awake { increment ticks } }
  final state awake
}

/// Waits for an event, then for a handler that fails at first.
machine purchase(n: int) {
  var paid: int = 0
  initial state cart { on PAID -> charging { set paid = paid + event.amount } }
  step charging(max_attempts: 100, backoff: 10ms..50ms) {
    run "faults:charge"
    on SUCCESS   -> done
    on ABANDONED -> refused
  }
  final state done
  failure state refused
}
"""
CHUNK = 20
"""Jobs created in one call."""
EFFECTS = "create table ledger (task bigint, attempt int)"


@cache
def program() -> ir.Program:
    """The machines, compiled."""
    found = compile_sources([Source("faults.jet", MACHINES)]).program
    assert found is not None
    return found


def install(dsn: str) -> None:
    """Put them, and the table that handlers write to, into an empty database."""
    script = "\n\n".join(one.create for one in emit(program()) if not one.within)
    with psycopg.connect(dsn) as connection:
        connection.execute(script.encode())
        connection.execute(EFFECTS)


async def work(task: Task) -> int:
    """Where the task says so, leave one row in the transaction that finishes it."""
    await asyncio.sleep(0.01)
    if task.params["writes"]:
        connection = await task.connection()
        await connection.execute("insert into ledger (task, attempt) values (%s, %s)", (task.id, task.attempt))
    return int(task.params["n"]) * 2


async def part(task: Task) -> None:
    """Nothing: its end is what counts."""


async def charge(task: Task) -> None:
    """Fail the first time."""
    if task.attempt == 1:
        raise ValueError("declined")


HANDLERS = {"f.job": work, "f.part": part, "f.purchase.charging": charge}


class Load:
    """So many tasks of each kind, of one database. `scale` 1 is some hundred tasks."""

    def __init__(self, dsn: str, seed: int, scale: float = 1.0, patience: float = 60.0) -> None:
        self._dice = random.Random(seed)
        self._patience = patience
        self.dsn = dsn
        self.jobs = round(100 * scale)
        self.naps = round(30 * scale)
        self.purchases = round(30 * scale)
        sizes = [self._dice.randint(0, 12) for _ in range(round(6 * scale))]
        self.batches = [[self._dice.randint(1, 9) for _ in range(size)] for size in sizes]
        self.calls = 0
        self.repeated = 0

    def begin(self, through: str | None = None, seconds: float = 0) -> None:
        """Create and send everything, each call until it is answered, spread over some seconds. `through`: another way
        to the database."""
        with Client(through or self.dsn, prepare_threshold=None if through else 5) as client:
            steps, start = self._steps(client), monotonic()
            for number, step in enumerate(steps):
                sleep(max(0.0, start + seconds * number / len(steps) - monotonic()))
                self._insist(step)

    def _steps(self, client: Client) -> list[Callable[[], object]]:
        """The calls, in random order; what goes together in its own."""
        steps: list[Callable[[], object]] = [
            partial(self._make_jobs, client, range(first, min(first + CHUNK, self.jobs)))
            for first in range(0, self.jobs, CHUNK)
        ]
        steps += [partial(client.create, "f.nap", {"n": n}, key=f"nap {n}") for n in range(self.naps)]
        steps += [partial(self._buy, client, n) for n in range(self.purchases)]
        steps += [partial(self._batch, client, n) for n in range(len(self.batches))]
        self._dice.shuffle(steps)
        return steps

    def _make_jobs(self, client: Client, numbers: range) -> None:
        tasks = [{"n": n, "writes": n % 2 == 0} for n in numbers]
        client.create_many("f.job", tasks, keys=[f"job {n}" for n in numbers])

    def _buy(self, client: Client, n: int) -> None:
        id = client.create("f.purchase", {"n": n}, key=f"purchase {n}")
        client.send(id, "PAID", {"amount": n}, key="paid")

    def _batch(self, client: Client, n: int) -> None:
        id = client.create("f.batch", {"items": self.batches[n]}, key=f"batch {n}")
        client.send(id, "GO", key="go")

    def _insist(self, call: Callable[[], object]) -> None:
        deadline = monotonic() + self._patience
        self.calls += 1
        while True:
            try:
                call()
            except (DatabaseUnreachable, psycopg.OperationalError):
                self.repeated += 1
                if monotonic() > deadline:
                    raise
                sleep(0.02)  # it is away, and tells nobody when it is back
            else:
                return

    def left(self) -> int:
        """How many tasks have not ended, with the messages that wait; all of them while the database is away."""
        machines = [machine.name for machine in program().modules[0].machines]
        tables = [f"(select count(*) from f.{name} where not _ended)" for name in machines]
        query = f"select {' + '.join(tables)} + (select count(*) from jet.inbox)"
        try:
            with psycopg.connect(self.dsn, connect_timeout=5) as connection:
                row = connection.execute(query.encode()).fetchone()
        except psycopg.OperationalError:
            return self.total
        return int(row[0]) if row else self.total

    @property
    def total(self) -> int:
        """How many tasks there are in the end."""
        return self.jobs + self.naps + self.purchases + len(self.batches) + sum(map(len, self.batches))

    def mistakes(self) -> list[str]:
        """What is not as it should be, once nothing is left."""
        evidence = gather(self.dsn, program())
        found = broken(evidence, program()) + unfinished(evidence, program())
        return found + self._sums(evidence) + self._effects(evidence)

    def notices(self) -> list[str]:
        """What somebody noticed, where nothing should have been to notice: calls repeated, runs begun again."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute("select id, attempts from f.job where attempts <> 1 order by id").fetchall()
        found = [f"job {id} was begun {attempts} times" for id, attempts in rows]
        return found + ([f"{self.repeated} calls were repeated"] if self.repeated else [])

    def _sums(self, evidence: Evidence) -> list[str]:
        """Each task has ended as it must, with the values that it must have."""
        found: list[str] = []
        expected: dict[str, dict[Any, tuple[Any, ...]]] = {
            "f.job": {n: ("done", n * 2) for n in range(self.jobs)},
            "f.nap": dict.fromkeys(range(self.naps), ("awake", 3)),
            "f.purchase": {n: ("done", n) for n in range(self.purchases)},
        }
        columns = {"f.job": "seen", "f.nap": "ticks", "f.purchase": "paid"}
        for name, wanted in expected.items():
            rows = evidence.rows[name].values()
            stands = {row["n"]: (row["state"], row[columns[name]]) for row in rows}
            found += [f"{name} {n} is {stands.get(n)}, not {end}" for n, end in wanted.items() if stands.get(n) != end]
            if len(rows) != len(wanted):
                found.append(f"there are {len(rows)} tasks of {name}, not {len(wanted)}")
        return found + self._joins(evidence)

    def _joins(self, evidence: Evidence) -> list[str]:
        key = "state", "sum", "ends", "flushes"
        stands = sorted((row["items"], *(row[one] for one in key)) for row in evidence.rows["f.batch"].values())
        wanted = sorted((items, "full", sum(items), len(items), 1) for items in self.batches)
        return [f"the joins are {stands}, not {wanted}"] if stands != wanted else []

    def _effects(self, evidence: Evidence) -> list[str]:
        """Each effect stands once, and only where the task is done."""
        with psycopg.connect(self.dsn) as connection:
            found = connection.execute("select task, count(*) from ledger group by task order by task").fetchall()
        writers = [row for row in evidence.rows["f.job"].values() if row["writes"]]
        wanted = sorted(row["id"] for row in writers if row["state"] == "done")
        stands = [task for task, times in found for _ in range(times)]
        return [f"effects stand for {stands}, not for {wanted}"] if stands != wanted else []
