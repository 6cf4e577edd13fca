"""Where handlers run: one asyncio task a lane, each taking jobs from a shared queue and awaiting the handler in place.

There is no asyncio task, no timer and no statement per job: a job that ends at once costs a few microseconds. To cancel
a handler is to cancel what its lane awaits; the lane catches that and goes on with the next job.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any

from .forks import Home
from .jobs import Job, Outcome, Verdict
from .outcome import RELEASED, TIMEOUT, ending, error_ending, failure
from .pool import COMMITTED, AsyncPool, AsyncSession, SyncPool, SyncSession
from .task import PlainTask, Task
from .telemetry import Watch
from .threads import Threads

LOG = logging.getLogger("jetpack")

SLICE = 0.002
"""Seconds that all lanes together may begin jobs in one turn of the event loop: a job that never waits lets none in."""

_ENDINGS: dict[Verdict, str | None] = {"lost": None, "timeout": TIMEOUT, "released": RELEASED}

_ERROR = '"event":"ERROR"'


class Lanes:
    """`size` handlers at a time. `finish` takes each outcome; `told` is called with a machine's name where there is
    none to take, for the handler's own transaction has told it."""

    def __init__(  # noqa: PLR0917 -- made once a worker
        self,
        size: int,
        finish: Callable[[Outcome], None],
        told: Callable[[str], None],
        pool: AsyncPool,
        sync_pool: SyncPool,
        watch: Watch | None,
    ) -> None:
        self.size = size
        self.held: set[Job] = set()
        self.room = asyncio.Event()
        self.finish = finish
        self._told = told
        self._pool = pool
        self._sync_pool = sync_pool
        self._watch = watch
        self._threads = Threads(size)
        self._queue: deque[Job] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._until: float | None = None
        self._closing = False
        self._lanes: list[asyncio.Task[None]] = []
        self._owner: asyncio.Task[Any] | None = None

    @property
    def free(self) -> int:
        """How many more jobs may be claimed."""
        return self.size - len(self.held)

    def start(self) -> None:
        self._owner = asyncio.current_task()
        self._home = Home()
        self._lanes = [asyncio.create_task(self._lane(), name=f"jetpack lane {at}") for at in range(self.size)]

    def put(self, jobs: list[Job]) -> None:
        """Take claimed jobs; never more than are free."""
        self.held.update(jobs)
        self._queue.extend(jobs)
        for job in jobs:
            if job.binding.work.timeout:
                self._start_timer(job)
        self._wake(1)

    def cancel(self, job: Job, verdict: Verdict) -> None:
        """End a handler early. An async one is cancelled; a plain one is told, and its thread goes on alone."""
        if job not in self.held or job.verdict is not None or (job.finishing and verdict != "released"):
            return
        job.verdict = verdict
        if job.lane is None:
            return  # still queued: its lane will see the verdict
        if not job.binding.plain:
            job.lane.cancel()
            return
        if job.cancelled is not None:
            job.cancelled.set()
        if (text := _ENDINGS[verdict]) is not None:
            self._answer(job, text)

    def hand_back_queued(self) -> None:
        """Give back what was claimed and has not begun."""
        while self._queue:
            job = self._queue.popleft()
            self._drop(job)
            if self._watch is not None:
                self._watch.dropped(job)
            self._answer(job, RELEASED)

    async def wait_empty(self, seconds: float, wanted: Callable[[Job], bool] = lambda _: True) -> bool:
        """Wait until no handler of a `wanted` job runs, at most so long. Are they all done?"""
        deadline = monotonic() + seconds
        while any(map(wanted, self.held)):
            self.room.clear()
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await self.room.wait()
            except TimeoutError:
                return False
        return True

    def abandon(self) -> int:
        """Hand back what still runs and will not listen. How many that were."""
        left = [job for job in self.held if not job.answered and job.verdict != "lost"]
        for job in left:
            self._answer(job, RELEASED)
        return len(left)

    async def close(self) -> None:
        """End the lanes. A handler that ignores its cancellation is left behind."""
        self._closing = True
        self._threads.close()
        for lane in self._lanes:
            lane.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes, timeout=1.0)

    async def _lane(self) -> None:
        loop, lane = asyncio.get_running_loop(), asyncio.current_task()
        assert lane is not None
        while not self._closing:
            future = loop.create_future()
            self._idle.append(future)
            await future
            while self._queue and self._has_turn(loop):
                job = self._queue.popleft()
                job.lane = lane
                text = await (self._work(job, lane) if self._watch is None else self._watched(job, lane, self._watch))
                if text is None:
                    self._told(job.served.name)
                elif not job.answered:
                    self.finish(job.outcome(text))
            self.room.set()

    def _has_turn(self, loop: asyncio.AbstractEventLoop) -> bool:
        """May one more job begin in this turn of the loop?"""
        now = monotonic()
        if self._until is None:
            self._until = now + SLICE
            loop.call_soon(self._next_turn)
        return now < self._until

    def _next_turn(self) -> None:
        """Jobs are left over: because time was up, then one lane goes on; or because handlers wait, then all may."""
        over = self._until is not None and monotonic() >= self._until
        self._until = None
        self._wake(1 if over else len(self._queue))

    def _wake(self, lanes: int) -> None:
        for _ in range(min(lanes, len(self._queue), len(self._idle))):
            future = self._idle.pop()
            if not future.done():
                future.set_result(None)

    async def _work(self, job: Job, lane: asyncio.Task[None]) -> str | None:
        """Run one handler; its outcome, or None where there is nothing to tell."""
        try:
            if job.verdict is not None:
                return _ENDINGS[job.verdict]
            return await (self._plain(job) if job.binding.plain else self._async(job))
        except asyncio.CancelledError as error:
            if job.verdict is not None:
                return _ENDINGS[job.verdict]
            if self._is_ending:
                self._answer(job, RELEASED)
                raise
            self._revive(lane)  # the handler has cancelled the very task that it runs in
            return failure(error)
        except Exception as error:
            LOG.exception("%s: giving its connection back failed", job)
            return failure(error)
        finally:
            self._drop(job)
            if job.verdict is not None:
                self._revive(lane)

    async def _watched(self, job: Job, lane: asyncio.Task[None], watch: Watch) -> str | None:
        """`_work`, told to whoever listens."""
        if job.verdict is not None:
            watch.dropped(job)
            return await self._work(job, lane)
        with watch.running(job) as end:
            try:
                text = await self._work(job, lane)
            except asyncio.CancelledError:
                end(RELEASED)
                raise
            end(text)
        return text

    @property
    def _is_ending(self) -> bool:
        """Is a lane that finds itself cancelled to end: the worker, or its whole event loop, is closing."""
        owner = self._owner
        return self._closing or owner is None or owner.done() or owner.cancelling() > 0

    def _revive(self, lane: asyncio.Task[None]) -> None:
        """Take a cancellation back that was the job's, not the lane's."""
        while lane.cancelling():
            lane.uncancel()

    async def _async(self, job: Job) -> str | None:
        task = Task(job, self._pool)
        try:
            try:
                value = await job.binding.function(task)
            finally:
                self._home.check(job)
            if job.verdict == "timeout":  # it swallowed its cancellation
                return TIMEOUT
            told = ending(value, job.binding.work, job.served.machine.enums, task._changes)
            text = told if task._session is None else await _commit(job, task._session, told)
        except asyncio.CancelledError:
            raise
        except GeneratorExit as error:
            if self._is_ending:
                raise
            return failure(error)
        except BaseException as error:  # whatever a handler raises is the outcome of its task
            return failure(error) if job.verdict is None else _ENDINGS[job.verdict]
        finally:
            if task._session is not None:
                await task._session.close()
        return text

    async def _plain(self, job: Job) -> str | None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str | None] = loop.create_future()
        job.cancelled = threading.Event()
        task = PlainTask(job, self._sync_pool, job.cancelled)
        call = partial(_run_plain, job, task, self._home, loop, future)
        self._threads.submit(call if self._watch is None else partial(copy_context().run, call))
        return await future

    def _start_timer(self, job: Job) -> None:
        seconds = job.served.timeout(job.data)
        if seconds is not None:
            loop = asyncio.get_running_loop()
            job.timer = loop.call_later(seconds, self.cancel, job, "timeout")

    def _answer(self, job: Job, text: str) -> None:
        if not job.answered:
            job.answered = True
            self.finish(job.outcome(text))

    def _drop(self, job: Job) -> None:
        self.held.discard(job)
        if job.timer is not None:
            job.timer.cancel()


