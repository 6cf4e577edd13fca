"""Workers over the contestants: the real one over jetpack's, the least that would do over the hand-written ones.

Each claims on one connection while it finishes on another, so the server can use two processors.
"""

from __future__ import annotations

import asyncio
import logging

import psycopg
from jetpack_runtime import Task, Worker

CLAIMS_AHEAD = 2


async def nothing(task: Task) -> None:
    """The handler of every job."""


def drain(name: str, dsn: str, batch: int) -> None:
    """Work until nothing is left."""
    asyncio.run(_jetpack(dsn, batch) if name == "jetpack" else _by_hand(name, dsn, batch))


async def _jetpack(dsn: str, batch: int) -> None:
    logging.getLogger("jetpack").setLevel(logging.WARNING)
    worker = Worker(dsn, handlers={"bench.job": nothing}, concurrency=batch)
    assert await worker.run(until_idle=True)


async def _by_hand(name: str, dsn: str, batch: int) -> None:
    claims, ends = [await psycopg.AsyncConnection.connect(dsn, autocommit=True) for _ in range(2)]
    claimed: asyncio.Queue[list[int] | None] = asyncio.Queue(CLAIMS_AHEAD)

    async def claim() -> None:
        while True:
            query = f"select {name}.claim(1, %s)"
            row = await (await claims.execute(query, (batch,), prepare=True)).fetchone()
            await claimed.put(row[0] if row else None)
            if not row or not row[0]:
                return

    async def finish() -> None:
        while ids := await claimed.get():
            for _ in ids:
                await nothing_by_hand()
            query = f"select {name}.finish(1, %s::bigint[])"
            row = await (await ends.execute(query, (ids,), prepare=True)).fetchone()
            assert row == (len(ids),)

    await asyncio.gather(claim(), finish())
    await claims.close()
    await ends.close()


async def nothing_by_hand() -> None:
    """The same handler where there is no task to give it."""
