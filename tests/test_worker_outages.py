"""Connections that break under a running worker."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

import pytest
from jetpack_runtime import AsyncClient, DatabaseUnreachable, Task, Worker
from shop import execute, running, until, within

KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and application_name like 'jetpack worker%%'"""


async def _live(shop: str) -> list[tuple[int]]:
    return await execute(shop, "select id from jet.worker where seen_at > '-infinity' order by id")


def test_work_goes_on_after_all_connections_were_cut(shop: str, caplog: pytest.LogCaptureFixture) -> None:
    """The handlers run on; what they end with is told once there is a connection again."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        started, go = asyncio.Semaphore(0), asyncio.Event()

        async def handler(task: Task) -> None:
            started.release()
            await go.wait()

        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": handler})):
            ids = await client.create_many("shop.job", [{"n": n} for n in range(20)])
            for _ in ids:
                await started.acquire()
            assert (await execute(shop, KILL))[0][0] >= 2
            go.set()
            for id in ids:
                view = await client.wait(id, timeout=20)
                assert (view.state, view.attempts) == ("done", 1)
            assert (await client.wait(await client.create("shop.job", {"n": 99}), timeout=20)).state == "done"

    within(main())
    assert "the database is away" in caplog.text
    assert "the database is back after" in caplog.text


def test_cutting_connections_again_and_again_loses_and_repeats_nothing(shop: str) -> None:
    """A claim whose answer was cut off leaves tasks that nobody runs: their lease runs out, and they run again."""

    async def main() -> None:
        runs: Counter[int] = Counter()

        async def handler(task: Task) -> None:
            runs[task.id] += 1
            await asyncio.sleep(0.002)

        async with AsyncClient(shop) as client:
            ids = await client.create_many("shop.job", [{"n": n} for n in range(1500)])
            async with running(Worker(shop, handlers={"shop.job": handler}, concurrency=30, lease=0.9)):
                for _ in range(8):
                    await asyncio.sleep(0.05)
                    await execute(shop, KILL)

                async def all_done() -> bool:
                    return await execute(shop, "select count(*) from shop.job where state = 'done'") == [(len(ids),)]

                await until(all_done)
        finished = await execute(shop, "select id, count(*) from shop.job_history where event = 'SUCCESS' group by id")
        assert sorted(finished) == [(id, 1) for id in ids]

    within(main())


def test_an_outage_longer_than_the_lease_cancels_handlers_and_registers_again(
    shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(task: Task) -> None:
            if task.attempt > 1:
                return
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        name = shop.rpartition("dbname=")[2]
        admin = shop.replace(f"dbname={name}", "dbname=postgres")
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": handler}, lease=0.6)):
            id = await client.create("shop.job", {"n": 1})
            await started.wait()
            before = await _live(shop)
            await execute(admin, f'alter database "{name}" allow_connections false')
            await execute(admin, f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
            await cancelled.wait()
            await execute(admin, f'alter database "{name}" allow_connections true')
            with pytest.raises(DatabaseUnreachable):
                await client.get(id)
            assert (await client.wait(id, timeout=20)).attempts == 2
            assert max(await _live(shop)) > max(before)

    within(main())
    assert "no heartbeat came through for 0.6 s" in caplog.text


def test_a_worker_can_stop_while_the_database_is_away(shop: str) -> None:
    async def main() -> None:
        name = shop.rpartition("dbname=")[2]
        admin = shop.replace(f"dbname={name}", "dbname=postgres")
        worker = Worker(shop, handlers={"shop.job": _never})
        run = asyncio.create_task(worker.run())
        await until(lambda: _live(shop))
        await execute(admin, f'alter database "{name}" allow_connections false')
        await execute(admin, f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        worker.stop()
        assert await run is True
        await execute(admin, f'alter database "{name}" allow_connections true')

    within(main())


async def _never(task: Task) -> None:
    await asyncio.Event().wait()
