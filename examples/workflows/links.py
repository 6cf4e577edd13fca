"""What the links of a chain, and the nodes of a nest, do."""

from __future__ import annotations

import asyncio

from jetpack_runtime import Task

REPORTS: list[tuple[int, str]] = []
"""What was reported, by this process."""


BROKEN: set[int] = set()
"""The links that break, by number."""


async def work(task: Task) -> None:
    """Work that takes a moment."""
    await asyncio.sleep(0)
    if task.params["number"] in BROKEN:
        raise RuntimeError("broken")


async def count(task: Task) -> None:
    """A node that has all its descendants behind it."""
    print(f"task {task.id}: {task.vars['below']} below")


async def report(task: Task) -> None:
    """Say how a chain ended."""
    REPORTS.append((task.params["chain"], task.params["text"]))
    print(f"chain {task.params['chain']}: {task.params['text']}")
