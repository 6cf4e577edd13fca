"""A worker to be killed: `python worker_process.py DSN`. Every other task writes its effect in its own transaction."""

from __future__ import annotations

import asyncio
import sys

from jetpack_runtime import Task, Worker

LEASE = 1.0


async def work(task: Task) -> None:
    """Take a moment; where the task says so, leave one row of evidence in the transaction that finishes it."""
    await asyncio.sleep(0.02)
    if task.params["writes"]:
        connection = await task.connection()
        await connection.execute("insert into evidence (task, attempt) values (%s, %s)", (task.id, task.attempt))


if __name__ == "__main__":
    worker = Worker(sys.argv[1], handlers={"f.job": work}, concurrency=8, lease=LEASE, poll=0.1)
    asyncio.run(worker.run())
