"""The worker's process: a new one after each save, so that handlers are always the saved ones.

Reads its orders from the first line of stdin, and stops when stdin ends: it never outlives the process that began it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading

from jetpack_runtime import JetpackError, Worker, run_worker


def main() -> int:
    """Work; the exit code."""
    line = b""
    while not line.endswith(b"\n"):  # not through sys.stdin: a thread that waits in its buffer would block the exit
        line += os.read(0, 65536)
    orders = json.loads(line)
    sys.path.insert(0, os.getcwd())  # where the project's handlers are; our own package came from where it is installed
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    worker = Worker(orders["dsn"], machines=orders["machines"], name="dev", grace=2.0)
    threading.Thread(target=_stop_at_end, args=(worker,), daemon=True).start()
    try:
        return run_worker(worker, until_idle=orders["until_idle"])
    except JetpackError as error:
        print(f"error: {error}" + (f"\n  = help: {error.hint}" if error.hint else ""))  # noqa: T201 - to our parent
        return 1


def _stop_at_end(worker: Worker) -> None:
    os.read(0, 1)
    worker.stop()


if __name__ == "__main__":
    sys.exit(main())
