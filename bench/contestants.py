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
    def drain(self, connection: Connection, batch: int) -> tuple[float, float]:
        """Claim and finish until nothing is left, on one connection. Seconds of claiming and of finishing."""

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

    def drain(self, connection: Connection, batch: int) -> tuple[float, float]:
        claiming = finishing = 0.0
        while True:
            start = perf_counter()
            ids = one(connection, f"select {self.name}.claim(1, %s)", batch)
            middle = perf_counter()
            claiming += middle - start
            if not ids:
                return claiming, finishing
            assert one(connection, f"select {self.name}.finish(1, %s::bigint[])", ids) == len(ids)
            finishing += perf_counter() - middle

    def check(self, connection: Connection, jobs: int) -> None:
        assert one(connection, self._check) == jobs


class Compiled(Queue):
    """What jetpackc makes of `job.jet`."""

    name = "jetpack"
    table = "bench.job"

    def create(self, connection: Connection, jobs: int) -> None:
        tasks = [{"order_id": n, "email": f"user{n}@example.org"} for n in range(jobs)]
        assert len(Client(connection).create_many("bench.job", tasks)) == jobs

    def drain(self, connection: Connection, batch: int) -> tuple[float, float]:
        worker = one(connection, "select jet.worker_start('bench')")
        claim = (
            "select id, token, attempt, state, handler, data::text, mark::text from bench.job_claim(%s, %s, %s::jsonb)"
        )
        resolve = "select id, result from bench.job_resolve(%s, %s::text::jsonb) where result <> 'applied'"
        claiming = finishing = 0.0
        mark = None
        while True:
            start = perf_counter()
            *rows, last = connection.execute(claim, (worker, batch, mark), prepare=True).fetchall()
            middle = perf_counter()
            claiming += middle - start
            mark = last[6]
            if not rows:
                return claiming, finishing
            outcomes = json.dumps([{"id": row[0], "token": row[1], "event": "SUCCESS"} for row in rows])
            assert not connection.execute(resolve, (worker, outcomes), prepare=True).fetchall()
            finishing += perf_counter() - middle

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
