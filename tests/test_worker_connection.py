"""`task.connection`: a handler's own writes and the end of its task are one transaction."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from jetpack_runtime import AsyncClient, PlainTask, Task, Worker
from shop import execute, in_state, running, until, within


@pytest.fixture
def ledger(shop: str) -> str:
    """A database with a table of the user's own."""
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute("create table ledger (task bigint primary key deferrable initially deferred, attempt int)")
    return shop


WRITE = "insert into ledger values (%s, %s)"


async def write(task: Task) -> None:
    connection = await task.connection()
    assert connection is await task.connection()
    await connection.execute(WRITE, (task.id, task.attempt))


def write_plain(task: PlainTask) -> None:
    task.connection().execute(WRITE, (task.id, task.attempt))


async def rows(dsn: str) -> list[tuple[Any, ...]]:
    return await execute(dsn, "select task, attempt from ledger order by task")


KINDS = pytest.mark.parametrize("handler", [write, write_plain])


@KINDS
def test_writes_commit_with_the_end_of_the_task(ledger: str, handler: Any) -> None:
    async def main() -> None:
        async with AsyncClient(ledger) as client:
            ids = await client.create_many("shop.job", [{"n": n} for n in range(30)])
            await Worker(ledger, handlers={"shop.job": handler}, connections=3).run(until_idle=True)
            assert await rows(ledger) == [(id, 1) for id in ids]
            assert {(await client.get(id)).state for id in ids} == {"done"}

    within(main())


@KINDS
def test_an_exception_undoes_the_writes(ledger: str, handler: Any) -> None:
    async def fail(task: Task) -> None:
        await write(task)
        if task.attempt == 1:
            raise ValueError("later")

    def fail_plain(task: PlainTask) -> None:
        write_plain(task)
        if task.attempt == 1:
            raise ValueError("later")

    async def main() -> None:
        async with AsyncClient(ledger) as client:
            id = await client.create("shop.job", {"n": 1})
            chosen = fail if handler is write else fail_plain
            await Worker(ledger, handlers={"shop.job": chosen}).run(until_idle=True)
            assert await rows(ledger) == [(id, 2)]
            assert (await client.get(id)).state == "done"

    within(main())


@KINDS
def test_writes_that_cannot_commit_make_the_task_fail(ledger: str, handler: Any) -> None:
    """The primary key is checked at the commit."""

    async def main() -> None:
        async with AsyncClient(ledger) as client:
            id = await client.create("shop.job", {"n": 1})
            await execute(ledger, WRITE, id, 0)
            await Worker(ledger, handlers={"shop.job": handler}).run(until_idle=True)
            assert await rows(ledger) == [(id, 0)]
            assert (await client.get(id)).state == "abandoned"
            error = next(hop for hop in await client.history(id) if hop.event == "ERROR")
            assert error.payload is not None
            assert error.payload["type"] == "UniqueViolation"

    within(main())


