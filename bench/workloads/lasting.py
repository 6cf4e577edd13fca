"""`steady`, `snapshot` and `memory`: a backlog that stays as long as it is, made and worked at once, for a while."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

import psycopg
from bout import Bout, BoutError, Program, bout
from outcome import Outcome, Series
from roster import Entry
from stand import Rig

from workloads.workload import Size, Workload

BACKLOG, CHUNK = 20_000, 500
EVERY, LOOKS = 0.25, 24
"""Seconds between two looks; how many are to be had in the seconds asked for, if those are few."""
SAMPLED = 0.2
"""The share of statements whose time the server writes down."""
_SPOKEN = re.compile(r"^at (\d+\.\d+) ")
_DURATION = re.compile(r"duration: (\d+\.\d+) ms")


@dataclass
class Watch:
    """What was seen so far: seconds since the begin, handlers begun, memory of the worker in bytes."""

    bout: Bout
    worker: Program
    every: float
    start: float = field(default_factory=time.time)
    seconds: list[float] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def until(self, end: float) -> None:
        """Look again and again until that second."""
        while (now := time.time() - self.start) < end:
            if not self.worker.is_running:
                raise BoutError(self.worker.complaint("a worker ended"))
            self.seconds.append(now)
            self.begun.append(self.bout.executed)
            self.memory.append(float(self.worker.memory))
            time.sleep(self.every)

    def rate(self, begin: float, end: float) -> float:
        """Handlers a second between two seconds."""
        inside = [at for at, second in enumerate(self.seconds) if begin <= second <= end]
        if len(inside) < 2:
            raise BoutError(f"nothing was seen between {begin:g} s and {end:g} s")
        first, last = inside[0], inside[-1]
        found = self.begun[last] - self.begun[first]
        if not found:
            raise BoutError(f"nothing was begun between {begin:g} s and {end:g} s")
        return found / (self.seconds[last] - self.seconds[first])

    def series(self) -> Series:
        """Handlers a second over time, a second at a time."""
        step = max(1, round(1 / self.every))
        at = list(range(0, len(self.seconds) - step, step))
        span = [self.seconds[i + step] - self.seconds[i] for i in at]
        rates = [(self.begun[i + step] - self.begun[i]) / s for i, s in zip(at, span, strict=True)]
        return {
            "seconds": [self.seconds[i] for i in at],
            "jobs/s": rates,
            "memory MB": [self.memory[i] / 1e6 for i in at],
        }


@contextmanager
def lasting(rig: Rig, entry: Entry, size: Size, seconds: float) -> Iterator[Watch]:
    """A worker and a feeder at work; at the end all is worked off, and as much was begun as was made."""
    with bout(rig, entry) as found:
        backlog = min(BACKLOG, size.of(entry.jobs))
        found.produce("create", "job", backlog)
        found.settle()
        feeder = found.start("feed", backlog, CHUNK, seconds)
        (worker,) = found.work()
        feeder.go()
        yield Watch(found, worker, min(EVERY, size.seconds / LOOKS))
        made = feeder.result().made + backlog
        found.wait(made, [worker])
        if found.executed != made:
            raise BoutError(f"{found.executed} handlers have begun for {made} jobs")
        found.check_rows("job", made)


def steady(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """How its last ten seconds compare to its first ten."""
    part = min(10.0, size.seconds / 3)
    with lasting(rig, entry, size, size.seconds) as watch:
        watch.until(size.seconds)
    first, last = watch.rate(0, part), watch.rate(size.seconds - part, size.seconds)
    figures = {
        "jobs/s": watch.rate(0, size.seconds),
        "first jobs/s": first,
        "last jobs/s": last,
        "last of first": last / first,
    }
    return Outcome(figures, watch.series())


def memory(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """The worker's resident memory: in the last quarter, and in the second."""
    with lasting(rig, entry, size, size.seconds) as watch:
        watch.until(size.seconds)
    quarter = max(1, len(watch.memory) // 4)
    second, last = fmean(watch.memory[quarter : 2 * quarter]), fmean(watch.memory[-quarter:])
    figures = {"second quarter MB": second / 1e6, "last quarter MB": last / 1e6, "last of second": last / second}
    return Outcome(figures, watch.series())


def snapshot(rig: Rig, entry: Entry, size: Size) -> Outcome:
    """For half of `seconds` clean, for all of them while somebody holds a transaction open, for a third after."""
    clean, held = size.seconds / 2, size.seconds * 1.5
    after, rest = held + size.seconds / 6, held + size.seconds / 3
    with lasting(rig, entry, size, rest + 1) as watch, _sampled(rig, watch.bout) as claims:
        watch.until(clean)
        with psycopg.connect(watch.bout.dsn) as holder:
            holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            holder.execute("select count(*) from pg_class")
            watch.until(held)
        watch.until(rest)
    rates = {"clean jobs/s": watch.rate(clean / 3, clean), "held jobs/s": watch.rate(held - clean, held)}
    rates["after jobs/s"] = watch.rate(after, rest)
    figures = {**rates, "held of clean": rates["held jobs/s"] / rates["clean jobs/s"]}
    figures["after of clean"] = rates["after jobs/s"] / rates["clean jobs/s"]
    times = {"clean": _p99(claims, watch.start, 0, clean), "held": _p99(claims, watch.start, clean, held)}
    figures |= {f"{phase} claim p99 ms": p99 for phase, p99 in times.items() if p99 is not None}
    if times["clean"] and times["held"]:
        figures["claim p99, held of clean"] = times["held"] / times["clean"]
    return Outcome(figures, watch.series())


@contextmanager
def _sampled(rig: Rig, found: Bout) -> Iterator[list[tuple[float, float]]]:
    """Have the server write down how long some claims take: (when, milliseconds), filled in at the end."""
    claims: list[tuple[float, float]] = []
    start = rig.log.stat().st_size
    rig.sample_statements(SAMPLED)
    try:
        yield claims
    finally:
        rig.sample_statements(0)
    if found.entry.claim:
        text = rig.log.read_bytes()[start:].decode(errors="replace")
        claims += claims_in(text, found.entry.claim)


def claims_in(log: str, claim: str) -> Iterator[tuple[float, float]]:
    """Of entries that may have several lines, those of a claim."""
    for entry in re.split(r"^(?=at \d)", log, flags=re.MULTILINE):
        spoken, duration = _SPOKEN.match(entry), _DURATION.search(entry)
        if spoken and duration and claim in entry.lower():
            yield float(spoken[1]), float(duration[1])


def _p99(claims: list[tuple[float, float]], start: float, begin: float, end: float) -> float | None:
    times = sorted(time for at, time in claims if begin <= at - start <= end)
    return times[min(len(times) - 1, len(times) * 99 // 100)] if times else None


STEADY = Workload(
    "steady",
    "20,000 jobs wait, are made and worked at once",
    steady,
    ("jobs/s", "first jobs/s", "last jobs/s", "last of first"),
)
SNAPSHOT = Workload(
    "snapshot",
    "the same while another session holds a transaction open, and after",
    snapshot,
    ("clean jobs/s", "held of clean", "after of clean", "clean claim p99 ms", "held claim p99 ms"),
)
MEMORY = Workload(
    "memory",
    "resident memory of a worker under load",
    memory,
    ("second quarter MB", "last quarter MB", "last of second"),
    batched=False,
)
