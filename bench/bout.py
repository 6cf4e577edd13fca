"""One contestant in one database: its programs are started, timed, watched and ended here."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from contestants.protocol import CHILDREN, SLOT, SLOTS, STEPS
from environments import command
from roster import FOLDER, Entry
from stand import Connection, Rig

TIMEOUT = 300.0
"""Seconds that one command, or one drain, may take."""
PATIENCE = 5.0
"""Seconds between two looks whether there is still something to wait for."""
_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class BoutError(Exception):
    """A contestant died, hung, or did not do what it was to do exactly once."""


@dataclass(frozen=True)
class Made:
    """What a producer did: jobs, when it began and ended, its processor time in seconds."""

    begin: float
    end: float
    cpu: float
    made: int


class Program:
    """A running program of a contestant, connected and waiting for `go`."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        pipe = subprocess.PIPE
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                arguments, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=environment
            )
        self._await("READY")

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Made:
        """Wait for its end."""
        told = Made(**json.loads(self._await("RESULT")))
        self._process.wait()
        return told

    def _await(self, word: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(word):
                return line.removeprefix(word)
        raise BoutError(self.complaint("ended early"))

    def complaint(self, what: str) -> str:
        """What went wrong, with the last words of the program."""
        return f"{what}: {_last_words(self._log.read_text(errors='replace'))}"

    @property
    def is_running(self) -> bool:
        """Has it not ended."""
        return self._process.poll() is None

    @property
    def cpu(self) -> float:
        """Its processor time so far, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def memory(self) -> int:
        """Its resident memory in bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE

    def end(self) -> None:
        """Kill it: `work` ends no other way."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Bout:
    """The programs of one contestant over one database, and what they have done."""

    def __init__(self, rig: Rig, entry: Entry, dsn: str, folder: Path) -> None:
        self.rig = rig
        self.entry = entry
        self.dsn = dsn
        self._folder = folder
        self._programs: list[Program] = []
        self._connection: Connection = psycopg.connect(dsn, autocommit=True)
        self._progress = self._shared("progress", SLOT.size * SLOTS)

    def expect(self, jobs: int) -> None:
        """Make room to count how often each of so many jobs is begun."""
        self._seen = self._shared("seen", jobs * SLOTS)

    def time_starts(self, jobs: int) -> tuple[mmap.mmap, mmap.mmap]:
        """Make room for when each job began, and for when its create was acknowledged: doubles."""
        return self._shared("starts", 8 * jobs), self._shared("acks", 8 * jobs)

    def _shared(self, name: str, size: int) -> mmap.mmap:
        path = self._folder / name
        path.write_bytes(b"\0" * size)
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), 0)

    def start(self, *arguments: object, slot: int = 0) -> Program:
        """Start a program; it is connected when this returns."""
        environment = _environment(self.dsn, BENCH_FOLDER=str(self._folder), BENCH_SLOT=str(slot))
        program = Program([*command(self.entry), *map(str, arguments)], environment, self._folder / "errors")
        self._programs.append(program)
        return program

    def produce(self, *arguments: object) -> Made:
        """Run a producer to its end."""
        program = self.start(*arguments)
        program.go()
        return program.result()

    def work(self, workers: int = 1) -> list[Program]:
        """Start workers; they work when this returns."""
        programs = [self.start("work", self.entry.batch, slot=slot) for slot in range(workers)]
        for program in programs:
            program.go()
        return programs

    def settle(self, maintenance: str = "analyze") -> None:
        """What any server has had time for before long: statistics, and a checkpoint."""
        self._connection.execute(maintenance.encode())
        self.rig.checkpoint()

    @property
    def executed(self) -> int:
        """Handlers begun so far."""
        return sum(count for count, _ in self._slots())

    @property
    def began(self) -> float:
        """When the first one began."""
        return min((first for _, first in self._slots() if first), default=0.0)

    def _slots(self) -> list[tuple[int, float]]:
        return [SLOT.unpack_from(self._progress, slot * SLOT.size) for slot in range(SLOTS)]

    def one(self, query: str) -> Any:
        """The first value of a query."""
        found = self._connection.execute(query.encode()).fetchone()
        assert found is not None
        return found[0]

    def wait(self, handlers: int, workers: list[Program]) -> float:
        """Wait until so many handlers have begun and nothing is left to do; when that was. Raises BoutError."""
        deadline = time.time() + TIMEOUT
        look = time.time() + PATIENCE
        while self.executed < handlers:
            self._watch(deadline, workers)
            time.sleep(0.003)
            if time.time() > look:
                self._see_that_something_is_left(handlers, workers)
                look = time.time() + PATIENCE
        while self.one(self.entry.left):
            self._watch(deadline, workers)
            time.sleep(0.005)
        return time.time()

    def _see_that_something_is_left(self, handlers: int, workers: list[Program]) -> None:
        if not self.one(self.entry.left):
            time.sleep(0.1)  # what has begun may still be on its way to `progress`
            if self.executed < handlers:
                raise BoutError(workers[0].complaint(f"nothing is left, and {self.executed} of {handlers} have begun"))

    def _watch(self, deadline: float, workers: list[Program]) -> None:
        for worker in workers:
            if not worker.is_running:
                raise BoutError(worker.complaint("a worker ended"))
        if time.time() > deadline:
            left = self.one(self.entry.left)
            raise BoutError(workers[0].complaint(f"not done after {TIMEOUT:g} s: {self.executed} begun, {left} left"))

    def check(self, kind: str, jobs: int) -> None:
        """Raise BoutError unless each job was begun exactly as often as it has handlers, and each row is finished."""
        size = len(self._seen) // SLOTS
        parts = [self._seen[slot * size : (slot + 1) * size] for slot in range(SLOTS)]
        if found := miscounted(kind, parts):
            number, times = next(iter(found.items()))
            raise BoutError(f"{len(found)} of {size} not begun as often as they should be, {number} {times} times")
        self.check_rows(kind, jobs)

    def check_rows(self, kind: str, jobs: int) -> None:
        """Raise BoutError unless so many jobs are kept as finished, with all their history, where they are kept."""
        entry = self.entry
        kept, hops = jobs * entry.rows.get(kind, 1), jobs * entry.hops.get(kind, 0)
        for query, wanted in ((entry.done, kept), (entry.history, hops)):
            if query and wanted and self.one(query) != wanted:
                raise BoutError(f"`{query}` is {self.one(query)}, not {wanted}")

    def close(self) -> None:
        """End all that runs."""
        for program in self._programs:
            program.end()
        self._connection.close()


def handlers_of(kind: str, jobs: int) -> int:
    """How many handlers run for so many jobs of a kind."""
    each = {"job": 1, "chain": STEPS, "fan": CHILDREN + 2}
    return jobs * each[kind]


def numbers_of(kind: str, jobs: int) -> int:
    """How many different numbers they are told."""
    return jobs * (CHILDREN + 1 if kind == "fan" else 1)


def miscounted(kind: str, parts: list[bytes]) -> dict[int, int]:
    """The numbers that were not told as often as they should have been, and how often they were; a part is what one
    worker has counted, a byte a number."""
    begun = [part for part in parts if any(part)] or parts[:1]
    times = [sum(column) for column in zip(*begun, strict=True)]
    return {number: found for number, found in enumerate(times) if found != _handlers(kind, number)}


def _handlers(kind: str, number: int) -> int:
    if kind == "fan":
        return 1 if number % (CHILDREN + 1) else 2
    return STEPS if kind == "chain" else 1


def _last_words(errors: str) -> str:
    """The lines that say what went wrong, if some do: a trace ends with them in Python, and begins so in Node."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line and not line.startswith(("at ", "File "))]
    return " | ".join((telling or lines)[-3:])[:400]


def _environment(dsn: str, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(FOLDER), "BENCH_DSN": dsn, **more}


@contextmanager
def bout(rig: Rig, entry: Entry) -> Iterator[Bout]:
    """A contestant in a database of its own."""

    def setup(dsn: str) -> None:
        how: dict[str, Any] = {"capture_output": True, "text": True, "timeout": TIMEOUT}
        done = subprocess.run([*command(entry), "setup"], env=_environment(dsn), check=False, **how)
        if done.returncode:
            raise BoutError(f"setup: {_last_words(done.stderr)}")

    with rig.database(entry.file, setup) as dsn, tempfile.TemporaryDirectory() as folder:
        found = Bout(rig, entry, dsn, Path(folder))
        try:
            yield found
        finally:
            found.close()