@KINDS
def test_writes_of_a_task_that_moved_on_are_undone_and_its_late_result_recorded(ledger: str, handler: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        started, go, ready = asyncio.Event(), threading.Event(), asyncio.Event()

        def slow_plain(task: PlainTask) -> None:
            write_plain(task)
            loop.call_soon_threadsafe(started.set)
            go.wait()

        async def slow(task: Task) -> None:
            await write(task)
            started.set()
            while not ready.is_set():  # one that does not mind being cancelled
                try:
                    await ready.wait()
                except asyncio.CancelledError:
                    continue

        chosen = slow if handler is write else slow_plain
        async with (
            AsyncClient(ledger) as client,
            running(Worker(ledger, handlers={"shop.job": chosen}, lease=0.9)),
        ):
            id = await client.create("shop.job", {"n": 1})
            await started.wait()
            assert (await client.send(id, "CANCEL")).applied
            go.set()
            ready.set()
            query = "select payload ->> 'event' from shop.job_history where id = %s and event = 'late'"
            await until(lambda: execute(ledger, query, id))
            assert await rows(ledger) == []
            assert (await client.get(id)).state == "cancelled"

    within(main())


@KINDS
def test_writes_are_undone_when_the_transition_fails(ledger: str, handler: Any) -> None:
    async def set_and_write(task: Task) -> None:
        task.set(seen=1)
        await write(task)

    def set_and_write_plain(task: PlainTask) -> None:
        task.set(seen=1)
        write_plain(task)

    async def main() -> None:
        await execute(ledger, "alter table shop.job add constraint low check (seen = 0)")
        async with AsyncClient(ledger) as client:
            id = await client.create("shop.job", {"n": 1})
            chosen = set_and_write if handler is write else set_and_write_plain
            await Worker(ledger, handlers={"shop.job": chosen}).run(until_idle=True)
            assert await rows(ledger) == []
            assert (await client.get(id)).state == "abandoned"
            error = next(hop for hop in await client.history(id) if hop.event == "ERROR")
            assert error.payload is not None
            assert error.payload["type"] == "transition"
            assert '"low"' in error.payload["message"]

    within(main())


def test_a_handler_cannot_commit_by_itself(ledger: str) -> None:
    async def impatient(task: Task) -> None:
        connection = await task.connection()
        await connection.execute(WRITE, (task.id, task.attempt))
        await connection.commit()

    async def main() -> None:
        async with AsyncClient(ledger) as client:
            id = await client.create("shop.job", {"n": 1})
            await Worker(ledger, handlers={"shop.job": impatient}).run(until_idle=True)
            assert await rows(ledger) == []
            assert (await client.get(id)).state == "abandoned"

    within(main())


def test_a_failed_statement_that_the_handler_hides_is_no_success(ledger: str) -> None:
    async def careless(task: Task) -> None:
        connection = await task.connection()
        with suppress(psycopg.Error):
            await connection.execute("select 1 / 0")

    async def main() -> None:
        async with AsyncClient(ledger) as client:
            id = await client.create("shop.job", {"n": 1})
            await Worker(ledger, handlers={"shop.job": careless}).run(until_idle=True)
            assert (await client.get(id)).state == "abandoned"

    within(main())


def test_a_cancelled_handler_gives_its_connection_back(ledger: str) -> None:
    """More tasks than connections are cancelled; the ones after them still get one."""

    async def main() -> None:
        started: asyncio.Queue[int] = asyncio.Queue()

        async def handler(task: Task) -> None:
            await write(task)
            if task.params["n"] == 0:
                started.put_nowait(task.id)
                await asyncio.Event().wait()

        async with (
            AsyncClient(ledger) as client,
            running(Worker(ledger, handlers={"shop.job": handler}, connections=1)),
        ):
            for _ in range(3):
                await client.create("shop.job", {"n": 0})
                await client.send(await started.get(), "CANCEL")
            id = await client.create("shop.job", {"n": 1})
            await in_state(client, id, "done")
            assert await rows(ledger) == [(id, 1)]

    within(main())


def test_a_connection_that_died_while_it_lay_idle_costs_no_attempt(ledger: str) -> None:
    async def main() -> None:
        async with (
            AsyncClient(ledger) as client,
            running(Worker(ledger, handlers={"shop.job": write}, connections=1)),
        ):
            first = await client.create("shop.job", {"n": 1})
            await in_state(client, first, "done")
            idle = "from pg_stat_activity where datname = current_database() and query = 'COMMIT'"
            assert await execute(ledger, f"select pg_terminate_backend(pid) {idle}")
            second = await client.create("shop.job", {"n": 2})
            await in_state(client, second, "done")
            assert await rows(ledger) == [(first, 1), (second, 1)]

    within(main())


@KINDS
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_who_ends_the_transaction_gets_an_error_and_the_next_task_another_connection(
    ledger: str, handler: Any, end: str
) -> None:
    async def meddle(task: Task) -> None:
        if task.params["n"] == 0:
            await (await task.connection()).execute(end.encode())
        else:
            await write(task)

    def meddle_plain(task: PlainTask) -> None:
        if task.params["n"] == 0:
            task.connection().execute(end.encode())
        else:
            write_plain(task)

    async def main() -> None:
        async with AsyncClient(ledger) as client:
            ids = await client.create_many("shop.job", [{"n": n} for n in range(4)])
            chosen = meddle if handler is write else meddle_plain
            await Worker(ledger, handlers={"shop.job": chosen}, concurrency=1, connections=1).run(until_idle=True)
            assert await rows(ledger) == [(id, 1) for id in ids[1:]]
            assert [(await client.get(id)).state for id in ids] == ["abandoned", "done", "done", "done"]
            error = next(hop for hop in await client.history(ids[0]) if hop.event == "ERROR")
            assert error.payload is not None
            assert "ended the transaction" in error.payload["message"]

    within(main())
