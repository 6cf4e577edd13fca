"""What handlers are given, and what becomes of what they return and raise."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from jetpack_runtime import AsyncClient, BadValue, Client, Event, PlainTask, Task, Worker
from shop import events, execute, within


def work(shop: str, **options: Any) -> bool:
    """Run a worker until nothing is left to do."""
    return within(Worker(shop, **options).run(until_idle=True))


def test_async_and_plain_functions_finish_tasks(shop: str) -> None:
    threads = set()

    async def charge(task: Task) -> str:
        await asyncio.sleep(0.001)
        return f"receipt {task.params['order_id']}"

    def plain(task: PlainTask) -> None:
        threads.add(threading.current_thread().name)

    with Client(shop) as client:
        jobs = client.create_many("shop.job", [{"n": n} for n in range(50)])
        pay = client.create("shop.pay", {"order_id": 7})
        assert client.send(pay, "PAID", {"amount": 1}).applied
        assert work(shop, handlers={"shop.job": plain, "shop.pay.charging": charge})
        assert {client.get(id).state for id in jobs} == {"done"}
        assert client.get(pay).vars == {"receipt": "receipt 7"}
    assert threads
    assert threading.main_thread().name not in threads


def test_params_vars_and_the_event_come_as_python_values(shop: str) -> None:
    given = {
        "order_id": 2**40,
        "price": Decimal("12345678901234567890.10"),
        "tier": "pro",
        "at": datetime(2026, 1, 2, 3, 4, 5, 123450, tzinfo=UTC),
        "every": timedelta(days=1, seconds=1.5),
        "ref": UUID(int=7),
        "day": date(2026, 1, 2),
        "raw": b"\x00\xff",
        "extra": {"a": [1, 0.5, None]},
        "rate": 0.1,
    }
    seen: list[Any] = []

    async def charge(task: Task) -> str:
        seen.extend([task.params, task.vars, task.attempt, task.state, task.machine, task.id])
        return "r"

    with Client(shop) as client:
        id = client.create("shop.pay", given)
        client.send(id, "PAID", {"amount": Decimal("1.5"), "method": "card"})
        work(shop, handlers={"shop.pay": charge})
        assert seen == [given, {"receipt": None}, 1, "charging.running", "shop.pay", id]
        assert client.get(id).params == given


def test_an_exception_is_an_error_in_the_history_and_the_task_is_tried_again(shop: str) -> None:
    async def fail(task: Task) -> None:
        if task.attempt < 3:
            raise LookupError(f"attempt {task.attempt} \0")

    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
        work(shop, handlers={"shop.job": fail})
        assert client.get(id).state == "done"
        errors = [hop.payload for hop in client.history(id) if hop.event == "ERROR"]
    assert [error and error["message"] for error in errors] == ["attempt 1 \ufffd", "attempt 2 \ufffd"]
    assert errors[0] is not None
    assert errors[0]["type"] == "LookupError"
    assert "in fail" in errors[0]["traceback"]
    assert "jetpack_runtime" not in errors[0]["traceback"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
@pytest.mark.parametrize("kind", ["async", "plain"])
def test_whatever_a_handler_raises_stays_its_own(shop: str, error: BaseException, kind: str) -> None:
    async def bad(task: Task) -> None:
        if task.params["n"] == 1:
            raise error

    def bad_plain(task: PlainTask) -> None:
        if task.params["n"] == 1:
            raise error

    with Client(shop) as client:
        bad_id, good_id = client.create_many("shop.job", [{"n": 1}, {"n": 2}])
        work(shop, handlers={"shop.job": bad if kind == "async" else bad_plain})
        assert client.get(bad_id).state == "abandoned"
        assert client.get(good_id).state == "done"


def test_a_value_that_does_not_fit_is_an_error_of_type_payload(shop: str) -> None:
    async def charge(task: Task) -> object:
        return {"recipt": "r"}

    with Client(shop) as client:
        id = client.create("shop.pay", {"order_id": 7})
        client.send(id, "PAID", {"amount": 1})
        work(shop, handlers={"shop.pay": charge})
        (first, _) = [hop.payload for hop in client.history(id) if hop.event == "ERROR"]
        assert client.get(id).is_failure
    assert first == {
        "type": "payload",
        "message": "SUCCESS has no field `recipt`; it has `receipt`",
        "traceback": "",
    }


def test_one_bad_value_leaves_the_rest_of_its_batch_alone(shop: str) -> None:
    async def handler(task: Task) -> object:
        return object() if task.params["n"] == 13 else None

    with Client(shop) as client:
        ids = client.create_many("shop.job", [{"n": n} for n in range(100)])
        work(shop, handlers={"shop.job": handler})
        assert [id for id in ids if client.get(id).state != "done"] == [ids[13]]


def test_set_changes_vars_with_success_and_is_dropped_by_an_error(shop: str) -> None:
    async def handler(task: Task) -> None:
        assert task.vars["seen"] == 0
        task.set(seen=task.attempt, total=Decimal("1.10"))
        assert task.vars["seen"] == task.attempt
        if task.attempt == 1:
            raise ValueError

    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
        work(shop, handlers={"shop.job": handler})
        view = client.get(id)
    assert (view.state, view.attempts) == ("done", 2)
    assert view.vars == {"seen": 2, "total": Decimal("1.10")}


def test_set_refuses_what_the_machine_does_not_have_or_cannot_hold(shop: str) -> None:
    raised: list[BadValue] = []

    async def handler(task: Task) -> None:
        for vars in ({"sen": 1}, {"seen": "one"}, {"seen": None}):
            with pytest.raises(BadValue) as caught:
                task.set(**vars)
            raised.append(caught.value)

    with Client(shop) as client:
        client.create("shop.job", {"n": 1})
    work(shop, handlers={"shop.job": handler})
    assert [str(error) for error in raised] == [
        "`shop.job` has no var `sen`",
        "`seen` takes an int, not a str",
        "`seen` takes an int and has no value",
    ]
    assert raised[0].hint == "did you mean `seen`?"


def test_set_takes_vars_of_any_name(fresh: Callable[[str], str]) -> None:
    dsn = fresh('module app machine job is task { var self: int = 0  var class: text?  state running { run "a:b" } }')

    async def handler(task: Task) -> None:
        task.set(self=5, **{"class": "first"})

    with Client(dsn) as client:
        id = client.create("app.job")
        work(dsn, handlers={"app.job": handler})
        assert client.get(id).vars == {"self": 5, "class": "first"}


def test_a_handler_may_end_with_another_event(shop: str) -> None:
    async def handler(task: Task) -> Event | None:
        return Event("SNOOZE", delay=timedelta(milliseconds=50)) if await seen() == 1 else None

    runs = 0

    async def seen() -> int:
        nonlocal runs
        runs += 1
        return runs

    async def main() -> None:
        async with AsyncClient(shop) as client:
            id = await client.create("shop.job", {"n": 1})
            await Worker(shop, handlers={"shop.job": handler}).run(until_idle=True)
            assert (await client.get(id)).attempts == 1
            assert await events(client, id) == ["LOCKED_BY_WORKER", "SNOOZE", "LOCKED_BY_WORKER", "SUCCESS"]
            (_, snoozed, _, again) = (await client.history(id))[1:5]
            assert snoozed.event == "LOCKED_BY_WORKER" or again.at >= snoozed.at

    within(main())
    assert runs == 2


def test_the_worker_writes_neither_payloads_nor_passwords_into_its_log(
    shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(task: Task) -> None:
        raise ValueError("secret words")

    caplog.set_level(logging.DEBUG)
    with Client(shop) as client:
        client.create("shop.job", {"n": 1, "note": "secret words"})
    work(f"{shop} password=hunter2", handlers={"shop.job": handler})
    assert "works `shop.job`" in caplog.text
    assert "secret" not in caplog.text
    assert "hunter2" not in caplog.text


def test_a_transition_that_fails_leaves_the_rest_of_its_batch_alone(
    shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(task: Task) -> None:
        task.set(seen=task.params["n"])

    async def main() -> None:
        await execute(shop, "alter table shop.job add constraint low check (seen < 50)")
        async with AsyncClient(shop) as client:
            ids = await client.create_many("shop.job", [{"n": n} for n in range(51)])
            await Worker(shop, handlers={"shop.job": handler}).run(until_idle=True)
            states = [(await client.get(id)).state for id in ids]
            assert states == ["done"] * 50 + ["abandoned"]
            error = next(hop for hop in await client.history(ids[50]) if hop.event == "ERROR")
            assert error.payload is not None
            assert error.payload["type"] == "transition"

    within(main())
    assert "has a transition that failed; it got ERROR instead" in caplog.text
