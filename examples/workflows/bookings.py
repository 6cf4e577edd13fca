"""Where a trip is booked. What is full refuses."""

from __future__ import annotations

from jetpack_runtime import Task

FULL: set[str] = {"car in Oslo"}
DONE: list[str] = []
"""What was booked and cancelled, in order, by this process."""


async def book(task: Task) -> str:
    """Book, and give the code of it."""
    what = task.params["what"]
    if what in FULL:
        raise RuntimeError(f"no {what}")
    DONE.append(what)
    return f"{what[0].upper()}{task.id}"


async def cancel(task: Task) -> None:
    """Take a booking back."""
    DONE.append(f"no {task.params['what']}")
