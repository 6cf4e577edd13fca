"""Real processes that die: a worker by SIGKILL, Postgres by an immediate shutdown, in the middle of their work."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from load import Load
from psycopg.rows import namedtuple_row
from rig import await_end, database, server, worker

from jetpackc.postgres import Server

LIMIT = 60.0
"""Seconds after which something is taken to hang."""
IN_THE_MIDDLE = (
    "count(*) filter (where state = 'done') >= 40 and count(*) filter (where state = 'running') > 2 from f.job"
)


@pytest.fixture(scope="module")
def durable(pg: int) -> Iterator[Server]:
    """A server of its own, to be shot."""
    with server(pg) as found:
        yield found


@pytest.fixture
def load(durable: Server) -> Iterator[Load]:
    """A fresh database on it, with work to do."""
    with database(durable) as dsn:
        found = Load(dsn, seed=1, scale=2)
        found.begin()
        yield found


def rows(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn, row_factory=namedtuple_row) as connection:
        return connection.execute(query.encode()).fetchall()


def until(dsn: str, condition: str) -> None:
    """Wait for something that only the database can tell; it may be away meanwhile."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            if rows(dsn, f"select {condition}")[0][0]:
                return
        except psycopg.OperationalError:
            pass
        time.sleep(0.01)
    states = rows(dsn, "select state, count(*) from f.job group by state")
    raise AssertionError(f"it did not come to pass that {condition}: {states}")


def test_a_worker_killed_in_the_middle_loses_nothing_and_doubles_nothing(load: Load) -> None:
    with worker(load.dsn) as first:
        until(load.dsn, IN_THE_MIDDLE)
        first.send_signal(signal.SIGKILL)
        first.wait()
    left = rows(load.dsn, "select id from f.job where state = 'running'")
    with worker(load.dsn):
        await_end(load)
    assert load.mistakes() == []
    assert left
    again = rows(load.dsn, "select id from f.job where attempts = 2")
    assert {row.id for row in again} == {row.id for row in left}


def test_a_server_shot_in_the_middle_loses_nothing_and_doubles_nothing(load: Load, durable: Server) -> None:
    with worker(load.dsn) as process:
        for _ in range(2):
            until(load.dsn, IN_THE_MIDDLE)
            durable.restart("immediate")
        await_end(load)
        assert process.poll() is None
    assert load.mistakes() == []


def test_a_worker_and_the_server_shot_together_lose_nothing_and_double_nothing(load: Load, durable: Server) -> None:
    with worker(load.dsn) as first:
        until(load.dsn, IN_THE_MIDDLE)
        first.send_signal(signal.SIGKILL)
        durable.restart("immediate")
    with worker(load.dsn):
        await_end(load)
    assert load.mistakes() == []


def test_two_workers_share_the_tasks_when_one_of_them_dies(load: Load) -> None:
    with worker(load.dsn) as first, worker(load.dsn):
        until(load.dsn, "count(distinct actor) = 2 from f.job_history where event = 'SUCCESS'")
        first.send_signal(signal.SIGKILL)
        first.wait()
        await_end(load)
    assert load.mistakes() == []
