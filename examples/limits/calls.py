"""Handlers that only pretend."""

from __future__ import annotations

import asyncio

from jetpack_runtime import Task


async def call(task: Task) -> int:
    """Take a moment, as a service would."""
    await asyncio.sleep(0.05)
    return 503 if "broken" in task.params["url"] else 200


async def export(task: Task) -> None:
    """Write nothing."""
