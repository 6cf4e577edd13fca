"""A worker of limited tasks, to be killed: `python limits_worker.py DSN LEASE`. With HANGS set its handlers hang."""

from __future__ import annotations

import asyncio
import os
import sys

from jetpack_runtime import Task, Worker


async def work(_task: Task) -> None:
    """Holds its place for a moment, or until it is killed."""
    if os.environ.get("HANGS"):
        await asyncio.Event().wait()
    await asyncio.sleep(0.01)


HANDLERS = {"l.slot": work, "l.rated": work}

if __name__ == "__main__":
    worker = Worker(sys.argv[1], handlers=HANDLERS, concurrency=16, lease=float(sys.argv[2]), poll=0.05)
    asyncio.run(worker.run())
