"""Tells the database how jobs ended, in batches: while one batch is under way, the next one gathers.

An outcome is kept until the database has answered for it, across outages; telling it twice does no harm, the fencing
token makes the second a duplicate.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import psycopg

from .database import Link, Rows, brief, broken
from .jobs import Outcome
from .sql import MachineSql

LOG = logging.getLogger("jetpack")

BATCH = 1000
"""The most outcomes told in one statement."""

BACKLOG = 5000
"""Untold outcomes at which a worker claims no more."""

_REMARKS = {
    "duplicate": (logging.INFO, "was finished already"),
    "lost": (
        logging.WARNING,
        "was finished too late: its lease was gone or it had left the state; the result is recorded",
    ),
    "ignored": (logging.WARNING, "ended with an event that its state does not take"),
    "missing": (logging.WARNING, "is not there any more"),
    "failed": (logging.WARNING, "has a transition that failed; it got ERROR instead"),
    "stuck": (logging.ERROR, "is stuck: its transition fails; see why with `jetpackc ps`, go on with `jetpackc retry`"),
}


class Finisher:
    """`told` is called with a machine's name after a batch, which may have made tasks claimable."""

    def __init__(self, link: Link, told: Callable[[str], None]) -> None:
        self._link = link
        self._told = told
        self._pending: deque[Outcome] = deque()
        self._sending = 0
        self._sender = 0
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def untold(self) -> int:
        """Outcomes that the database has not answered for."""
        return len(self._pending) + self._sending

    @property
    def leases(self) -> set[int]:
        """The leases that untold outcomes count on."""
        sending = {self._sender} if self._sending else set()
        return sending | {outcome.worker for outcome in self._pending}

    def put(self, outcome: Outcome) -> None:
        """Have an outcome told."""
        self._pending.append(outcome)
        self._wake.set()

    async def drain(self, seconds: float) -> int:
        """Wait until all is told, at most so long. How many are left."""
        if self.untold:
            self._quiet.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._quiet.wait()
        return self.untold

    async def run(self) -> None:
        """Tell outcomes until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                sql, worker, batch = self._take()
                await self._tell(sql, worker, batch)
                self._sending = 0
                self._told(sql.name)
            self._quiet.set()

    def _take(self) -> tuple[MachineSql, int, dict[int, str]]:
        """The oldest outcome and what can be told with it: same machine, same lease, each task once."""
        first = self._pending[0]
        batch: dict[int, str] = {}
        later: deque[Outcome] = deque()
        while self._pending and len(batch) < BATCH:
            outcome = self._pending.popleft()
            if outcome.sql is first.sql and outcome.worker == first.worker and outcome.id not in batch:
                batch[outcome.id] = outcome.text
            else:
                later.append(outcome)
        later.extend(self._pending)
        self._pending = later
        self._sending, self._sender = len(batch), first.worker
        return first.sql, first.worker, batch

    async def _tell(self, sql: MachineSql, worker: int, batch: dict[int, str]) -> None:
        """Tell a batch until it is answered; one that the database refuses as a whole in halves."""
        while True:
            try:
                rows = await self._link.fetch(sql.resolve, (worker, f"[{','.join(batch.values())}]"))
            except (psycopg.Error, OSError, TimeoutError) as error:
                if not broken(error):
                    return await self._halve(sql, worker, batch, error)
                await self._link.failed(error)
            else:
                return self._remark(sql.name, rows)

    async def _halve(self, sql: MachineSql, worker: int, batch: dict[int, str], error: BaseException) -> None:
        if len(batch) == 1:
            (id,) = batch
            extra = {"machine": sql.name, "task": id}
            LOG.error("task %s cannot be finished, its lease will run out: %s", id, brief(error), extra=extra)
            return
        items = list(batch.items())
        middle = len(items) // 2
        await self._tell(sql, worker, dict(items[:middle]))
        await self._tell(sql, worker, dict(items[middle:]))

    def _remark(self, machine: str, rows: Rows) -> None:
        for id, result in rows:
            level, remark = _REMARKS.get(result, (logging.WARNING, f"was answered with `{result}`"))
            LOG.log(level, "task %s %s", id, remark, extra={"machine": machine, "task": id})
