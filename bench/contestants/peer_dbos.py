# /// script
# dependencies = ["dbos==3.4.0", "psycopg[binary]==3.3.9", "SQLAlchemy==2.1.9"]
# [tool.bench]
# batch = 100
# jobs = 2000
# chains = 500
# fans = 20
# left = "select count(*) from dbos.workflow_status where status in ('ENQUEUED', 'PENDING')"
# done = "select count(*) from dbos.workflow_status where status = 'SUCCESS'"
# rows = { fan = 21 }
# claim = "for update skip locked"
# ///
"""DBOS: a job, a chain and a fan are workflows; the children of a fan go through the queue. A batch is its
`worker_concurrency`. Queues are polled, here every tenth of a second in place of every second."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSClient
from protocol import CHILDREN, DSN, STEPS, Contestant, chunks, hit, main, ready

POLL, MANY = 0.1, 1000


@DBOS.workflow()
async def job(n: int) -> None:
    hit(n)


@DBOS.step()
async def step(n: int) -> None:
    hit(n)


@DBOS.workflow()
async def chain(n: int) -> None:
    for _ in range(STEPS):
        await step(n)


@DBOS.workflow()
async def fan(n: int) -> None:
    await step(n)
    children = [await DBOS.enqueue_workflow_async("jobs", job, n + 1 + child) for child in range(CHILDREN)]
    for child in children:
        await child.get_result()
    await step(n)


def _launch() -> None:
    name = f"worker{os.environ.get('BENCH_SLOT', '0')}"
    config: Any = {
        "name": "bench",
        "system_database_url": DSN,
        "log_level": "CRITICAL",
        "executor_id": name,
        "application_version": "1",
    }
    DBOS(config=config)
    DBOS.launch()


class Dbos(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        await asyncio.to_thread(_launch)
        await asyncio.to_thread(DBOS.destroy)

    async def open(self) -> None:
        self._client = DBOSClient(system_database_url=DSN)
        self._engine = sqlalchemy.create_engine(DSN.replace("postgresql:", "postgresql+psycopg:", 1))

    async def create(self, kind: str, numbers: range) -> None:
        options, times = self._options(kind), (CHILDREN + 1 if kind == "fan" else 1)
        with self._engine.connect() as connection:
            for some in chunks(numbers, MANY):
                with connection.begin():
                    for number in some:
                        self._client.enqueue_in_transaction(connection, options, number * times)

    def _options(self, kind: str) -> Any:
        return {"workflow_name": kind, "queue_name": "jobs"}

    async def single(self, number: int) -> None:
        self._client.enqueue(self._options("job"), number)

    async def work(self, batch: int) -> None:
        client = DBOSClient(system_database_url=DSN)
        client.register_queue("jobs", worker_concurrency=batch, polling_interval_sec=POLL, on_conflict="always_update")
        client.destroy()
        await ready()
        await asyncio.to_thread(_launch)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(Dbos())
