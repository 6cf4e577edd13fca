"""Kill at every statement: the connection breaks after the k-th message of every call that a worker or a client makes,
for every k, before the server got it whole and after it has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

import pytest
from jetpack_runtime import DatabaseUnreachable, Worker
from load import HANDLERS, Load
from proxy import Proxy, Sweep
from rig import database, server

from jetpackc.postgres import Server

OFTEN = ("claim", "resolve", "begin", "effect", "commit", "create_many", "send", "heartbeat", "fire", "pump")
"""Calls that are made all the time: one of two is cut."""
SELDOM = ("worker_start", "worker_idle", "listen", "machines")
"""Those that are made again at once where they fail."""
EARLY = ("worker_start", "worker_idle", "listen")
"""Those that a worker in peace makes once: they are cut from the start."""


@pytest.fixture(scope="module")
def durable(pg: int) -> Iterator[Server]:
    with server(pg) as found:
        yield found


@pytest.mark.parametrize("call", [*OFTEN, *SELDOM])
def test_a_call_cut_off_at_any_message_loses_and_doubles_nothing(call: str, durable: Server) -> None:
    with database(durable) as dsn:
        load, sweep = Load(dsn, seed=len(call)), Sweep(call, spare=call in OFTEN)
        asyncio.run(cut_through(durable, load, sweep))
        assert load.mistakes() == []
        assert {side for side, _ in sweep.cuts} == {"asked", "answered"}


def test_a_connection_that_breaks_at_the_start_is_told_in_a_sentence(durable: Server) -> None:
    async def begin(dsn: str) -> None:
        proxy = Proxy(durable.socket)
        async with proxy.open():
            proxy.sweep = Sweep("manifests")
            await Worker(proxy.dsn(dsn), handlers=HANDLERS).run()

    with database(durable) as dsn, pytest.raises(DatabaseUnreachable, match="cannot connect to host 127"):
        asyncio.run(begin(dsn))


async def cut_through(durable: Server, load: Load, sweep: Sweep, seconds: float = 60.0) -> None:
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
