"""Where jetpack's microseconds go: on the server by function, in the worker by samples of what it is doing."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import process_time
from types import FrameType
from typing import Any

import psycopg
import workers
from contestants import Compiled, Connection
from rig import Rig

SAMPLE = 0.001
"""Seconds of the worker's processor time between two looks at it."""

_NAMES = {"_job_step": "row trigger (the transition)", "_job_log": "statement trigger (the history)"}
_STAGES = (
    ("fetchall", "cursor_async.py", "decode"),
    ("", "codec.py", "decode"),
    ("_take", "claimer.py", "hand out"),
    ("nothing", "workers.py", "handler"),
    ("", "lanes.py", "handler"),
    ("", "claimer.py", "claim"),
    ("", "finisher.py", "finish"),
    ("", "heart.py", "heartbeat"),
)
Stages = dict[str, dict[str, float]]


def stages(rig: Rig, jobs: int, batch: int) -> Stages:
    """Microseconds a job, by where and what."""
    return {**_server(rig, jobs, batch), "worker": _worker(rig, jobs, batch)}


def _server(rig: Rig, jobs: int, batch: int) -> Stages:
    """Claim everything, then finish everything, so that each function's time is that of one of them."""
    with rig.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        queue = Compiled()
        queue.create(connection, jobs)
        connection.execute("analyze bench.job")
        rig.checkpoint()
        queue.start(connection)
        with _tracked(connection) as claiming:
            batches = list(iter(partial(queue.claim, connection, batch), []))
        with _tracked(connection) as finishing:
            for claimed in batches:
                queue.finish(connection, claimed)
        queue.check(connection, jobs)
    return {"claim": _shares(claiming, "job_claim", jobs), "finish": _shares(finishing, "job_resolve", jobs)}


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


def _shares(found: dict[str, tuple[float, float]], function: str, jobs: int) -> dict[str, float]:
    shares = {told: 1e3 * found[name][1] / jobs for name, told in _NAMES.items()}
    total = 1e3 * found[function][0] / jobs
    return {**shares, "the statement itself and the rest": total - sum(shares.values()), "all": total}


def _worker(rig: Rig, jobs: int, batch: int) -> dict[str, float]:
    seen: Counter[str] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        seen[_stage(frame)] += 1

    with rig.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            Compiled().create(connection, jobs)
        former: Any = signal.signal(signal.SIGPROF, look)
        start = process_time()
        signal.setitimer(signal.ITIMER_PROF, SAMPLE, SAMPLE)
        workers.drain("jetpack", dsn, batch)
        signal.setitimer(signal.ITIMER_PROF, 0)
        total = 1e6 * (process_time() - start) / jobs
        signal.signal(signal.SIGPROF, former)
    shares = {stage: total * count / seen.total() for stage, count in sorted(seen.items())}
    return {**shares, "all": total}


def _stage(frame: FrameType | None) -> str:
    """By the innermost frame that says something."""
    while frame is not None:
        code = frame.f_code
        for function, file, stage in _STAGES:
            if Path(code.co_filename).name == file and function in ("", code.co_name):
                return stage
        frame = frame.f_back
    return "event loop"
