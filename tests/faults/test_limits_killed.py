"""Workers killed by SIGKILL while they hold all places that limits allow: the places come free with the leases, nothing
above a limit ever runs, and the work ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

MACHINES = """\
module l

/// At most 5 of a tenant, and 8 in all.
machine slot(tenant: text) is task(max_attempts: 9) {
  limit 5 per tenant
  limit 8
  state running { run "limits:work" }
}

/// At most 6 of a tenant begin within any 2 seconds, and 2 are at work.
machine rated(tenant: text) is task(max_attempts: 9) {
  limit 6 per 2s per tenant
  limit 4 per tenant
  state running { run "limits:work" }
}
"""
SCRIPT = Path(__file__).with_name("limits_worker.py")
LEASE = 1.0
WINDOW = timedelta(seconds=2)
LIMIT = 40.0
"""Seconds after which something is taken to hang."""


@contextmanager
def worker(dsn: str, *, hangs: bool) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own."""
    variables = {**os.environ, "HANGS": "yes" if hangs else ""}
    process = subprocess.Popen([sys.executable, SCRIPT, dsn, str(LEASE)], env=variables)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def rows(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn, row_factory=namedtuple_row) as connection:
        return connection.execute(query.encode()).fetchall()


def until(dsn: str, condition: str) -> None:
    """Wait for what only the database can tell."""
    deadline = monotonic() + LIMIT
    while not rows(dsn, f"select {condition}")[0][0]:
        assert monotonic() < deadline, (condition, rows(dsn, "select state, count(*) from l.slot group by 1"))
        sleep(0.01)


def create(dsn: str, machine: str, tenants: str) -> None:
    with psycopg.connect(dsn) as connection:
        tasks = Jsonb([{"tenant": tenant} for tenant in tenants])
        connection.execute(f"select count(*) from l.{machine}_create_many(%s)".encode(), (tasks,))


def runs(dsn: str, machine: str) -> list[tuple[str, datetime, datetime]]:
    """Each run of the history: whose, from when to when."""
    query = f"""select t.tenant, h.id, h.event, h.at, h.to_state
        from l.{machine}_history h join l.{machine} t on t.id = h.id where h.to_state is not null
        order by h.id, h.seq"""
    hops = rows(dsn, query)
    pairs = [(one, next) for one, next in pairwise(hops) if one.id == next.id and one.to_state == "running"]
    assert all(one.event == "LOCKED_BY_WORKER" for one, _ in pairs)
    return [(one.tenant, one.at, next.at) for one, next in pairs]


def most_at_once(found: list[tuple[str, datetime, datetime]]) -> int:
    steps = sorted([(begin, 1) for _, begin, _ in found] + [(end, -1) for _, _, end in found])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def most_within(found: list[tuple[str, datetime, datetime]], window: timedelta) -> int:
    begins = sorted(begin for _, begin, _ in found)
    return max(sum(begin <= each < begin + window for each in begins) for begin in begins)


def of(tenant: str, found: list[tuple[str, datetime, datetime]]) -> list[tuple[str, datetime, datetime]]:
    return [run for run in found if run[0] == tenant]


@pytest.fixture
def dsn(fresh: Callable[[str], str]) -> str:
    return fresh(MACHINES)


def test_places_of_a_killed_worker_come_free_and_no_more_than_these(dsn: str) -> None:
    create(dsn, "slot", "ab" * 40 + "c" * 10)
    with ExitStack() as stack:
        first = [stack.enter_context(worker(dsn, hangs=True)) for _ in range(2)]
        until(dsn, "count(*) = 8 from l.slot where state = 'running'")
        for process in first:
            process.send_signal(signal.SIGKILL)
            process.wait()
        held = [row.id for row in rows(dsn, "select id from l.slot where state = 'running'")]
        for _ in range(2):
            stack.enter_context(worker(dsn, hangs=False))
        until(dsn, "count(*) = 0 from l.slot where state <> 'done'")
    found = runs(dsn, "slot")
    assert len(found) == 90 + len(held)
    assert most_at_once(found) <= 8
    assert all(most_at_once(of(tenant, found)) <= 5 for tenant in "abc")
    again = rows(dsn, "select id from l.slot where attempts = 2 order by id")
    assert [row.id for row in again] == sorted(held)
    assert (
        rows(dsn, "select sum(running) - (select coalesce(sum(n), 0) from l._slot_freed) as n from l._slot_lanes")[0].n
        == 0
    )


def test_a_rate_holds_over_the_death_of_a_worker(dsn: str) -> None:
    create(dsn, "rated", "a" * 14 + "b" * 3)
    with ExitStack() as stack:
        first = stack.enter_context(worker(dsn, hangs=True))
        until(dsn, "count(*) = 4 from l.rated where state = 'running' and tenant = 'a'")
        first.send_signal(signal.SIGKILL)
        first.wait()
        stack.enter_context(worker(dsn, hangs=False))
        until(dsn, "count(*) = 0 from l.rated where state <> 'done'")
    found = runs(dsn, "rated")
    assert len(found) >= 14 + 3 + 4
    for tenant in "ab":
        assert most_within(of(tenant, found), WINDOW) <= 6
        assert most_at_once(of(tenant, found)) <= 4


def test_workers_that_are_killed_one_after_the_other_leave_no_place_behind(dsn: str) -> None:
    """Each is killed with all places in its hands, before the last one's leases have run out."""
    create(dsn, "slot", "a" * 20)
    for _ in range(3):
        last = rows(dsn, "select coalesce(max(id), 0) as id from jet.worker")[0].id
        with worker(dsn, hangs=True):
            until(dsn, f"count(*) = 5 from l.slot where _worker > {last}")
    with worker(dsn, hangs=False):
        until(dsn, "count(*) = 0 from l.slot where state <> 'done'")
    found = runs(dsn, "slot")
    assert len(found) == 20 + 15
    assert most_at_once(found) == 5
