# /// script
# dependencies = ["pgtask==0.4.0", "uvloop==0.23.0"]
# [tool.bench]
# batch = 1000
# jobs = 6000
# chains = 500
# left = "select count(*) from pgtask.tasks where state in ('pending', 'running', 'waiting')"
# done = "select count(*) from pgtask.tasks where state = 'succeeded'"
# claim = "for update skip locked"
# ///
"""pgtask: a chain is one task of three durable steps. A batch is its `concurrency`."""

from __future__ import annotations

from typing import Any

from pgtask import Client, EnqueueRequest, Task, TaskRegistry, Worker
from protocol import DSN, STEPS, Contestant, chunks, hit, main, ready

MANY = 1000
tasks = TaskRegistry(queue_name="jobs")


@tasks.task("job")
async def job(_task: Task, params: Any) -> None:
    hit(params["n"])


@tasks.task("chain")
async def chain(task: Task, params: Any) -> None:
    async def step() -> int:
        hit(params["n"])
        return 1

    for at in range(STEPS):
        await task.step(f"s{at}", step)


class Pgtask(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        await (await Client.connect(DSN)).migrate()

    async def open(self) -> None:
        self._client = await Client.connect(DSN)

    async def create(self, kind: str, numbers: range) -> None:
        for some in chunks(numbers, MANY):
            await self._client.enqueue_many([EnqueueRequest(kind, {"n": n}, queue_name="jobs") for n in some])

    async def single(self, number: int) -> None:
        await self._client.enqueue(EnqueueRequest("job", {"n": number}, queue_name="jobs"))

    async def work(self, batch: int) -> None:
        worker = Worker(DSN, tasks, concurrency=batch)
        await ready()
        await worker.run()


if __name__ == "__main__":
    main(Pgtask())
