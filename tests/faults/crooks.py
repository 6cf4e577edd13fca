"""Handlers that do what no handler should: `python crooks.py DSN` is a worker with all of them."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from jetpack_runtime import PlainTask, Task, Worker, run_worker

LEASE = 1.0
BLOCKED = 2.5
"""Seconds for which a handler blocks the event loop: longer than a lease."""
KEPT: list[object] = []


class Odd(BaseException):
    """Nothing that anybody catches."""


class Unprintable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def _endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def _deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


RAISED = {
    "base": Odd("odd"),
    "interrupt": KeyboardInterrupt(),
    "exit": SystemExit(3),
    "generator": GeneratorExit(),
    "cancelled": asyncio.CancelledError("mine"),
    "memory": MemoryError(),
    "unprintable": Unprintable(),
}
RETURNED: Mapping[str, Callable[[], object]] = {
    "object": object,
    "endless": _endless,
    "deep": _deep,
    "nan": lambda: float("nan"),
    "nul": lambda: {"text": "a\0b"},
    "surrogate": lambda: {"text": "\ud800"},
    "set": lambda: {("a", 1): 2},
}


async def work(task: Task) -> object:
    """Behave, or do as the task says."""
    kind = task.params["kind"]
    if kind in RAISED:
        raise RAISED[kind]
    if kind in RETURNED:
        return RETURNED[kind]()
    if kind in DEEDS and task.attempt == 1:
        await DEEDS[kind](task)
    return {"value": task.id}


async def block(_: Task) -> None:
    """Hold the event loop up, heartbeats and all."""
    time.sleep(BLOCKED)  # noqa: ASYNC251 -- that is the deed


async def leak(task: Task) -> None:
    """Leave tasks, threads, connections and memory behind."""
    KEPT.extend(asyncio.create_task(asyncio.sleep(3600)) for _ in range(50))
    KEPT.append(await psycopg.AsyncConnection.connect(sys.argv[1]))
    KEPT.append(bytearray(20_000_000))
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


async def forget_a_transaction(task: Task) -> None:
    """End the transaction that is the worker's to end."""
    connection = await task.connection()
    await connection.execute("commit")


async def close(task: Task) -> None:
    """Close the connection that is the worker's to close."""
    connection = await task.connection()
    await connection.close()


async def break_it(task: Task) -> None:
    """Fail in the transaction, and swallow the error."""
    connection = await task.connection()
    try:
        await connection.execute("select 1 / 0")
    except psycopg.Error:
        KEPT.append(task)


async def cancel_itself(_: Task) -> None:
    """Cancel the asyncio task that it runs in, which is the lane's."""
    current = asyncio.current_task()
    assert current is not None
    current.cancel()
    await asyncio.sleep(0)


async def fork_and_return(_: Task) -> None:
    """The child comes back, too."""
    os.fork()


async def fork_and_wait(_: Task) -> None:
    """The child goes on with the parent's event loop."""
    os.fork()
    await asyncio.sleep(0.01)


async def fork_and_leave(_: Task) -> None:
    """The child believes that it is a program of its own."""
    if os.fork() == 0:
        gc.collect()
        sys.exit(0)


DEEDS: Mapping[str, Callable[[Task], Any]] = {
    "block": block,
    "leak": leak,
    "commit": forget_a_transaction,
    "close": close,
    "broken": break_it,
    "suicide": cancel_itself,
    "fork and return": fork_and_return,
    "fork and wait": fork_and_wait,
    "fork and leave": fork_and_leave,
}


def plain(task: PlainTask) -> object:
    """The same in a thread, as far as it goes there."""
    kind = task.params["kind"]
    if kind in RAISED:
        raise RAISED[kind]
    if kind in RETURNED:
        return RETURNED[kind]()
    if kind.startswith("fork") and task.attempt == 1:
        os.fork()
    return {"value": task.id}


HANDLERS: Mapping[str, Callable[[Any], Any]] = {"c.crook": work, "c.plain": plain}

if __name__ == "__main__":
    sys.exit(run_worker(Worker(sys.argv[1], handlers=HANDLERS, concurrency=4, lease=LEASE, poll=0.1, grace=1.0)))
