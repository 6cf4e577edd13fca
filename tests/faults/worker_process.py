"""A worker to be killed: `python worker_process.py DSN`."""

from __future__ import annotations

import asyncio
import sys

from jetpack_runtime import Worker
from load import HANDLERS

LEASE = 1.0


if __name__ == "__main__":
    worker = Worker(sys.argv[1], handlers=HANDLERS, concurrency=8, lease=LEASE, poll=0.1)
    asyncio.run(worker.run())