async def _commit(job: Job, session: AsyncSession, text: str) -> str | None:
    """Finish a task in its handler's own transaction. What is left to tell, once that is committed or undone."""
    if text.startswith(_ERROR):
        return text
    job.finishing = text
    return _after(*await session.resolve(job.served.sql, job.outcome(text)), text)


def _commit_plain(job: Job, session: SyncSession, text: str) -> str | None:
    if text.startswith(_ERROR):
        return text
    job.finishing = text
    return _after(*session.resolve(job.served.sql, job.outcome(text)), text)


def _after(result: str, reason: str | None, text: str) -> str | None:
    """What is told besides, outside the handler's transaction. A refused result is told again, for the record. A failed
    one never is: applied by then, it would stand without what its handler wrote."""
    if result in {COMMITTED, "duplicate"}:
        return None
    if result in {"failed", "stuck", "ignored"}:
        return error_ending("transition", f"{reason or 'the transition failed'}; what the handler wrote is undone", "")
    return text


def _run_plain(
    job: Job, task: PlainTask, home: Home, loop: asyncio.AbstractEventLoop, future: asyncio.Future[str | None]
) -> None:
    """One plain handler, in its thread."""
    text: str | None
    try:
        try:
            value = job.binding.function(task)
        finally:
            home.check(job)
        told = ending(value, job.binding.work, job.served.machine.enums, task._changes)
        text = told if task._session is None else _commit_plain(job, task._session, told)
    except BaseException as error:  # whatever a handler raises is the outcome of its task
        text = failure(error)
    try:
        if task._session is not None:
            task._session.close()
    finally:
        try:
            loop.call_soon_threadsafe(_settle, future, text)
        except RuntimeError:
            LOG.debug("%s ended after its worker", job)


def _settle(future: asyncio.Future[str | None], text: str | None) -> None:
    if not future.done():
        future.set_result(text)
