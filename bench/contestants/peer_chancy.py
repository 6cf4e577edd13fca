# /// script
# dependencies = ["chancy==0.26.0", "psycopg[binary]==3.3.9", "psycopg-pool==3.3.3"]
# [tool.bench]
# batch = 50
# jobs = 8000
# chains = 1000
# left = "select count(*) from chancy_jobs where state in ('pending', 'running', 'retrying')"
# done = "select count(*) from chancy_jobs where state = 'succeeded'"
# rows = { chain = 3 }
# claim = "for update skip locked"
# ///
"""Chancy with its executor for coroutines, which polls as soon as a job is done. A batch is its `concurrency`."""

from __future__ import annotations

import logging

from chancy import Chancy, Queue, Worker, job
from protocol import DSN, STEPS, Contestant, hit, main, ready

chancy = Chancy(DSN, log=logging.getLogger("chancy"))


@job(queue="jobs")
async def nothing(*, n: int) -> None:
    hit(n)


@job(queue="jobs")
async def step(*, n: int, at: int) -> None:
    hit(n)
    if at < STEPS:
        await chancy.push(step.job.with_kwargs(n=n, at=at + 1))


class Peer(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        async with chancy:
            await chancy.migrate()

    async def open(self) -> None:
        await chancy.__aenter__()

    async def create(self, kind: str, numbers: range) -> None:
        if kind == "chain":
            jobs = [step.job.with_kwargs(n=n, at=1) for n in numbers]
        else:
            jobs = [nothing.job.with_kwargs(n=n) for n in numbers]
        async for _ in chancy.push_many(jobs):
            pass

    async def single(self, number: int) -> None:
        await chancy.push(nothing.job.with_kwargs(n=number))

    async def work(self, batch: int) -> None:
        async with chancy:
            how = {
                "concurrency": batch,
                "executor": Chancy.Executor.Async,
                "eager_polling": True,
                "polling_interval": 1,
            }
            await chancy.declare(Queue("jobs", **how), upsert=True)
            await ready()
            async with Worker(chancy) as worker:
                await worker.wait_for_shutdown()


if __name__ == "__main__":
    import peer_chancy  # jobs are stored by the name of this module, which must not be `__main__`

    main(peer_chancy.Peer())
