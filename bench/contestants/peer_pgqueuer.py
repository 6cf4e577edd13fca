# /// script
# dependencies = ["pgqueuer[asyncpg]==1.6.0", "asyncpg==0.32.0", "uvloop==0.23.0"]
# [tool.bench]
# batch = 100
# jobs = 20000
# chains = 2000
# left = "select count(*) from pgqueuer"
# done = "select count(*) from pgqueuer_log where status = 'successful'"
# rows = { chain = 3 }
# claim = "for update skip locked"
# ///
"""PgQueuer: one manager, with the settings for autovacuum that it recommends."""

from __future__ import annotations

from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from protocol import DSN, STEPS, Contestant, chunks, hit, main, ready

MANY = 5000


async def _connect() -> tuple[Any, Any]:
    driver = AsyncpgDriver(await asyncpg.connect(DSN))
    return driver, Queries(driver)


class Pgqueuer(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        _, queries = await _connect()
        await queries.install()
        await queries.optimize_autovacuum()

    async def open(self) -> None:
        _, self._queries = await _connect()

    async def create(self, kind: str, numbers: range) -> None:
        name, form = ("step", b"%d,1") if kind == "chain" else ("nothing", b"%d")
        for some in chunks(numbers, MANY):
            await self._queries.enqueue([name] * len(some), [form % n for n in some], [0] * len(some))

    async def single(self, number: int) -> None:
        await self._queries.enqueue("nothing", b"%d" % number)

    async def work(self, batch: int) -> None:
        driver, queries = await _connect()
        manager = PgQueuer(driver, queries=queries)

        @manager.entrypoint("nothing")
        async def nothing(job: Any) -> None:
            hit(int(job.payload))

        @manager.entrypoint("step")
        async def step(job: Any) -> None:
            number, at = map(int, job.payload.split(b","))
            hit(number)
            if at < STEPS:
                await queries.enqueue("step", b"%d,%d" % (number, at + 1))

        await ready()
        await manager.run(batch_size=batch)


if __name__ == "__main__":
    main(Pgqueuer())
