"""The worker: claims tasks, runs their handlers, tells the database how they ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Literal

import psycopg

from . import sql
from .claimer import Claimer
from .database import Database, Link
from .depths import Depths
from .finisher import BACKLOG, Finisher
from .handlers import Handlers
from .heart import BEATS, Heart
from .jobs import Job
from .lanes import Lanes
from .pool import AsyncPool, SyncPool
from .pumps import Pumper
from .roster import Roster
from .stalls import Stalls
from .telemetry import Telemetry, Watch
from .timers import Sweeper

if TYPE_CHECKING:
    from .health import Health

LOG = logging.getLogger("jetpack")

UNWIND = 2.0
"""Seconds that a cancelled handler has to clean up when the worker shuts down."""

FLUSH = 5.0
"""Seconds that a worker which shuts down has to tell its last outcomes."""


FAREWELL = 1.0
"""Seconds to try to give up the leases at the end; they hold nothing by then."""


class Worker:
    """Works the tasks of a database.

        worker = Worker(dsn, handlers={"shop.checkout.charging": charge})
        await worker.run()

    `handlers` binds functions, or names such as "shop.payments:charge", to `module.machine.state`, or to
    `module.machine` where it has one working state; what is not bound is imported by the name after `run` in the
    source. `machines` says which machines to work; without it, those that `handlers` names; without both, all of the
    database whose functions can be imported. `expected` gives the hash a machine must have, by name: another version
    is left alone.

    `concurrency` handlers run at a time, async ones in the event loop, plain ones in threads. `lease`, `grace` and
    `poll` are seconds: how long a silent worker keeps its tasks, how long handlers may go on after `stop`, how long to
    sleep at most when nothing notifies. `connections` bounds those of `task.connection`, async and plain each.
    `prepare_threshold` is psycopg's: None behind a pooler that cannot keep prepared statements. `telemetry` hears of
    claims and runs, such as an `otel.OpenTelemetry`; `health` answers probes over HTTP.
    """

    def __init__(
        self,
        dsn: str,
        *,
        handlers: Handlers | None = None,
        machines: Iterable[str] | None = None,
        expected: Mapping[str, str] | None = None,
        concurrency: int = 100,
        lease: float = 30.0,
        grace: float = 10.0,
        poll: float = 1.0,
        connections: int = 10,
        name: str | None = None,
        prepare_threshold: int | None = 5,
        telemetry: Iterable[Telemetry] = (),
        health: Health | None = None,
    ) -> None:
        if concurrency < 1 or connections < 1 or lease <= 0 or grace < 0 or poll <= 0:
            raise ValueError("concurrency and connections are at least 1, lease and poll above 0, grace not below")
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._database = Database(dsn, f"jetpack worker {self.name}"[:60], prepare_threshold)
        self._roster = Roster(handlers, machines, expected)
        self._concurrency = concurrency
        self._lease = lease
        self._grace = grace
        self._poll = poll
        self._connections = connections
        self._telemetry = tuple(telemetry)
        self._health = health
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stops = 0
        self._stopped = asyncio.Event()
        self._hurried = asyncio.Event()

    def stop(self) -> None:
        """Shut down: claim no more, let handlers finish within the grace time, hand the rest back. Called again: now.

        May be called from any thread and from a signal handler.
        """
        if self._loop is None:
            self._count_stop()
        else:
            with suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
                self._loop.call_soon_threadsafe(self._count_stop)

    def _count_stop(self) -> None:
        self._stops += 1
        self._stopped.set()
        if self._stops > 1:
            self._hurried.set()

    async def run(self, until_idle: bool | Literal["now"] = False) -> bool:
        """Work until stopped; `until_idle`: or until no task is running, claimable or going to be, but for stuck and
        paused ones. "now" does not wait for those that are going to be, nor for those that a limit holds back.

        True if every task it took was finished or handed back; False if some must wait for their lease to run out.
        Raises DatabaseUnreachable, NotMigrated, NewerDatabase, UnknownMachine, HandlerError at the start; later
        outages are waited out.
        """
        self._loop = asyncio.get_running_loop()
        crew = _Crew(self, until_idle)
        try:
            if self._health is not None:
                self._health.begin(self._loop, crew.trouble)
            await crew.start()
            await crew.work(self._stopped)
        except asyncio.CancelledError:
            self._hurried.set()
            raise
        finally:
            try:
                clean = await self._shut_down(crew)
            finally:
                if self._health is not None:
                    await asyncio.to_thread(self._health.end)
        return clean

    async def _shut_down(self, crew: _Crew) -> bool:
        """Shut down to the end, even if this is cancelled meanwhile: then in a hurry."""
        shutting = asyncio.create_task(crew.shut_down(self._hurried))
        try:
            return await asyncio.shield(shutting)
        except asyncio.CancelledError:
            self._hurried.set()
            await shutting
            raise


class _Crew:
    """The parts of one run of a worker, wired up."""

    def __init__(self, worker: Worker, until_idle: bool | Literal["now"]) -> None:
        database, lease = worker._database, worker._lease
        self._name = worker.name
        self._database = database
        self._grace = worker._grace
        self._lease = lease
        self._roster = worker._roster
        self._claims, self._ends = Link(database, lease), Link(database, lease)
        self._beats = Link(database, lease, greet=sql.LISTEN)
        self._sweeps = Link(database, lease)
        self._mail = Link(database, lease)
        self._pool = AsyncPool(database, worker._connections)
        self._sync_pool = SyncPool(database, worker._connections)
        self._finisher = Finisher(self._ends, self._told)
        self._watch = Watch(worker.name, worker._telemetry) if worker._telemetry else None
        self._depths = Depths(database, lambda: list(self._roster.served))
        self._lanes = Lanes(
            worker._concurrency, self._finisher.put, self._told, self._pool, self._sync_pool, self._watch
        )
        self._heart = Heart(
            self._beats,
            lease,
            held=lambda: [job for job in self._lanes.held if job.verdict is None],
            untold=lambda: self._finisher.leases,
            lose=self._lose,
            wake=self._wake,
        )
        self._sweeper = Sweeper(self._sweeps, self._roster, worker._poll, self._fired)
        self._pumper = Pumper(self._mail, self._roster, worker._poll, self._pumped)
        self._claimer = Claimer(
            *(self._claims, self._roster, self._heart, self._lanes),
            name=worker.name,
            poll=worker._poll,
            untold=lambda: self._finisher.untold,
            backlog=BACKLOG,
            sweeper=self._sweeper,
            pumper=self._pumper,
            watch=self._watch,
            until_idle=until_idle,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        await self._claims.start()
        try:
            await self._roster.start(self._claims)
        except (psycopg.OperationalError, OSError, TimeoutError) as error:
            raise self._database.unreachable(error) from error
        if self._watch is not None:
            self._watch.started(self._depths)
        self._lanes.start()
        parts = {
            "claimer": self._claimer.run,
            "finisher": self._finisher.run,
            "heart": self._heart.run,
            "sweeper": self._sweeper.run,
            "pumper": self._pumper.run,
            "broom": self._sweep,
            "stalls": Stalls(self._lease / BEATS).run,
        }
        self._tasks = {part: asyncio.create_task(run(), name=f"jetpack {part}") for part, run in parts.items()}
        names = ", ".join(f"`{name}`" for name in self._roster.served) or "no machine"
        LOG.info("worker %s works %s: %d at a time, lease %g s", self._name, names, self._lanes.size, self._lease)

    def trouble(self) -> str | None:
        """Why this worker cannot claim just now, or None."""
        lease = self._heart.current
        if self._claimer.stopping:
            return "the worker is stopping"
        if self._database.is_down:
            return "the database is away"
        if lease is None:
            return "the worker has no lease yet"
        silent = monotonic() - lease.seen
        return f"no heartbeat came through for {silent:.0f} s" if silent >= self._lease else None

    async def work(self, stopped: asyncio.Event) -> None:
        """Until stopped or done. Raises what a part died of: that is a bug of this package."""
        stop = asyncio.create_task(stopped.wait())
        try:
            done, _ = await asyncio.wait({stop, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        for task in done - {stop}:
            task.result()

    async def shut_down(self, hurried: asyncio.Event) -> bool:
        """Finish or hand back what is held; close everything. Was every task accounted for?"""
        self._claimer.stop()
        if claimer := self._tasks.get("claimer"):
            if not self._claimer.claiming:
                claimer.cancel()
            await asyncio.wait({claimer}, timeout=FLUSH)
        self._lanes.hand_back_queued()
        await self._let_finish(hurried)
        await self._cancel_rest()
        left = await self._finisher.drain(FLUSH) if self._tasks else 0
        if left:
            LOG.error("%d outcomes could not be told; the leases of those tasks will run out", left)
        await self._close(clean=not left)
        return not left

    async def _let_finish(self, hurried: asyncio.Event) -> None:
        running = sum(not job.answered for job in self._lanes.held)
        if not running or hurried.is_set():
            return
        LOG.info("worker %s: stopping, %d handlers have %g s to finish", self._name, running, self._grace)
        rest = asyncio.create_task(self._lanes.wait_empty(self._grace, _unanswered))
        hurry = asyncio.create_task(hurried.wait())
        await asyncio.wait({rest, hurry}, return_when=asyncio.FIRST_COMPLETED)
        rest.cancel()
        hurry.cancel()

    async def _cancel_rest(self) -> None:
        rest = [job for job in self._lanes.held if not job.answered]
        if rest:
            LOG.warning("worker %s: handing back what is unfinished: %d", self._name, len(rest))
            for job in rest:
                self._lanes.cancel(job, "released")
            await self._lanes.wait_empty(UNWIND, _unanswered)
        if ignored := self._lanes.abandon():
            LOG.warning("%d handlers did not end when cancelled and were left behind", ignored)

    async def _close(self, *, clean: bool) -> None:
        if clean and self._tasks:
            with suppress(psycopg.Error, OSError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._heart.end(self._ends)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._lanes.close()
        await self._pool.trim(0)
        self._sync_pool.trim(0)
        for link in (self._claims, self._ends, self._beats, self._sweeps, self._mail):
            await link.close()
        if self._watch is not None:
            self._watch.stopped()
            self._depths.close()
        LOG.info("worker %s has stopped", self._name)

    async def _sweep(self) -> None:
        """Close idle connections of the pools now and then."""
        while True:
            await asyncio.sleep(30.0)
            await self._pool.trim()
            self._sync_pool.trim()

    def _told(self, name: str) -> None:
        self._claimer.echo(name)
        self._pumper.dispatched(name)
        self._lanes.room.set()

    def _pumped(self) -> None:
        self._claimer.look()

    def _fired(self, name: str) -> None:
        self._claimer.echo(name)
        self._pumper.dispatched(name)

    def _wake(self, name: str) -> None:
        self._claimer.wake(name)
        self._sweeper.wake(name)
        self._pumper.wake(name)

    def _lose(self, job: Job) -> None:
        LOG.warning("%s is not this worker's any more; its handler is cancelled", job)
        self._lanes.cancel(job, "lost")


def _unanswered(job: Job) -> bool:
    return not job.answered


def run_worker(worker: Worker, *, until_idle: bool = False) -> int:
    """Run a worker as the main thing of a process, with signals: the first SIGTERM or SIGINT stops it within its grace
    time, a second one at once. Returns an exit code: 0, or 1 if tasks must wait for their lease to run out.

    Raises what `Worker.run` raises.
    """

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        return await worker.run(until_idle)

    return 0 if asyncio.run(main()) else 1
