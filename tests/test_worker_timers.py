"""Timers and workers: any that lives fires what is due, of every machine, whatever else it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from jetpack_runtime import AsyncClient, Task, Worker
from shop import execute, in_state, running, until, within

MACHINES = """\
module shop

event STOP

machine cart(patience: interval = 24h) {
  initial state open { after patience -> expired  on STOP -> expired }
  final state expired
}

machine job(n: int) {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "jobs:work"
    on SUCCESS -> done
    on ERROR -> done
    after 1h -> late
  }
  final state done, late
}
"""


@pytest.fixture
def shop(fresh: Callable[[str], str]) -> str:
    return fresh(MACHINES)


async def _at_once(task: Task) -> None:
    """Nothing to do."""


async def _shift(shop: str, by: str) -> None:
    await execute(shop, "update jet.clock set shift = shift + %s::interval returning 1", by)


def test_a_worker_fires_the_timers_of_machines_that_it_does_not_work(shop: str) -> None:
    async def main() -> None:
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": _at_once})):
            id = await client.create("shop.cart")
            await _shift(shop, "24 h")
            await in_state(client, id, "expired")

    within(main())


def test_a_timer_set_to_a_moment_soon_wakes_a_worker_that_sleeps(shop: str) -> None:
    """Polling alone would take a minute."""

    async def main() -> None:
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": _at_once}, poll=60)):
            await until(lambda: execute(shop, "select 1 from jet.worker where idle"))
            id = await client.create("shop.cart", {"patience": timedelta(milliseconds=300)})
            await in_state(client, id, "expired")

    within(main())


def test_a_worker_whose_lanes_are_full_fires_timers_too(shop: str) -> None:
    async def main() -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()

        worker = Worker(shop, handlers={"shop.job": handler}, concurrency=1)
        async with AsyncClient(shop) as client, running(worker):
            job, cart = await client.create("shop.job", {"n": 1}), await client.create("shop.cart")
            await started.wait()
            await _shift(shop, "24 h")
            await in_state(client, cart, "expired")
            await in_state(client, job, "late")
            await cancelled.wait()

    within(main())


def test_until_idle_fires_what_is_due_and_waits_for_nothing_else(shop: str) -> None:
    async def main() -> None:
        async with AsyncClient(shop) as client:
            due, later = await client.create("shop.cart"), await client.create("shop.cart", {"patience": "48:00:00"})
            await _shift(shop, "24 h")
            await Worker(shop, handlers={"shop.job": _at_once}).run(until_idle=True)
            assert [(await client.get(id)).state for id in (due, later)] == ["expired", "open"]

    within(main())


def test_two_workers_fire_each_timer_once(shop: str) -> None:
    async def main() -> None:
        async with AsyncClient(shop) as client:
            await client.create_many("shop.cart", [{}] * 2_000)
            await _shift(shop, "24 h")
            workers = [Worker(shop, handlers={"shop.job": _at_once}) for _ in range(2)]
            await asyncio.gather(*(worker.run(until_idle=True) for worker in workers))
        fired = "select count(*), count(distinct id) from shop.cart_history where event = 'after patience'"
        assert await execute(shop, fired) == [(2_000, 2_000)]

    within(main())
