# /// script
# dependencies = ["absurd-sdk==0.5.1", "absurdctl==0.5.1", "psycopg[binary]==3.3.9"]
# [tool.bench]
# batch = 50
# jobs = 3000
# chains = 500
# left = "select count(*) from absurd.t_jobs where state not in ('completed', 'failed', 'cancelled')"
# done = "select count(*) from absurd.t_jobs where state = 'completed'"
# claim = "absurd.claim_task"
# ///
"""absurd: a client has one connection, so a batch of 50 is five clients of ten. A chain is one task of three steps."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import absurdctl
import psycopg
from absurd_sdk import Absurd, AsyncAbsurd
from protocol import DSN, STEPS, Contestant, chunks, hit, main, ready

EACH, MANY = 10, 1000


def _client() -> Any:
    client = AsyncAbsurd(DSN, queue_name="jobs")

    @client.register_task("nothing")
    async def nothing(params: Any, _context: Any) -> None:
        hit(params["n"])

    @client.register_task("chain")
    async def chain(params: Any, context: Any) -> None:
        async def step() -> int:
            hit(params["n"])
            return 1

        for at in range(STEPS):
            await context.step(f"step {at}", step)

    return client


class Peer(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        with psycopg.connect(DSN, autocommit=True) as connection:
            connection.execute("".join(absurdctl.BUNDLED_SCHEMA_SQL).encode())
            connection.execute("select absurd.create_queue('jobs')")

    async def open(self) -> None:
        self._connection = psycopg.connect(DSN, autocommit=True)
        self._client = Absurd(self._connection, queue_name="jobs")

    async def create(self, kind: str, numbers: range) -> None:
        task = "chain" if kind == "chain" else "nothing"
        for some in chunks(numbers, MANY):
            with self._connection.transaction():
                for number in some:
                    self._client.spawn(task, {"n": number}, queue="jobs")

    async def single(self, number: int) -> None:
        self._client.spawn("nothing", {"n": number}, queue="jobs")

    async def work(self, batch: int) -> None:
        clients = [_client() for _ in range(max(1, batch // EACH))]
        for client in clients:
            await client._ensure_connected()
        await ready()
        names = [f"{os.getpid()}-{at}" for at in range(len(clients))]
        works = [c.start_worker(worker_id=name, concurrency=EACH) for c, name in zip(clients, names, strict=True)]
        await asyncio.gather(*works)


if __name__ == "__main__":
    main(Peer())
