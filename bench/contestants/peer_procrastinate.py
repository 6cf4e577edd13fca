# /// script
# dependencies = ["procrastinate==3.10.0", "psycopg[binary]==3.3.9", "psycopg-pool==3.3.3"]
# [tool.bench]
# batch = 50
# jobs = 3000
# chains = 500
# left = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
# done = "select count(*) from procrastinate_jobs where status = 'succeeded'"
# rows = { chain = 3 }
# claim = "procrastinate_fetch_job"
# ///
"""procrastinate. A batch is its `concurrency`; more than about twenty connections do it no good."""

from __future__ import annotations

import sys

import procrastinate
from protocol import DSN, STEPS, Contestant, chunks, hit, main, ready

MANY, CONNECTIONS = 5000, 22
WORKS = "work" in sys.argv
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=DSN, min_size=1, max_size=CONNECTIONS if WORKS else 1)
)


@app.task(name="nothing", queue="jobs")
async def nothing(n: int) -> None:
    hit(n)


@app.task(name="step", queue="jobs")
async def step(n: int, at: int) -> None:
    hit(n)
    if at < STEPS:
        await step.defer_async(n=n, at=at + 1)


class Procrastinate(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        await app.open_async().__aenter__()

    async def create(self, kind: str, numbers: range) -> None:
        task, more = (step, {"at": 1}) if kind == "chain" else (nothing, {})
        for some in chunks(numbers, MANY):
            await task.batch_defer_async(*[{"n": n, **more} for n in some])

    async def single(self, number: int) -> None:
        await nothing.defer_async(n=number)

    async def work(self, batch: int) -> None:
        async with app.open_async():
            await ready()
            await app.run_worker_async(queues=["jobs"], concurrency=batch, wait=True, listen_notify=True)


if __name__ == "__main__":
    main(Procrastinate())
