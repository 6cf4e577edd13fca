"""Kill at every statement: the connection breaks after the k-th message of every call that a worker or a client makes,
for every k, before the server got it whole and after it has committed."""

from __future__ import annotations

import asyncio
from time import monotonic

from jetpack_runtime import Worker
from load import HANDLERS, Load
from proxy import Proxy, Sweep

from jetpackc.postgres import Server

OFTEN = ("claim", "resolve", "begin", "effect", "commit", "create_many", "send", "heartbeat", "fire", "pump")
"""Calls that are made all the time: one of two is cut."""
SELDOM = ("worker_start", "worker_idle", "listen", "machines")
"""Those that are made again at once where they fail."""
EARLY = ("worker_start", "worker_idle", "listen")
"""Those that a worker in peace makes once: they are cut from the start."""


def sweep_of(call: str) -> Sweep:
    """The cuts of one call."""
    return Sweep(call, spare=call in OFTEN)


async def cut_through(durable: Server, load: Load, sweep: Sweep, seconds: float = 180.0) -> None:
    """Work a load through a proxy, until all is done and each cut was made."""
    proxy = Proxy(durable.socket)
    async with proxy.open():
        through = proxy.dsn(load.dsn)
        worker = Worker(through, handlers=HANDLERS, concurrency=4, lease=0.6, poll=0.05)
        proxy.sweep = sweep if sweep.call in EARLY else None
        working = asyncio.create_task(worker.run())
        while not proxy.seen.get("claim"):  # noqa: ASYNC110 -- there is no event to await
            await asyncio.sleep(0.01)
        proxy.sweep = sweep
        beginning = asyncio.create_task(asyncio.to_thread(load.begin, through))
        deadline = monotonic() + seconds
        await beginning
        while not sweep.done or (await asyncio.to_thread(load.left)) > 0:
            assert monotonic() < deadline, (sweep.done, sweep.cuts, proxy.seen, load.left(), load.mistakes()[:5])
            assert not working.done()
            await asyncio.sleep(0.02)
        proxy.sweep = None
        worker.stop()
        await working
