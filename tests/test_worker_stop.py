"""How a worker ends: in grace, in a hurry, by signals."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest
from jetpack_runtime import AsyncClient, Client, PlainTask, Task, Worker
from shop import events, execute, until, within


async def _forever(task: Task) -> None:
    await asyncio.Event().wait()


def test_handlers_may_finish_within_the_grace_time_and_nothing_new_is_claimed(shop: str) -> None:
    async def main() -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def slow(task: Task) -> None:
            started.set()
            await go.wait()

        async with AsyncClient(shop) as client:
            worker = Worker(shop, handlers={"shop.job": slow}, concurrency=1, grace=20)
            run = asyncio.create_task(worker.run())
            first, second = await client.create_many("shop.job", [{"n": 1}, {"n": 2}])
            await started.wait()
            worker.stop()
            asyncio.get_running_loop().call_later(0.1, go.set)
            assert await run is True
            assert (await client.get(first)).state == "done"
            second_view = await client.get(second)
            assert (second_view.state, second_view.attempts) == ("ready", 0)
            assert await execute(shop, "select id from jet.worker where seen_at > '-infinity'") == []

    within(main())


@pytest.mark.parametrize("stops", [1, 2])
def test_what_does_not_finish_is_handed_back_and_costs_no_attempt(shop: str, stops: int) -> None:
    """One stop with no grace left, or two with plenty."""

    async def main() -> None:
        loop, started, told = asyncio.get_running_loop(), asyncio.Queue[int](), threading.Event()

        async def block(task: Task) -> None:
            started.put_nowait(task.id)
            await _forever(task)

        def block_plain(task: PlainTask) -> None:
            loop.call_soon_threadsafe(started.put_nowait, task.id)
            task.cancelled.wait()
            told.set()

        handlers: dict[str, Any] = {"shop.job": block, "shop.pay": block_plain}
        async with AsyncClient(shop) as client:
            worker = Worker(shop, handlers=handlers, grace=0.1 if stops == 1 else 60)
            run = asyncio.create_task(worker.run())
            job, pay = await client.create("shop.job", {"n": 1}), await client.create("shop.pay", {"order_id": 1})
            await client.send(pay, "PAID", {"amount": 1})
            assert {await started.get(), await started.get()} == {job, pay}
            for _ in range(stops):
                worker.stop()
            assert await run is True
            assert told.wait(5)
            for id, state in ((job, "ready"), (pay, "charging.ready")):
                view = await client.get(id)
                assert (view.state, view.attempts) == (state, 0)
                assert (await events(client, id))[-1] == "RELEASED"

    within(main())


def test_a_handler_that_ignores_its_cancellation_cannot_hold_the_worker(shop: str) -> None:
    async def main() -> None:
        started, deaf = asyncio.Event(), True

        async def stubborn(task: Task) -> None:
            started.set()
            while deaf:
                with suppress(asyncio.CancelledError):
                    await _forever(task)

        async with AsyncClient(shop) as client:
            worker = Worker(shop, handlers={"shop.job": stubborn}, grace=0)
            run = asyncio.create_task(worker.run())
            id = await client.create("shop.job", {"n": 1})
            await started.wait()
            worker.stop()
            assert await run is True
            assert (await client.get(id)).state == "ready"
            deaf = False

    within(main())


def test_a_cancelled_run_hands_its_tasks_back(shop: str) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def block(task: Task) -> None:
            started.set()
            await _forever(task)

        async with AsyncClient(shop) as client:
            run = asyncio.create_task(Worker(shop, handlers={"shop.job": block}, grace=60).run())
            id = await client.create("shop.job", {"n": 1})
            await started.wait()
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            assert (await client.get(id)).state == "ready"

    within(main())


def test_stop_before_run_and_from_another_thread(shop: str) -> None:
    async def main() -> None:
        early = Worker(shop, handlers={"shop.job": _forever})
        early.stop()
        assert await early.run() is True

        worker = Worker(shop, handlers={"shop.job": _forever})
        run = asyncio.create_task(worker.run())

        async def registered() -> bool:
            return bool(await execute(shop, "select id from jet.worker where seen_at > '-infinity'"))

        await until(registered)
        threading.Thread(target=worker.stop).start()
        assert await run is True

    within(main())


PROGRAM = """
import asyncio, sys, time
from jetpack_runtime import Worker, run_worker

async def block(task):
    print("started", task.id, flush=True)
    await asyncio.sleep(float(sys.argv[2]))

def block_plain(task):
    print("started", task.id, flush=True)
    time.sleep(600)

handler = block if sys.argv[3] == "async" else block_plain
sys.exit(run_worker(Worker(sys.argv[1], handlers={"shop.job": handler}, grace=30)))
"""


class Process:
    """A worker in a process of its own."""

    def __init__(self, path: Path, dsn: str, seconds: float, kind: str) -> None:
        path.write_text(PROGRAM)
        command = [sys.executable, str(path), dsn, str(seconds), kind]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        self.output: IO[str] = self.process.stdout

    def end(self) -> int:
        try:
            return self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.output.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_handlers_finish(shop: str, tmp_path: Path, number: int) -> None:
    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
        process = Process(tmp_path / "program.py", shop, 0.5, "async")
        assert process.output.readline() == f"started {id}\n"
        os.kill(process.process.pid, number)
        assert process.end() == 0
        assert client.get(id).state == "done"


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_second_signal_hands_back_at_once(shop: str, tmp_path: Path, kind: str) -> None:
    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
        process = Process(tmp_path / "program.py", shop, 600, kind)
        assert process.output.readline() == f"started {id}\n"
        began = time.monotonic()
        os.kill(process.process.pid, signal.SIGTERM)
        os.kill(process.process.pid, signal.SIGINT)
        assert process.end() == 0
        assert time.monotonic() - began < 25
        assert (client.get(id).state, client.get(id).attempts) == ("ready", 0)
