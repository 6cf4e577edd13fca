"""The contest: each round, every contestant makes its tasks and works them, in a database of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import psycopg
import workers
from contestants import CONTESTANTS, Connection, Queue
from rig import Rig

Run = dict[str, float]
"""One measurement: microseconds and bytes a job, jobs a second."""


@dataclass
class Result:
    """All measurements of a contest: contestant -> what was measured -> one a round."""

    jobs: int
    batch: int
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)

    def add(self, queue: str, what: str, run: Run) -> None:
        """Keep one measurement."""
        self.runs.setdefault(queue, {}).setdefault(what, []).append(run)

    def median(self, queue: str, what: str, value: str) -> float:
        """The middle one of the rounds."""
        return median(run[value] for run in self.runs[queue][what])

    def ratio(self, queue: str, other: str, what: str, value: str) -> float:
        """The middle one of the ratios within a round, which a machine that is busy by turns disturbs less."""
        pairs = zip(self.runs[queue][what], self.runs[other][what], strict=True)
        return median(mine[value] / theirs[value] for mine, theirs in pairs)


def contest(rig: Rig, jobs: int, batch: int, rounds: int) -> Result:
    """Measure `rounds` times, the contestants in turn, each round in another order."""
    result = Result(jobs, batch)
    for number in range(rounds):
        shift = number % len(CONTESTANTS)
        for queue in CONTESTANTS[shift:] + CONTESTANTS[:shift]:
            _alone(rig, queue, result)
            _by_worker(rig, queue, result)
    return result


def _alone(rig: Rig, queue: Queue, result: Result) -> None:
    """Tasks made, then claimed and finished in turn on one connection: the database's own speed."""
    with rig.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        run = _timed(rig, lambda: queue.create(connection, result.jobs), result.jobs)
        result.add(queue.name, "create", run)
        _settle(rig, connection, queue)
        split: list[float] = []
        run = _timed(rig, lambda: split.extend(queue.drain(connection, result.batch)), result.jobs)
        run["claim"], run["finish"] = (1e6 * seconds / result.jobs for seconds in split)
        result.add(queue.name, "drain", run)
        queue.check(connection, result.jobs)


def _by_worker(rig: Rig, queue: Queue, result: Result) -> None:
    with rig.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        queue.create(connection, result.jobs)
        _settle(rig, connection, queue)
        run = _timed(rig, lambda: workers.drain(queue.name, dsn, result.batch), result.jobs)
        result.add(queue.name, "worker", run)
        queue.check(connection, result.jobs)


def _settle(rig: Rig, connection: Connection, queue: Queue) -> None:
    connection.execute(f"analyze {queue.table}")
    rig.checkpoint()


def _timed(rig: Rig, work: Callable[[], object], jobs: int) -> Run:
    with rig.measure() as spent:
        work()
    return {
        "jobs/s": jobs / spent.seconds,
        "server": 1e6 * spent.server / jobs,
        "client": 1e6 * spent.client / jobs,
        "wal": spent.wal / jobs,
    }
