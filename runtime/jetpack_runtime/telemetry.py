"""What a worker and a client tell to whoever watches them: OpenTelemetry, Prometheus, logs, or something of your own.

A subclass of `Telemetry` overrides what it wants to hear. Without any, no worker or client does anything for it: each
place that would tell asks once whether somebody listens.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .depths import Depths
from .jobs import Job, Origin, Verdict

LOG = logging.getLogger("jetpack")

Carrier = Mapping[str, str]
"""The context of a trace as a propagator writes it, such as {"traceparent": "00-…"}."""


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The bounds of histograms of how long handlers run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a handler."""

    machine: str
    state: str
    task: int
    attempt: int
    worker: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, after `seconds`. `outcome` is the event that the task is given, or `lost`: its lease was gone.
    `error` are type, message and traceback where that event is ERROR."""

    outcome: str
    seconds: float
    error: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Call:
    """A client's call: the context that travels with the tasks, and what to tell the id of a single one."""

    carrier: Carrier
    note: Callable[[int], None]


class Telemetry:
    """Hears nothing. `wants_origins`: have the worker ask where each claimed task comes from."""

    wants_origins = False

    def started(self, worker: str, depths: Depths) -> None:
        """A worker begins; `depths` tells how long its queues are, to any thread that asks."""

    def stopped(self) -> None:
        """It has ended: `depths` tells nothing any more."""

    def claimed(self, machine: str, count: int) -> None:
        """Tasks of a machine were claimed."""

    def running(self, run: Run) -> AbstractContextManager[Callable[[Ended], None]]:
        """Around a run of a handler, in its context. What is entered is called with how it ended, before it is left."""
        return nullcontext(_nothing)

    def calling(self, call: str, machine: str, count: int) -> AbstractContextManager[Call]:
        """Around a client's `create`, `create_many` or `send`."""
        return nullcontext(Call({}, _nothing))


def _nothing(_: object) -> None:
    """Nobody listens."""


class Watch:
    """Several telemetries as one, for a worker. What one of them raises is logged, and nobody else's trouble."""

    def __init__(self, worker: str, listeners: Iterable[Telemetry]) -> None:
        self._worker = worker
        self._listeners = tuple(listeners)
        self._origins: dict[Job, Origin] = {}
        self.wants_origins = any(one.wants_origins for one in self._listeners)

    def started(self, depths: Depths) -> None:
        """See `Telemetry.started`."""
        for one in self._listeners:
            with _contained(one):
                one.started(self._worker, depths)

    def stopped(self) -> None:
        """See `Telemetry.stopped`."""
        for one in self._listeners:
            with _contained(one):
                one.stopped()

    def claimed(self, machine: str, jobs: Iterable[Job], origins: Mapping[int, Origin]) -> None:
        """See `Telemetry.claimed`. Each job comes back in `running`, or was handed back before it ran."""
        taken = list(jobs)
        self._origins |= {job: origins[job.id] for job in taken if job.id in origins}
        for one in self._listeners:
            with _contained(one):
                one.claimed(machine, len(taken))

    def dropped(self, job: Job) -> None:
        """A job that was claimed will not run."""
        self._origins.pop(job, None)

    @contextmanager
    def running(self, job: Job) -> Iterator[Callable[[str | None], None]]:
        """Around one job; what is entered takes what is to be told of its end, as in `outcome.py`."""
        origin = self._origins.pop(job, None)
        run = Run(job.served.name, job.state, job.id, job.attempt, self._worker, origin)
        open, told = ExitStack(), []
        for one in self._listeners:
            with _contained(one):
                told.append((one, open.enter_context(one.running(run))))
        began = perf_counter()

        def end(text: str | None) -> None:
            seconds = perf_counter() - began
            committed = text is None and job.finishing is not None
            ended = _ended(job.finishing, None, seconds) if committed else _ended(text, job.verdict, seconds)
            for one, tell in told:
                with _contained(one):
                    tell(ended)

        try:
            yield end
        finally:
            with _contained(self):
                open.close()


@contextmanager
def _contained(who: object) -> Iterator[None]:
    try:
        yield
    except Exception:
        LOG.exception("%s failed", type(who).__name__)


_VERDICTS: dict[Verdict, str] = {"lost": "lost", "timeout": "TIMEOUT", "released": "RELEASED"}


def _ended(text: str | None, verdict: Verdict | None, seconds: float) -> Ended:
    if verdict is not None or text is None:
        return Ended(_VERDICTS[verdict or "lost"], seconds, None)
    told: dict[str, Any] = json.loads(f"{{{text}}}") if text.startswith('"event":"ERROR"') else {}
    return Ended(text[9 : text.index('"', 9)], seconds, told.get("payload"))
