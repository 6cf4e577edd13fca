"""A worker to be killed: `python worker_process.py DSN LEASE`. CLOCK_OFF_BY may name a file with seconds."""

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
    sys.exit(run_worker(Worker(sys.argv[1], handlers=HANDLERS, concurrency=8, lease=float(sys.argv[2]), poll=0.1)))
