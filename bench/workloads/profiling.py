"""`profile`: where our microseconds go, on the server by function, in the worker by samples of what it is doing."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from types import FrameType
from typing import Any

import psycopg
from bout import Bout, bout
from jetpack_runtime import Task, Worker
from outcome import Figures, Outcome
from roster import Entry
from stand import Connection, Rig

from workloads.workload import Size, Workload

SAMPLE = 0.001
"""Seconds of the worker's processor time between two looks at it."""
CLAIM = b"select id, token, attempt, state, data::text, mark::text from bench.job_claim(%s::bigint, %s::int, %s::jsonb)"
RESOLVE = b"select id from bench.job_resolve(%s::bigint, %s::text::jsonb) where result <> 'applied'"

_FUNCTIONS = {"_job_step": "row trigger", "_job_log": "history"}
_STAGES = (
    ("fetchall", "cursor_async.py", "decode"),
    ("", "codec.py", "decode"),
    ("_take", "claimer.py", "hand out"),
    ("nothing", "profiling.py", "handler"),
    ("", "lanes.py", "handler"),
    ("", "claimer.py", "claim"),
    ("", "finisher.py", "finish"),
    ("", "heart.py", "heartbeat"),
)


def profile(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """Microseconds a job, by where and what."""
    jobs = size.of(entry.jobs)
    with bout(rig, entry) as found:
        server = _server(found, jobs)
    with bout(rig, entry) as found:
        worker = _worker(found, jobs)
    return Outcome({**server, **{f"worker, {stage} us": share for stage, share in worker.items()}})


def _server(found: Bout, jobs: int) -> Figures:
    """Claim everything, then finish everything, so that each function's time is that of one of them."""
    found.produce("create", "job", jobs)
    found.settle()
    with psycopg.connect(found.dsn, autocommit=True) as connection:
        worker = found.one("select jet.worker_start('bench')")
        with _tracked(connection) as claiming:
            batches = list(_claims(connection, worker, found.entry.batch))
        with _tracked(connection) as finishing:
            for claimed in batches:
                told = json.dumps([{"id": row[0], "token": row[1], "event": "SUCCESS"} for row in claimed])
                assert not connection.execute(RESOLVE, (worker, told), prepare=True).fetchall()
    claim, finish = _shares(claiming, "job_claim", jobs), _shares(finishing, "job_resolve", jobs)
    return {
        f"{call}, {part} us": us for call, parts in (("claim", claim), ("finish", finish)) for part, us in parts.items()
    }


def _claims(connection: Connection, worker: int, batch: int) -> Iterator[list[Any]]:
    mark = None
    while True:
        *rows, last = connection.execute(CLAIM, (worker, batch, mark), prepare=True).fetchall()
        if not rows:
            return
        mark = last[5]
        yield rows


@contextmanager
def _tracked(connection: Connection) -> Iterator[dict[str, tuple[float, float]]]:
    """Milliseconds by function meanwhile: in all, and in itself."""
    found: dict[str, tuple[float, float]] = {}
    connection.execute("select pg_stat_reset()")
    connection.execute("set track_functions = 'all'")
    yield found
    connection.execute("set track_functions = 'none'")
    connection.execute("select pg_stat_force_next_flush()")
    connection.execute("select 1")
    rows = connection.execute("select funcname, total_time, self_time from pg_stat_user_functions")
    found.update({name: (total, own) for name, total, own in rows})


def _shares(found: dict[str, tuple[float, float]], function: str, jobs: int) -> Figures:
    shares = {told: 1e3 * found[name][1] / jobs for name, told in _FUNCTIONS.items() if name in found}
    total = 1e3 * found[function][0] / jobs
    return {**shares, "statement and rest": total - sum(shares.values())}


async def nothing(task: Task) -> None:
    """The handler of every job, which looks at its task."""
    assert task.params["n"] >= 0


def _worker(found: Bout, jobs: int) -> Figures:
    seen: Counter[str] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        seen[_stage(frame)] += 1

    found.produce("create", "job", jobs)
    former: Any = signal.signal(signal.SIGPROF, look)
    start = process_time()
    signal.setitimer(signal.ITIMER_PROF, SAMPLE, SAMPLE)
    asyncio.run(_work(found.dsn, found.entry.batch))
    signal.setitimer(signal.ITIMER_PROF, 0)
    total = 1e6 * (process_time() - start) / jobs
    signal.signal(signal.SIGPROF, former)
    found.check_rows("job", jobs)
    return {stage: total * count / seen.total() for stage, count in sorted(seen.items())}


async def _work(dsn: str, batch: int) -> None:
    logging.getLogger("jetpack").setLevel(logging.WARNING)
    worker = Worker(dsn, handlers={"bench.job": nothing}, concurrency=batch)
    assert await worker.run(until_idle=True)


def _stage(frame: FrameType | None) -> str:
    """By the innermost frame that says something."""
    while frame is not None:
        code = frame.f_code
        for function, file, stage in _STAGES:
            if Path(code.co_filename).name == file and function in ("", code.co_name):
                return stage
        frame = frame.f_back
    return "event loop"


_CALLS = [f"{call}, {part} us" for call in ("claim", "finish") for part in ("statement and rest", *_FUNCTIONS.values())]
_PARTS = ("claim", "decode", "hand out", "handler", "finish", "event loop", "heartbeat")
PROFILE = Workload(
    "profile",
    "where our microseconds go, on the server by function, in the worker by samples",
    profile,
    (*_CALLS, *(f"worker, {part} us" for part in _PARTS)),
    alone=True,
)
