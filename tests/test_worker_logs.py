"""Lines of JSON: which of them say what task they concern."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from jetpack_runtime import AsyncClient, Client, PlainTask, Task, Worker
from jetpack_runtime.logs import Logs, TaskFilter, json_handler
from shop import running, until, within


class Lines:
    """What was logged, parsed."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def __call__(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    handler, root = json_handler(found.stream), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield found
    root.removeHandler(handler)
    root.setLevel(level)


def fields(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in ("machine", "task", "attempt", "state", "worker"))


def test_handlers_that_run_at_once_write_of_their_own_tasks(shop: str, lines: Lines) -> None:
    async def main() -> None:
        both = asyncio.Barrier(2)

        async def handler(task: Task) -> None:
            async with both:
                logging.getLogger("mine").info("n is %d", task.params["n"])
            await asyncio.create_task(helper(task.params["n"]))

        async def helper(n: int) -> None:
            logging.getLogger("helper").info("n is %d", n)

        async with AsyncClient(shop) as client:
            one, two = await client.create_many("shop.job", [{"n": 1}, {"n": 2}])
        await Worker(shop, handlers={"shop.job": handler}, name="w", telemetry=[Logs()]).run(until_idle=True)
        told = {
            (line["logger"], line["message"]): fields(line) for line in lines() if line["message"].startswith("n is")
        }
        assert told == {
            (logger, f"n is {n}"): ("shop.job", id, 1, "running", "w")
            for logger in ("mine", "helper")
            for n, id in ((1, one), (2, two))
        }

    within(main())


def test_a_thread_of_a_plain_handler_knows_its_task(shop: str, lines: Lines) -> None:
    def handler(task: PlainTask) -> None:
        logging.getLogger("mine").info("at work")

    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
    within(Worker(shop, handlers={"shop.job": handler}, name="w", telemetry=[Logs()]).run(until_idle=True))
    (line,) = (line for line in lines() if line["message"] == "at work")
    assert fields(line) == ("shop.job", id, 1, "running", "w")


def test_what_the_worker_says_of_a_task_names_it(shop: str, lines: Lines) -> None:
    """From its heart, which no handler runs in."""

    async def main() -> None:
        started = asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            await asyncio.sleep(60)

        async with AsyncClient(shop) as client:
            id = await client.create("shop.job", {"n": 1})
            async with running(Worker(shop, handlers={"shop.job": handler}, telemetry=[Logs()])):
                await started.wait()
                await client.send(id, "CANCEL")

                async def told() -> bool:
                    return any(line.get("outcome") == "lost" for line in lines())

                await until(told)
        (line,) = (line for line in lines() if "not this worker's any more" in line["message"])
        assert fields(line)[:4] == ("shop.job", id, 1, "running")

    within(main())


def test_an_exception_is_a_member_and_its_line_one_line(shop: str, lines: Lines) -> None:
    def handler(task: PlainTask) -> None:
        try:
            int("no")
        except ValueError:
            logging.getLogger("mine").exception("it failed")

    with Client(shop) as client:
        client.create("shop.job", {"n": 1})
    within(Worker(shop, handlers={"shop.job": handler}, telemetry=[Logs()]).run(until_idle=True))
    (line,) = (line for line in lines() if line["message"] == "it failed")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'no'")


def test_a_line_that_concerns_no_task_says_none(lines: Lines) -> None:
    logging.getLogger("mine").warning("%s", "hello")
    (line,) = lines()
    assert set(line) == {"time", "level", "logger", "message"}


def test_the_filter_serves_a_format_of_ones_own(shop: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(TaskFilter())
    handler.setFormatter(logging.Formatter("%(task)s %(message)s"))
    logger = logging.getLogger("own")
    logger.addHandler(handler)

    def work(task: PlainTask) -> None:
        logger.warning("at work")

    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
    within(Worker(shop, handlers={"shop.job": work}, telemetry=[Logs()]).run(until_idle=True))
    logger.warning("idle")
    logger.removeHandler(handler)
    assert stream.getvalue() == f"{id} at work\nNone idle\n"
