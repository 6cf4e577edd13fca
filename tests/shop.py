"""The machines that the tests of the runtime work on, and what those tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from jetpack_runtime import AsyncClient, Worker

T = TypeVar("T")

LIMIT = 60.0
"""Seconds after which a test is taken to hang."""


def within(main: Coroutine[Any, Any, T]) -> T:
    """Run an asyncio test, bounded in time."""

    async def bounded() -> T:
        async with asyncio.timeout(LIMIT):
            return await main

    return asyncio.run(bounded())


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[asyncio.Task[bool]]:
    """A worker that runs while the block does."""
    run = asyncio.create_task(worker.run())
    try:
        yield run
    finally:
        worker.stop()
        await run


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for something that only the database can tell."""
    while not await condition():  # noqa: ASYNC110 -- there is no event to await
        await asyncio.sleep(0.01)


async def in_state(client: AsyncClient, id: int, state: str) -> None:
    """Wait until a task is in a state."""

    async def there() -> bool:
        return (await client.get(id)).state == state

    await until(there)


async def events(client: AsyncClient, id: int) -> list[str | None]:
    """The events of a task's history, creation left out."""
    return [hop.event for hop in await client.history(id)][1:]


async def execute(dsn: str, query: str, *params: object) -> list[tuple[Any, ...]]:
    """One statement beside the worker's."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute(query.encode(), params)
        return await cursor.fetchall() if cursor.description else []
