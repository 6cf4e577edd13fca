"""Real processes that die: a worker by SIGKILL, Postgres by an immediate shutdown, in the middle of 200 tasks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from jetpackc.postgres import Server, find_binaries

MACHINES = """\
module f

machine job(n: int, writes: bool) is task(max_attempts: 3) {
  state running { run "jobs:work" }
}
"""
TASKS = 200
LIMIT = 60.0
"""Seconds after which something is taken to hang."""


@pytest.fixture(scope="module")
def durable(pg: int) -> Iterator[Server]:
    """A server of its own, to be shot; unlike that of the other tests it keeps what it has committed."""
    folder = Path(tempfile.mkdtemp(prefix="jetpack-faults-"))
    folder.chmod(0o755)
    server = Server(folder / "data", find_binaries(pg), {"fsync": "off", "max_connections": "60"})
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)


@pytest.fixture
def dsn(durable: Server, program: str) -> Iterator[str]:
    """A fresh database on it, with 200 tasks."""
    with psycopg.connect(durable.dsn(), autocommit=True) as admin:
        admin.execute("create database faults")
    found = durable.dsn("faults")
    with psycopg.connect(found) as connection:
        connection.execute(program.encode())
        connection.execute("create table evidence (task bigint, attempt int)")
        tasks = [{"n": n, "writes": n % 2 == 0} for n in range(TASKS)]
        connection.execute("select f.job_create_many(%s)", (Jsonb(tasks),))
    yield found
    with psycopg.connect(durable.dsn(), autocommit=True) as admin:
        admin.execute("drop database faults with (force)")


@contextmanager
def worker(dsn: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the end if it still lives."""
    script = Path(__file__).with_name("worker_process.py")
    process = subprocess.Popen([sys.executable, script, dsn], env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


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


IN_THE_MIDDLE = (
    "count(*) filter (where state = 'done') >= 40 and count(*) filter (where state = 'running') > 2 from f.job"
)
THE_END = "count(*) filter (where not _ended) = 0 from f.job"


def check_that_all_went_well(dsn: str) -> None:
    """Every task is done, none was done twice, each hop stands in the history once."""
    assert rows(dsn, "select state, count(*) as n from f.job group by state") == [("done", TASKS)]
    effects = rows(dsn, "select task, count(*) as times from evidence group by task")
    assert len(effects) == TASKS // 2
    assert {effect.times for effect in effects} == {1}
    paths: dict[int, list[Any]] = {}
    for hop in rows(dsn, "select * from f.job_history order by id, seq"):
        paths.setdefault(hop.id, []).append(hop)
    attempts = dict(rows(dsn, "select id, attempts from f.job"))
    for id, hops in paths.items():
        assert [hop.seq for hop in hops] == list(range(1, len(hops) + 1))
        taken = [hop for hop in hops if hop.to_state]
        assert [hop.from_state for hop in taken[1:]] == [hop.to_state for hop in taken[:-1]]
        events = [hop.event for hop in taken]
        assert events.count("SUCCESS") == 1
        assert events[-1] == "SUCCESS"
        assert events.count("LOCKED_BY_WORKER") == attempts[id] + events.count("RELEASED")
        assert attempts[id] <= 3


def test_a_worker_killed_in_the_middle_loses_nothing_and_doubles_nothing(dsn: str) -> None:
    with worker(dsn) as first:
        until(dsn, IN_THE_MIDDLE)
        first.send_signal(signal.SIGKILL)
        first.wait()
    left = rows(dsn, "select id from f.job where state = 'running'")
    with worker(dsn):
        until(dsn, THE_END)
    check_that_all_went_well(dsn)
    assert left
    again = rows(dsn, "select id from f.job where attempts = 2")
    assert {row.id for row in again} == {row.id for row in left}


def test_a_server_shot_in_the_middle_loses_nothing_and_doubles_nothing(dsn: str, durable: Server) -> None:
    with worker(dsn) as process:
        for _ in range(2):
            until(dsn, IN_THE_MIDDLE)
            durable.restart("immediate")
        until(dsn, THE_END)
        assert process.poll() is None
    check_that_all_went_well(dsn)


def test_a_worker_and_the_server_shot_together_lose_nothing_and_double_nothing(dsn: str, durable: Server) -> None:
    with worker(dsn) as first:
        until(dsn, IN_THE_MIDDLE)
        first.send_signal(signal.SIGKILL)
        durable.restart("immediate")
    with worker(dsn):
        until(dsn, THE_END)
    check_that_all_went_well(dsn)


def test_two_workers_share_the_tasks_when_one_of_them_dies(dsn: str) -> None:
    with worker(dsn) as first, worker(dsn):
        until(dsn, "count(distinct actor) = 2 from f.job_history where event = 'SUCCESS'")
        first.send_signal(signal.SIGKILL)
        first.wait()
        until(dsn, THE_END)
    check_that_all_went_well(dsn)
