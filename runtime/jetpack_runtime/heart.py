"""Keeps the worker's leases alive, finds those that are lost, and listens for news.

A lease is one row a worker, kept alive by a heartbeat each third of its length. Usually there is one. A second one
begins when the first may hold tasks that this worker does not know of: a claim whose answer never came. The old one is
kept alive while jobs under it run, then given up, which frees the unknown ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic

import psycopg

from . import sql
from .database import Link
from .jobs import Job, Served

LOG = logging.getLogger("jetpack")

BEATS = 3
"""Heartbeats a lease."""


class Lease:
    """A worker's registration. `seen` is when the last heartbeat that came through was sent."""

    __slots__ = ("id", "seen")

    def __init__(self, id: int) -> None:
        self.id = id
        self.seen = monotonic()


class Heart:
    """`current` is the lease that claims run under; None until the next claim begins one.

    `held` gives the jobs that run, `untold` the leases of those that ended and are not told yet; `lose` is told a job
    whose lease is gone, `wake` the name of a machine that has work.
    """

    def __init__(
        self,
        link: Link,
        lease: float,
        *,
        held: Callable[[], Iterable[Job]],
        untold: Callable[[], set[int]],
        lose: Callable[[Job], None],
        wake: Callable[[str], None],
    ) -> None:
        self.current: Lease | None = None
        self._link = link
        self._lease = lease
        self._held = held
        self._untold = untold
        self._lose = lose
        self._wake = wake
        self._leases: list[Lease] = []

    async def begin(self, link: Link, name: str) -> Lease:
        """Register a lease and make it the current one."""
        rows = await link.fetch(sql.WORKER_START, (name, self._lease))
        self.current = Lease(rows[0][0])
        self._leases.append(self.current)
        return self.current

    def doubt(self) -> None:
        """The current lease may hold tasks nobody here knows of: claim under a new one."""
        self.current = None

    async def run(self) -> None:
        """Beat and listen until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._lease / BEATS):
                    await self._beat()
                await self._listen(monotonic() + self._lease / BEATS)
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._give_up()
                await self._link.failed(error)

    async def _beat(self) -> None:
        for lease in list(self._leases):
            sent = monotonic()
            rows = await self._link.fetch(sql.HEARTBEAT, (lease.id,))
            if rows[0][0]:
                lease.seen = sent
                await self._look([job for job in self._held() if job.worker == lease.id])
            else:
                self._end(lease, "the database does not know it any more")
        counted = {job.worker for job in self._held()} | self._untold()
        for lease in list(self._leases):
            if lease is not self.current and lease.id not in counted:
                await self._link.fetch(sql.WORKER_STOP, (lease.id,))
                self._leases.remove(lease)

    async def _listen(self, until: float) -> None:
        """Hear notifications until the next heartbeat is due."""
        connection = await self._link.get()
        while (left := until - monotonic()) > 0:
            # Not one long loop: psycopg keeps the connection locked while its generator waits.
            heard = {note.payload async for note in connection.notifies(timeout=left, stop_after=1)}
            lost = {payload.removesuffix(" lost") for payload in heard if payload.endswith(" lost")}
            for payload in heard:
                self._wake(payload)
            if lost:
                await self._look([job for job in self._held() if job.served.name in lost])

    async def _look(self, jobs: list[Job]) -> None:
        """Ask which of these jobs have lost their lease."""
        groups: defaultdict[tuple[int, Served], list[Job]] = defaultdict(list)
        for job in jobs:
            groups[job.worker, job.served].append(job)
        for (worker, served), group in groups.items():
            ids, tokens = [job.id for job in group], [job.token for job in group]
            rows = await self._link.fetch(served.sql.lost, (worker, ids, tokens))
            gone = {row[0] for row in rows}
            for job in group:
                if job.id in gone:
                    self._lose(job)

    def _give_up(self) -> None:
        """A lease without a heartbeat for its whole length may be somebody else's by now."""
        now = monotonic()
        for lease in [lease for lease in self._leases if now - lease.seen >= self._lease]:
            self._end(lease, f"no heartbeat came through for {self._lease:g} s")

    def _end(self, lease: Lease, why: str) -> None:
        jobs = [job for job in self._held() if job.worker == lease.id]
        LOG.warning("lease %d is lost, %s; %d handlers are cancelled", lease.id, why, len(jobs))
        self._leases.remove(lease)
        if self.current is lease:
            self.current = None
        for job in jobs:
            self._lose(job)

    async def end(self, link: Link) -> None:
        """Give every lease up, once nothing counts on it."""
        for lease in self._leases:
            await link.fetch(sql.WORKER_STOP, (lease.id,))
        self._leases = []
