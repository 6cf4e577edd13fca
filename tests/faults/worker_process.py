"""A worker to be killed: `python worker_process.py DSN LEASE`. In the environment, CLOCK_OFF_BY names a file with
seconds, and POOLED says that a pooler is before the database."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from jetpack_runtime import Worker, run_worker
from load import HANDLERS


def put_clock_off(by: Path) -> None:
    """Have this process's clock tell another time than it is."""
    really = time.time
    time.time = lambda: really() + float(by.read_text() or 0)


if __name__ == "__main__":
    if clock := os.environ.get("CLOCK_OFF_BY"):
        put_clock_off(Path(clock))
    threshold = None if "POOLED" in os.environ else 5
    dsn, lease = sys.argv[1], float(sys.argv[2])
    worker = Worker(dsn, handlers=HANDLERS, concurrency=8, lease=lease, poll=0.1, prepare_threshold=threshold)
    sys.exit(run_worker(worker))
