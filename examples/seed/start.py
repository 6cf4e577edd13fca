"""The seed's last program: create a task, and bind handlers to machines. `python start.py DSN` in this folder.

The database must have the machines of handlers.jet: `jetpackc build handlers.jet && jetpackc migrate --dsn DSN`.
"""

import sys
from collections.abc import Callable
from typing import Any

from jetpack_runtime import Client, Task, Worker, run_worker


async def do_work(task: Task) -> None:
    """Any function will do, one defined on the spot as well."""
    print(f"task {task.id}: bound in Python")


HANDLERS: dict[str, Callable[[Any], Any] | str] = {
    "handlers.my_task": do_work,  # a function
    "handlers.my_next_task": "next_task",  # a module path
}


def create(dsn: str) -> int:
    """A task that no worker takes up before an hour has passed; its id."""
    with Client(dsn) as client:
        return client.create("handlers.my_task", {}, delay="1 hour")


if __name__ == "__main__":
    print(f"task {create(sys.argv[1])} is created, to be run in an hour")
    sys.exit(run_worker(Worker(sys.argv[1], handlers=HANDLERS)))
