"""How a worker claims: never too much, in turn, at once when it is told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from jetpack_runtime import AsyncClient, PlainTask, Task, Worker, claimer
from shop import execute, running, until, within


def test_no_more_are_claimed_than_can_start(shop: str) -> None:
    async def main() -> None:
        started, go = asyncio.Semaphore(0), asyncio.Event()

        async def handler(task: Task) -> None:
            started.release()
            await go.wait()

        async with AsyncClient(shop) as client:
            ids = await client.create_many("shop.job", [{"n": n} for n in range(50)])
            async with running(Worker(shop, handlers={"shop.job": handler}, concurrency=7)):
                for _ in range(7):
                    await started.acquire()
                await asyncio.sleep(0.1)
                claimed = "select count(*) from shop.job where state = 'running' or attempts > 0"
                assert await execute(shop, claimed) == [(7,)]
                assert started.locked()
                go.set()
                for id in ids:
                    await client.wait(id, timeout=20)

    within(main())


def test_plain_handlers_use_no_more_threads_than_lanes(shop: str) -> None:
    async def main() -> None:
        threads: Counter[str] = Counter()

        def handler(task: PlainTask) -> None:
            threads[threading.current_thread().name] += 1
            time.sleep(0.002)

        async with AsyncClient(shop) as client:
            await client.create_many("shop.job", [{"n": n} for n in range(60)])
            await Worker(shop, handlers={"shop.job": handler}, concurrency=4).run(until_idle=True)
        assert sum(threads.values()) == 60
        assert 1 < len(threads) <= 4

    within(main())


def test_each_machine_gets_its_share(shop: str) -> None:
    """A long queue of one machine does not keep the other waiting."""

    async def main() -> None:
        order: list[str] = []

        async def handler(task: Task) -> object:
            order.append(task.machine)
            await asyncio.sleep(0.001)
            return "r" if task.machine == "shop.pay" else None

        async with AsyncClient(shop) as client:
            await client.create_many("shop.job", [{"n": n} for n in range(300)])
            for pay in await client.create_many("shop.pay", [{"order_id": n} for n in range(20)]):
                await client.send(pay, "PAID", {"amount": 1})
            handlers = {"shop.job": handler, "shop.pay": handler}
            await Worker(shop, handlers=handlers, concurrency=4).run(until_idle=True)
        assert Counter(order) == {"shop.job": 300, "shop.pay": 20}
        assert Counter(order[:50])["shop.pay"] >= 15

    within(main())


def test_lower_priority_numbers_go_first(shop: str) -> None:
    async def main() -> None:
        order: list[int] = []

        async def handler(task: Task) -> None:
            order.append(task.params["n"])
            await asyncio.sleep(0)

        async with AsyncClient(shop) as client:
            for n, priority in enumerate([5, 0, -5, 5, 0]):
                await client.create("shop.job", {"n": n}, priority=priority)
            await Worker(shop, handlers={"shop.job": handler}, concurrency=1).run(until_idle=True)
        assert order == [2, 1, 4, 0, 3]

    within(main())


async def _idle(shop: str) -> bool:
    return bool(await execute(shop, "select id from jet.worker where idle"))


def test_an_idle_worker_is_woken_by_notification(shop: str) -> None:
    """Polling alone would take a minute."""

    async def main() -> None:
        async with (
            AsyncClient(shop) as client,
            running(Worker(shop, handlers={"shop.job": _at_once}, poll=60)),
        ):
            for _ in range(5):
                await until(lambda: _idle(shop))
                await asyncio.sleep(0.2)  # past its last short look
                assert (await client.wait(await client.create("shop.job", {"n": 1}), timeout=20)).state == "done"

    within(main())


def test_polling_alone_finds_everything(shop: str) -> None:
    async def main() -> None:
        await execute(
            shop,
            "create or replace function jet.wake(_machine text) returns void language sql as $$ select null::void $$",
        )
        async with (
            AsyncClient(shop) as client,
            running(Worker(shop, handlers={"shop.job": _at_once}, poll=0.2, prepare_threshold=None)),
        ):
            for _ in range(3):
                await until(lambda: _idle(shop))
                assert (await client.wait(await client.create("shop.job", {"n": 1}), timeout=20)).state == "done"

    within(main())


def test_a_delayed_task_is_claimed_when_it_is_due_without_waiting_for_a_poll(shop: str) -> None:
    async def main() -> None:
        async with (
            AsyncClient(shop) as client,
            running(Worker(shop, handlers={"shop.job": _at_once}, poll=60)),
        ):
            await until(lambda: _idle(shop))
            await client.create("shop.job", {"n": 1})  # wakes the worker, whose next look then sees the delayed one
            view = await client.wait(
                await client.create("shop.job", {"n": 1}, delay=timedelta(seconds=0.7)), timeout=20
            )
            claimed = (await client.history(view.id))[1]
            assert 0.7 <= (claimed.at - view.created_at).total_seconds() < 10

    within(main())


def test_a_busy_worker_says_that_it_is_not_idle(shop: str) -> None:
    async def main() -> None:
        async with AsyncClient(shop) as client:
            idle: list[bool] = []

            async def handler(task: Task) -> None:
                if task.params["n"] == 450:
                    idle.append(await _idle(shop))

            async with running(Worker(shop, handlers={"shop.job": handler}, concurrency=10)):
                await until(lambda: _idle(shop))
                ids = await client.create_many("shop.job", [{"n": n} for n in range(500)])
                await client.wait(ids[450], timeout=20)
                await until(lambda: _idle(shop))
            assert idle == [False]

    within(main())


def test_until_idle_waits_for_retries_and_delays_but_not_for_what_rests(shop: str) -> None:
    async def main() -> None:
        async def handler(task: Task) -> None:
            await asyncio.sleep(0.01)
            if task.attempt < 2:
                raise ValueError

        async with AsyncClient(shop) as client:
            job = await client.create("shop.job", {"n": 1}, delay="300 ms")
            cart = await client.create("shop.pay", {"order_id": 1})
            await Worker(shop, handlers={"shop.job": handler, "shop.pay": handler}).run(until_idle=True)
            assert (await client.get(job)).state == "done"
            assert (await client.get(cart)).state == "cart"

    within(main())


def test_workers_side_by_side_run_every_task_once(shop: str) -> None:
    async def main() -> None:
        runs: Counter[int] = Counter()

        async def handler(task: Task) -> None:
            runs[task.id] += 1
            await asyncio.sleep(0.001)

        async with AsyncClient(shop) as client:
            ids = await client.create_many("shop.job", [{"n": n} for n in range(2000)])
            workers = [Worker(shop, handlers={"shop.job": handler}, concurrency=20) for _ in range(3)]
            await asyncio.gather(*(worker.run(until_idle=True) for worker in workers))
        assert runs == Counter(ids)

    within(main())


def test_handlers_that_never_wait_leave_the_loop_its_turn(shop: str) -> None:
    """Heartbeats and other tasks go on while hundreds of jobs end at once: half a second of them, in slices of 2 ms."""

    async def main() -> None:
        turns, seen = 0, []

        async def tick() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        async def busy(task: Task) -> None:
            seen.append(turns)
            end = time.thread_time() + 0.001
            while time.thread_time() < end:
                pass

        async with AsyncClient(shop) as client:
            await client.create_many("shop.job", [{"n": n} for n in range(500)])
            ticking = asyncio.create_task(tick())
            await Worker(shop, handlers={"shop.job": busy}, concurrency=500).run(until_idle=True)
            ticking.cancel()
        assert len(seen) == 500
        assert len(set(seen)) > 50

    within(main())


async def _at_once(task: Task) -> None:
    await asyncio.sleep(0)


def test_who_is_notified_does_not_look_again_and_again(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a claim: three more for each task that comes to an idle worker were most of what it cost."""
    monkeypatch.setattr(claimer, "PAUSES", (0.0, 0.0, 0.0))
    schedule, wake = claimer.Claimer._schedule, claimer.Claimer.wake
    pauses: asyncio.Queue[float] = asyncio.Queue()
    notified = asyncio.Event()

    def scheduled(self: claimer.Claimer, post: claimer.Post, mark: str, found: int) -> None:
        schedule(self, post, mark, found)
        if notified.is_set() and not found and not post.stale:
            pauses.put_nowait(post.look_at - post.looked)

    def woken(self: claimer.Claimer, name: str) -> None:
        notified.set()
        wake(self, name)

    async def work(task: Task) -> None:
        """Its end may be told before or after the next claim."""

    async def idle() -> object:
        return await execute(shop, "select 1 from jet.worker where idle")

    async def main() -> None:
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": work}, poll=30)):
            await until(idle)
            while not notified.is_set():  # it may be idle before it listens
                await client.create("shop.job", {"n": 1})
                await asyncio.sleep(0.1)
            assert await pauses.get() == pytest.approx(30, abs=1)

    monkeypatch.setattr(claimer.Claimer, "_schedule", scheduled)
    monkeypatch.setattr(claimer.Claimer, "wake", woken)
    within(main())
