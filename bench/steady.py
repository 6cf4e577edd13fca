"""The steady state: a backlog that stays as long as it is, worked for a while. Queues differ in how they age."""

from __future__ import annotations

from time import monotonic

import psycopg
from contestants import CONTESTANTS, Queue
from rig import Rig

BACKLOG = 20_000
Speeds = dict[str, list[float]]


def steady(rig: Rig, seconds: float, batch: int, parts: int = 3) -> Speeds:
    """Jobs a second of each contestant in the first, second, ... part of that time: made, claimed, finished."""
    return {queue.name: _steady(rig, queue, seconds / parts, batch, parts) for queue in CONTESTANTS}


def _steady(rig: Rig, queue: Queue, seconds: float, batch: int, parts: int) -> list[float]:
    with rig.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        queue.create(connection, BACKLOG)
        connection.execute(f"analyze {queue.table}")
        rig.checkpoint()
        queue.start(connection)
        return [_part(queue, connection, seconds, batch) for _ in range(parts)]


def _part(queue: Queue, connection: psycopg.Connection[object], seconds: float, batch: int) -> float:
    start, jobs = monotonic(), 0
    while monotonic() < start + seconds:
        queue.create(connection, batch)
        claimed = queue.claim(connection, batch)
        queue.finish(connection, claimed)
        jobs += len(claimed)
    return jobs / (monotonic() - start)
