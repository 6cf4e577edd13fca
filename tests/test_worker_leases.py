"""Handlers that are no longer wanted, and workers that were taken for dead."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from jetpack_runtime import AsyncClient, PlainTask, Task, Worker
from shop import events, execute, in_state, running, until, within


class Probe:
    """Async and plain handlers that say when they start and how they end."""

    def __init__(self) -> None:
        self.started: asyncio.Queue[int] = asyncio.Queue()
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()

    async def block(self, task: Task) -> None:
        self.started.put_nowait(task.id)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.put_nowait("cancelled")
            raise

    def block_plain(self, task: PlainTask) -> None:
        self.loop.call_soon_threadsafe(self.started.put_nowait, task.id)
        task.cancelled.wait()
        self.loop.call_soon_threadsafe(self.ended.put_nowait, "cancelled")

    def of(self, kind: str) -> Any:
        return self.block if kind == "async" else self.block_plain


KINDS = pytest.mark.parametrize("kind", ["async", "plain"])


@KINDS
def test_a_handler_is_cancelled_when_its_task_leaves_the_state(shop: str, kind: str) -> None:
    """Soon, by notification: the heartbeat alone would take a minute."""

    async def main() -> None:
        probe = Probe()
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": probe.of(kind)}, lease=180)):
            id = await client.create("shop.job", {"n": 1})
            await probe.started.get()
            assert (await client.send(id, "CANCEL")).applied
            assert await probe.ended.get() == "cancelled"
            assert (await client.get(id)).state == "cancelled"

    within(main())


@KINDS
def test_a_lane_goes_on_after_its_handler_was_cancelled(shop: str, kind: str) -> None:
    async def main() -> None:
        probe = Probe()
        worker = Worker(shop, handlers={"shop.job": probe.of(kind)}, concurrency=1)
        async with AsyncClient(shop) as client, running(worker):
            for _ in range(5):
                id = await client.create("shop.job", {"n": 1})
                assert await probe.started.get() == id
                await client.send(id, "CANCEL")
                await probe.ended.get()

    within(main())


@KINDS
def test_a_handler_that_takes_too_long_is_cancelled_with_timeout(shop: str, kind: str) -> None:
    """The step's timeout is half a second; its two attempts are used up."""

    async def main() -> None:
        probe = Probe()
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.pay": probe.of(kind)})):
            id = await client.create("shop.pay", {"order_id": 7})
            await client.send(id, "PAID", {"amount": 1})
            view = await client.wait(id, timeout=20)
            assert view.is_failure
            errors = [hop.payload for hop in await client.history(id) if hop.event == "ERROR"]
            assert [error and error["type"] for error in errors] == ["TIMEOUT"] * 2
            assert [await probe.ended.get(), await probe.ended.get()] == ["cancelled"] * 2
            assert 1.0 <= (view.entered_at - view.created_at).total_seconds() < 10

    within(main())


def test_a_handler_that_ends_in_time_is_left_alone_by_its_timer(shop: str) -> None:
    async def main() -> None:
        async def charge(task: Task) -> str:
            await asyncio.sleep(0.1)
            return "r"

        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.pay": charge}, concurrency=1)):
            for _ in range(8):  # longer than one timeout, in one lane
                id = await client.create("shop.pay", {"order_id": 7})
                await client.send(id, "PAID", {"amount": 1})
                assert (await client.wait(id, timeout=20)).state == "done"

    within(main())


def test_a_worker_that_the_database_forgot_drops_its_work_and_registers_again(shop: str) -> None:
    async def main() -> None:
        probe = Probe()
        async with (
            AsyncClient(shop) as client,
            running(Worker(shop, handlers={"shop.job": probe.block}, lease=0.6, grace=0)),
        ):
            await client.create("shop.job", {"n": 1})
            await probe.started.get()
            await execute(shop, "delete from jet.worker")
            assert await probe.ended.get() == "cancelled"
            await client.create("shop.job", {"n": 2})
            await probe.started.get()
            assert len(await execute(shop, "select id from jet.worker")) == 1

    within(main())


def test_heartbeats_keep_a_lease_over_many_times_its_length(shop: str) -> None:
    async def main() -> None:
        other, mine = Worker(shop, handlers={"shop.job": _at_once}, lease=0.6), asyncio.Event()

        async def slow(task: Task) -> None:
            mine.set()
            await asyncio.sleep(2.5)

        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": slow}, lease=0.9)):
            id = await client.create("shop.job", {"n": 1})
            await mine.wait()
            async with running(other):  # would sweep the lease if it ran out
                view = await client.wait(id, timeout=20)
            assert (view.state, view.attempts) == ("done", 1)

    within(main())


async def _at_once(task: Task) -> None:
    await asyncio.sleep(0)


def test_work_of_a_dead_worker_is_done_by_another(shop: str) -> None:
    async def main() -> None:
        async with AsyncClient(shop) as client:
            id = await client.create("shop.job", {"n": 1})
            ((dead,),) = await execute(shop, "select jet.worker_start('dead', interval '200 ms')")
            await execute(shop, "select id from shop.job_claim(%s, 10)", dead)
            assert (await client.get(id)).state == "running"
            async with running(Worker(shop, handlers={"shop.job": _at_once}, lease=0.9)):
                view = await client.wait(id, timeout=20)
            assert (view.state, view.attempts) == ("done", 2)

    within(main())


def test_a_late_result_of_a_plain_handler_is_refused_and_recorded(shop: str) -> None:
    async def main() -> None:
        loop, started, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def stubborn(task: PlainTask) -> None:
            loop.call_soon_threadsafe(started.set)
            go.wait()

        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": stubborn})):
            id = await client.create("shop.job", {"n": 1})
            await started.wait()
            await client.send(id, "CANCEL")
            go.set()

            async def recorded() -> bool:
                return "late" in await events(client, id)

            await until(recorded)
            assert (await client.get(id)).state == "cancelled"

    within(main())


def test_a_plain_handler_past_its_time_keeps_its_thread_but_not_its_task(shop: str) -> None:
    """One thread: the second task starts only once the first handler has really returned."""

    async def main() -> None:
        loop, go, started = asyncio.get_running_loop(), threading.Event(), asyncio.Queue[int]()

        def stubborn(task: PlainTask) -> str:
            loop.call_soon_threadsafe(started.put_nowait, task.id)
            go.wait()
            return "r"

        worker = Worker(shop, handlers={"shop.pay": stubborn}, concurrency=1)
        async with AsyncClient(shop) as client, running(worker):
            id = await client.create("shop.pay", {"order_id": 7})
            await client.send(id, "PAID", {"amount": 1})
            await started.get()
            await in_state(client, id, "charging.ready")
            assert started.empty()
            go.set()
            assert await started.get() == id
            assert (await client.wait(id, timeout=20)).state == "done"

    within(main())
