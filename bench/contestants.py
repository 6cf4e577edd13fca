"""The queues that are measured: how tasks are made, worked one batch after the other, and counted at the end."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from time import perf_counter
from typing import Any

import psycopg
from jetpack_runtime import Client

Connection = psycopg.Connection[Any]


class Queue(ABC):
    """One contestant. `table` is analyzed between making tasks and working them."""

    name: str
    table: str

    @abstractmethod
    def create(self, connection: Connection, jobs: int) -> None:
        """Make the tasks, from data that this process holds."""

    @abstractmethod
    def start(self, connection: Connection) -> None:
        """What a worker does before its first claim."""

    @abstractmethod
    def claim(self, connection: Connection, batch: int) -> list[Any]:
        """Take up to `batch` tasks, as `finish` wants them; none: there are none."""

    @abstractmethod
    def finish(self, connection: Connection, claimed: list[Any]) -> None:
        """End what one claim took. Raises AssertionError if the database does not agree."""

    def drain(self, connection: Connection, batch: int) -> tuple[float, float]:
        """Claim and finish until nothing is left, on one connection. Seconds of claiming and of finishing."""
        claiming = finishing = 0.0
        self.start(connection)
        while True:
            start = perf_counter()
            claimed = self.claim(connection, batch)
            middle = perf_counter()
            claiming += middle - start
            if not claimed:
                return claiming, finishing
            self.finish(connection, claimed)
            finishing += perf_counter() - middle

    @abstractmethod
    def check(self, connection: Connection, jobs: int) -> None:
        """Raise AssertionError unless each task was done exactly once."""


class Hand(Queue):
    """A hand-written one of `floor.sql`: its functions take and give arrays of ids. Tasks come by COPY."""

    def __init__(self, name: str, check: str) -> None:
        self.name = name
        self.table = f"{name}.task"
        self._check = check

    def create(self, connection: Connection, jobs: int) -> None:
        with connection.cursor().copy(f"copy {self.table} (order_id, email) from stdin") as copy:
            copy.write("".join(f"{n}\tuser{n}@example.org\n" for n in range(jobs)))

    def start(self, connection: Connection) -> None:
        """Whoever claims is no one's business."""

    def claim(self, connection: Connection, batch: int) -> list[Any]:
        return one(connection, f"select {self.name}.claim(1, %s)", batch) or []

    def finish(self, connection: Connection, claimed: list[Any]) -> None:
        assert one(connection, f"select {self.name}.finish(1, %s::bigint[])", claimed) == len(claimed)

    def check(self, connection: Connection, jobs: int) -> None:
        assert one(connection, self._check) == jobs


class Compiled(Queue):
    """What jetpackc makes of `job.jet`."""

    name = "jetpack"
    table = "bench.job"

    def create(self, connection: Connection, jobs: int) -> None:
        tasks = [{"order_id": n, "email": f"user{n}@example.org"} for n in range(jobs)]
        assert len(Client(connection).create_many("bench.job", tasks)) == jobs

    _claim = "select id, token, attempt, state, handler, data::text, mark::text from bench.job_claim(%s, %s, %s::jsonb)"
    _resolve = "select id, result from bench.job_resolve(%s, %s::text::jsonb) where result <> 'applied'"

    def start(self, connection: Connection) -> None:
        self._worker = one(connection, "select jet.worker_start('bench')")
        self._mark = None

    def claim(self, connection: Connection, batch: int) -> list[Any]:
        values = (self._worker, batch, self._mark)
        *rows, last = connection.execute(self._claim, values, prepare=True).fetchall()
        self._mark = last[6]
        return rows

    def finish(self, connection: Connection, claimed: list[Any]) -> None:
        outcomes = json.dumps([{"id": row[0], "token": row[1], "event": "SUCCESS"} for row in claimed])
        assert not connection.execute(self._resolve, (self._worker, outcomes), prepare=True).fetchall()

    def check(self, connection: Connection, jobs: int) -> None:
        done = "select count(*) from bench.job where state = 'done' and attempts = 1"
        claimed = "select count(distinct id) from bench.job_history where event = 'LOCKED_BY_WORKER'"
        history = "select count(*) from bench.job_history where to_state is not null"
        assert one(connection, done) == jobs
        assert one(connection, claimed) == jobs
        assert one(connection, history) == 3 * jobs


def one(connection: Connection, query: str, *values: object) -> Any:
    """The first value of the first row."""
    row = connection.execute(query, values, prepare=True).fetchone()
    return row[0] if row else None


_FLOOR_CHECK = """select count(*) from floor.task t where state = 'done' and attempts = 1
  and (select count(*) from floor.history h where h.id = t.id) = 3"""
_GONE_CHECK = """select case when exists (select from gone.task) then 0
  else nextval(pg_get_serial_sequence('gone.task', 'id')) - 1 end"""

CONTESTANTS: tuple[Queue, ...] = (Hand("gone", _GONE_CHECK), Hand("floor", _FLOOR_CHECK), Compiled())
