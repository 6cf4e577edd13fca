"""Which machines a worker works, and what it says at the start when it cannot."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from jetpack_runtime import (
    AsyncClient,
    DatabaseUnreachable,
    HandlerError,
    JetpackError,
    NewerDatabase,
    NotMigrated,
    Task,
    UnknownMachine,
    Worker,
    claimer,
)
from shop import execute, running, until, within


async def done(task: Task) -> object:
    await asyncio.sleep(0)
    return "r" if task.machine == "shop.pay" else None


async def create_both(client: AsyncClient) -> tuple[int, int]:
    job, pay = await client.create("shop.job", {"n": 1}), await client.create("shop.pay", {"order_id": 1})
    await client.send(pay, "PAID", {"amount": 1})
    return job, pay


def refused(worker: Worker) -> JetpackError:
    with pytest.raises(JetpackError) as raised:
        within(worker.run(until_idle=True))
    return raised.value


def test_other_machines_are_left_alone_with_one_line(shop: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with AsyncClient(shop) as client:
            job, pay = await create_both(client)
            await Worker(shop, handlers={"shop.job": done}).run(until_idle=True)
            assert (await client.get(job)).state == "done"
            assert (await client.get(pay)).state == "charging.ready"

    within(main())
    lines = [record.getMessage() for record in caplog.records if "left alone" in record.getMessage()]
    assert lines == ["machine `shop.pay` is in the database and not among those of this worker: left alone"]


def test_another_version_is_left_alone_and_the_others_go_on(shop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with AsyncClient(shop) as client:
            job, pay = await create_both(client)
            hashes = dict(await execute(shop, "select module || '.' || name, hash from jet.machine"))
            expected = {**hashes, "shop.job": "0" * 64}
            worker = Worker(shop, handlers={"shop.job": done, "shop.pay": done}, expected=expected)
            await worker.run(until_idle=True)
            assert (await client.get(job)).state == "ready"
            assert (await client.get(pay)).state == "done"

    within(main())
    lines = [record.getMessage() for record in caplog.records if "another version" in record.getMessage()]
    assert len(lines) == 1
    assert "machine `shop.job` in the database is another version" in lines[0]


def test_a_machine_that_changes_under_a_running_worker_is_let_go(
    shop: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimer, "REFRESH", 0.2)

    async def main() -> None:
        async with AsyncClient(shop) as client:
            hashes = dict(await execute(shop, "select module || '.' || name, hash from jet.machine"))
            async with running(Worker(shop, handlers={"shop.job": done}, expected=hashes)):
                await client.wait(await client.create("shop.job", {"n": 1}), timeout=20)
                await execute(shop, "update jet.machine set hash = 'new' where name = 'job'")

                async def noticed() -> bool:
                    return "another version" in caplog.text

                await until(noticed)
                id = await client.create("shop.job", {"n": 2})
                await asyncio.sleep(0.3)
                assert (await client.get(id)).state == "ready"
                await execute(shop, "update jet.machine set hash = %s where name = 'job'", hashes["shop.job"])
                assert (await client.wait(id, timeout=20)).state == "done"

    within(main())


def test_a_new_version_is_worked_where_no_version_is_expected(
    shop: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimer, "REFRESH", 0.2)
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": done})):
            await client.wait(await client.create("shop.job", {"n": 1}), timeout=20)
            await execute(shop, "update jet.machine set hash = 'new' where name = 'job'")

            async def noticed() -> bool:
                return "machine `shop.job` has changed: working its new version" in caplog.text

            await until(noticed)
            assert (await client.wait(await client.create("shop.job", {"n": 2}), timeout=20)).state == "done"

    within(main())


def test_a_task_in_a_state_nobody_knows_is_handed_back(
    shop: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest of a migration under way is behind the functions that already claim."""
    monkeypatch.setattr(claimer, "REFRESH", 0.2)

    async def main() -> None:
        rename = "update jet.machine set hash = hash || 'x', manifest = {} where name = 'job'"
        old = "jsonb_set(manifest #- '{work,other}', '{work,running}', manifest #> '{work,other}')"
        new = "jsonb_set(manifest #- '{work,running}', '{work,other}', manifest #> '{work,running}')"
        await execute(shop, rename.replace("{}", new, 1))
        async with AsyncClient(shop) as client, running(Worker(shop, handlers={"shop.job": done})):
            id = await client.create("shop.job", {"n": 1})

            async def handed_back() -> bool:
                return "RELEASED" in [hop.event for hop in await client.history(id)]

            await until(handed_back)
            await execute(shop, rename.replace("{}", old, 1))
            view = await client.wait(id, timeout=20)
            assert (view.state, view.attempts) == ("done", 1)

    within(main())
    assert "has states this worker does not know; handed back: 1" in caplog.text


def test_without_handlers_every_machine_whose_functions_can_be_imported_is_worked(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "jobs.py").write_text("async def work(task): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def main() -> None:
        async with AsyncClient(shop) as client:
            job, pay = await create_both(client)
            await Worker(shop).run(until_idle=True)
            assert (await client.get(job)).state == "done"
            assert (await client.get(pay)).state == "charging.ready"

    within(main())
    assert "machine `shop.pay`, state `charging.running`: looked for `shop.pay:charge`" in caplog.text


def test_machines_by_name_use_the_functions_named_in_the_source(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs.py").write_text("def work(task): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def main() -> None:
        async with AsyncClient(shop) as client:
            job = await client.create("shop.job", {"n": 1})
            await Worker(shop, machines=["shop.job"]).run(until_idle=True)
            assert (await client.get(job)).state == "done"

    within(main())


def test_a_missing_handler_of_a_machine_it_was_told_to_work_is_an_error(shop: str) -> None:
    error = refused(Worker(shop, machines=["shop.pay"]))
    assert isinstance(error, HandlerError)
    assert "machine `shop.pay`, state `charging.running`: looked for `shop.pay:charge`" in str(error)


def test_a_misspelled_machine_is_an_error_with_the_right_name(shop: str) -> None:
    error = refused(Worker(shop, handlers={"shop.jobb": done}))
    assert isinstance(error, UnknownMachine)
    assert str(error) == "the database has no machine `shop.jobb`"
    assert error.hint == "did you mean `shop.job`?"


def test_a_database_without_migrations_says_so(database: str) -> None:
    error = refused(Worker(database))
    assert isinstance(error, NotMigrated)
    assert error.hint == "apply the migrations first: `jetpackc migrate`"


def test_a_newer_database_says_so(shop: str) -> None:
    within(execute(shop, "update jet.meta set version = 99"))
    error = refused(Worker(shop))
    assert isinstance(error, NewerDatabase)
    assert "has version 99 of the schema `jet`" in str(error)


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("host=/nowhere dbname=x password=hunter2", "cannot connect to host /nowhere, dbname x"),
        ("postgresql://me:hunter2@[bad", "the connection string cannot be read"),
        ("password=hunter2 nonsense", "the connection string cannot be read"),
    ],
)
def test_a_wrong_connection_string_says_so_without_its_password(dsn: str, message: str) -> None:
    with pytest.raises(DatabaseUnreachable) as raised:
        within(Worker(dsn).run())
    assert message in str(raised.value)
    assert "hunter2" not in repr(raised.value) + repr(raised.value.__notes__)
    assert raised.value.hint
