"""How the bench speaks with a contestant, which is a program of its own: `contestant COMMAND …`.

    setup                       make the schema in $BENCH_DSN
    create KIND N               make N jobs in bulk
    single FIRST N              make the jobs FIRST … FIRST+N-1, one commit each
    paced N GAP                 the same, one every GAP milliseconds; when each was acknowledged goes to `acks`
    feed BACKLOG CHUNK SECONDS  keep as many waiting as BACKLOG
    work BATCH                  work until killed

All but `setup` print READY when they are connected, wait for a line, begin, and all but `work` end with
`RESULT {"begin": …, "end": …, "cpu": …, "made": …}`. A handler calls `hit(number)` as it begins: files in
$BENCH_FOLDER, shared memory between the programs, count it. This file needs the standard library alone; `protocol.mjs`
is the same for Node.
"""

from __future__ import annotations

import asyncio
import json
import logging
import mmap
import os
import struct
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path

DSN = os.environ.get("BENCH_DSN", "")
STEPS = 3
"""Steps of a chain."""
CHILDREN = 20
"""Jobs that a fan spreads to."""
SLOT = struct.Struct("<qd")
"""What one worker writes to `progress`: jobs begun, when the first one was."""
SLOTS = 16


class Board:
    """The shared files: how many jobs this worker has begun, how often each, and when."""

    def __init__(self) -> None:
        folder = Path(os.environ["BENCH_FOLDER"])
        self._slot = int(os.environ.get("BENCH_SLOT", "0"))
        self._progress = _shared(folder / "progress")
        self.seen = _shared(folder / "seen")
        self.starts = _shared(folder / "starts")
        self.acks = _shared(folder / "acks")
        self._first = self._slot * (len(self.seen) // SLOTS)
        self._count, self._began = 0, 0.0

    def hit(self, number: int) -> None:
        """A handler begins."""
        if not self._count:
            self._began = time.time()
        self._count += 1
        SLOT.pack_into(self._progress, self._slot * SLOT.size, self._count, self._began)
        if self.seen:
            self.seen[self._first + number] += 1
        if self.starts:
            struct.pack_into("<d", self.starts, 8 * number, time.time())

    def executed(self) -> int:
        """Jobs begun by all workers."""
        return sum(SLOT.unpack_from(self._progress, at * SLOT.size)[0] for at in range(SLOTS))


def _shared(path: Path) -> mmap.mmap | bytearray:
    """A file that the bench has made, as memory; one that it has not is empty."""
    if not path.exists():
        return bytearray()
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 0)


class Contestant(ABC):
    """What a contestant can do. `numbers` tell jobs from each other; a job's payload is its number."""

    @abstractmethod
    async def setup(self) -> None:
        """Make the schema."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, to make jobs."""

    @abstractmethod
    async def create(self, kind: str, numbers: range) -> None:
        """Make jobs, as many at a time as this contestant does best. A `job` has one handler. A `chain` has three, one
        after the other. A `fan` has one, then one in each of CHILDREN jobs, then one when all those are done; its own
        are told the number times CHILDREN + 1, those of its children the numbers that follow. `later` is a job that is
        not to be worked for a month."""

    @abstractmethod
    async def single(self, number: int) -> None:
        """Make one job, committed."""

    async def attend(self) -> None:  # noqa: B027 -- most need nothing
        """What is to be switched on for a worker to hear of single jobs at once."""

    @abstractmethod
    async def work(self, batch: int) -> None:
        """Connect, await `ready()`, work until killed."""


_board: Board | None = None


def hit(number: int) -> None:
    """A handler begins with the job of that number."""
    assert _board is not None
    _board.hit(number)


async def ready() -> None:
    """Say that all is connected and wait for the start."""
    print("READY", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def chunks(numbers: range, size: int) -> list[range]:
    """A range in pieces."""
    return [numbers[at : at + size] for at in range(0, len(numbers), size)]


async def _create(contestant: Contestant, kind: str, count: str) -> int:
    await contestant.create(kind, range(int(count)))
    return int(count)


async def _single(contestant: Contestant, first: str, count: str) -> int:
    for number in range(int(first), int(first) + int(count)):
        await contestant.single(number)
    return int(count)


async def _paced(contestant: Contestant, count: str, gap: str) -> int:
    assert _board is not None
    start = time.time() + 0.05
    for number in range(int(count)):
        await asyncio.sleep(max(0.0, start + number * float(gap) / 1000 - time.time()))
        await contestant.single(number)
        struct.pack_into("<d", _board.acks, 8 * number, time.time())
    return int(count)


async def _feed(contestant: Contestant, backlog: str, chunk: str, seconds: str) -> int:
    """The backlog is there already when this begins."""
    assert _board is not None
    made = waiting = int(backlog)
    end = time.time() + float(seconds)
    while time.time() < end:
        if made - _board.executed() >= waiting:
            await asyncio.sleep(0.002)
            continue
        await contestant.create("job", range(made, made + int(chunk)))
        made += int(chunk)
    return made - waiting


_PRODUCE: dict[str, Callable[..., Awaitable[int]]] = {
    "create": _create,
    "single": _single,
    "paced": _paced,
    "feed": _feed,
}


async def _produce(contestant: Contestant, command: str, arguments: list[str]) -> None:
    await contestant.open()
    if command == "paced":
        await contestant.attend()
    await ready()
    begin, cpu = time.time(), time.process_time()
    made = await _PRODUCE[command](contestant, *arguments)
    told = {"begin": begin, "end": time.time(), "cpu": time.process_time() - cpu, "made": made}
    print("RESULT", json.dumps(told), flush=True)


def main(contestant: Contestant) -> None:
    """Do what the command line asks for."""
    global _board  # noqa: PLW0603 -- handlers are plain functions
    logging.disable(logging.INFO)
    command, *arguments = sys.argv[1:]
    if command == "setup":
        return asyncio.run(contestant.setup())
    _board = Board()
    doing = contestant.work(int(arguments[0])) if command == "work" else _produce(contestant, command, arguments)
    return asyncio.run(doing)
