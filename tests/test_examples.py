"""The examples do what their README files, and the seed's, say: on a real database, with a real worker."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from jetpack_runtime import AsyncClient, Client, Event, Task, Worker
from shop import events, execute, in_state, running, until, within
from told import Cli

from jetpackc.check import compile_sources
from jetpackc.postgres import Server
from jetpackc.source import Source

EXAMPLES = Path(__file__).parent.parent / "examples"
SEED = EXAMPLES / "seed"
FILES = sorted(SEED.glob("*.jet"))
Fresh = Callable[[str], str]
Handler = Callable[[Task], Awaitable[object]]


@pytest.fixture
def seed(fresh: Fresh) -> Callable[[str], str]:
    """Makes a database with the machines of one of the seed's files; gives its DSN."""
    return lambda name: fresh((SEED / f"{name}.jet").read_text())


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The seed's folder is where its handlers are imported from."""
    monkeypatch.setattr(sys, "path", [str(SEED), *sys.path])
    yield
    for file in SEED.glob("*.py"):
        sys.modules.pop(file.stem, None)


async def succeed(task: Task) -> None:
    """A handler that does its work."""


async def fail(task: Task) -> None:
    """A handler that never does."""
    raise RuntimeError("no luck")


async def idle(task: Task) -> Event:
    """A handler that finds nothing to do."""
    return Event("IDLE")


def third_time_lucky() -> Handler:
    """A handler that fails twice."""
    runs: Counter[int] = Counter()

    async def handler(task: Task) -> None:
        runs[task.id] += 1
        if runs[task.id] < 3:
            raise RuntimeError("not yet")

    return handler


async def rest(dsn: str, machine: str, handler: Handler) -> tuple[int, str, int]:
    """A new task, worked until it rests: its id, where it rests, how often it was run."""
    async with AsyncClient(dsn) as client:
        id = await client.create(machine)
        await Worker(dsn, handlers={machine: handler}, machines=[machine]).run(until_idle=True)
        return id, (await client.get(id)).state, (await events(client, id)).count("LOCKED_BY_WORKER")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_of_the_seed_is_a_program_named_after_itself(file: Path) -> None:
    result = compile_sources([Source(file.name, file.read_text())])
    assert result.program is not None
    assert [module.name for module in result.program.modules] == [file.stem]
    resting = {"guard": 1, "low_level": 2, "operators": 2}
    assert [found.rule.code for found in result.diagnostics] == ["J380"] * resting.get(file.stem, 0)
    assert f"[{file.name}]({file.name})" in (SEED / "README.md").read_text()


def test_a_set_of_states(seed: Fresh) -> None:
    with Client(seed("states")) as client:
        id = client.create("states.node")
        assert client.get(id).state == "pending"
        assert not client.send(id, "FINISH").applied
        assert client.send(id, "START").state == "running"
        assert client.send(id, "FINISH").state == "done"
        failed = client.create("states.node")
        client.send(failed, "START")
        client.send(failed, "BREAK")
        assert client.get(failed).is_failure


@pytest.mark.parametrize(("handler", "state"), [(succeed, "done"), (fail, "failed")])
def test_events_of_a_handler_are_transitions(seed: Fresh, handler: Handler, state: str) -> None:
    assert within(rest(seed("transitions"), "transitions.node", handler))[1:] == (state, 1)


def test_an_event_from_outside_is_a_transition(seed: Fresh) -> None:
    async def main(dsn: str) -> None:
        cancelled = asyncio.Event()

        async def handler(task: Task) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async with (
            AsyncClient(dsn) as client,
            running(Worker(dsn, handlers={"transitions.node": handler})),
        ):
            id = await client.create("transitions.node")
            await in_state(client, id, "running")
            assert (await client.send(id, "CANCEL")).state == "failed"
            await cancelled.wait()

    within(main(seed("transitions")))


def test_a_transition_on_entering_is_of_the_same_moment(seed: Fresh) -> None:
    with Client(seed("on_enter")) as client:
        id = client.create("on_enter.node")
        for _ in range(20):
            assert client.send(id, "BREAK").state == "pending"
        (into, out) = client.history(id)[-2:]
        assert (into.from_state, into.to_state) == ("pending", "failed")
        assert (out.from_state, out.to_state) == ("failed", "pending")
        assert into.at == out.at


def test_a_guard_bounds_the_cycle(seed: Fresh) -> None:
    with Client(seed("guard")) as client:
        id = client.create("guard.node")
        assert [client.send(id, "BREAK").state for _ in range(6)] == ["pending"] * 5 + ["failed"]
        assert not client.send(id, "BREAK").applied
        assert client.get(id).state == "failed"


@pytest.mark.parametrize("name", ["low_level", "operators"])
@pytest.mark.parametrize(("handler", "state"), [(fail, "failed"), (idle, "idle")])
def test_a_machine_by_hand_restarts_five_times_then_rests(seed: Fresh, name: str, handler: Handler, state: str) -> None:
    assert within(rest(seed(name), f"{name}.my_task", handler))[1:] == (state, 6)


@pytest.mark.parametrize("name", ["low_level", "operators", "task_machine", "extended", "handlers"])
def test_a_task_that_heals_is_done(seed: Fresh, name: str) -> None:
    assert within(rest(seed(name), f"{name}.my_task", third_time_lucky()))[1:] == ("done", 3)


def test_a_task_machine_runs_at_most_five_times(seed: Fresh) -> None:
    assert within(rest(seed("task_machine"), "task_machine.my_task", fail))[1:] == ("abandoned", 5)


def test_the_next_task_is_scheduled_when_the_first_is_done(seed: Fresh) -> None:
    async def main(dsn: str) -> None:
        first, state, _ = await rest(dsn, "extended.my_task", succeed)
        assert state == "done"
        created = "select id, parent, state from extended.my_next_task"
        ((next_id, *where),) = await execute(dsn, created)
        assert where == [first, "ready"]
        async with AsyncClient(dsn) as client:
            await Worker(dsn, handlers={"extended.my_next_task": fail}).run(until_idle=True)
            assert (await events(client, next_id)).count("LOCKED_BY_WORKER") == 2
            assert (await client.get(next_id)).state == "abandoned"

    within(main(seed("extended")))


def test_no_task_is_done_without_its_next_one(seed: Fresh) -> None:
    """Both are of one transaction: where the next one is refused, the first fails."""

    async def main(dsn: str) -> None:
        await execute(dsn, "alter table extended.my_next_task add constraint refused check (attempts < 0)")
        assert (await rest(dsn, "extended.my_task", succeed))[1:] == ("abandoned", 5)

    within(main(seed("extended")))


def test_no_next_task_is_scheduled_when_the_first_is_abandoned(seed: Fresh) -> None:
    async def main(dsn: str) -> None:
        assert (await rest(dsn, "extended.my_task", fail))[1] == "abandoned"
        assert await execute(dsn, "select id from extended.my_next_task") == []

    within(main(seed("extended")))


@pytest.mark.usefixtures("modules")
def test_a_worker_without_bindings_runs_what_the_source_names(seed: Fresh, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = seed("extended")
    with Client(dsn) as client:
        id = client.create("extended.my_task")
        within(Worker(dsn).run(until_idle=True))
        assert client.get(id).state == "done"
    assert capsys.readouterr().out.splitlines() == [
        f"task {id}: attempt 1 of extended.my_task",
        f"task {id + 1}: the next one",
    ]


@pytest.fixture
def start(modules: None) -> ModuleType:
    """The seed's start.py."""
    return importlib.import_module("start")


def test_a_delay_of_one_hour_stands_in_run_at(seed: Fresh, start: ModuleType) -> None:
    dsn = seed("handlers")
    with Client(dsn) as client:
        task = client.get(start.create(dsn))
        assert task.run_at is not None
        assert task.run_at - task.created_at == timedelta(hours=1)


def test_handlers_are_bound_as_a_function_and_as_a_module_path_and_wait_for_the_hour(
    seed: Fresh, start: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main(dsn: str) -> tuple[int, int]:
        later = await asyncio.to_thread(start.create, dsn)
        async with AsyncClient(dsn) as client:
            async with running(Worker(dsn, handlers=start.HANDLERS, poll=0.05)):
                now = await client.create("handlers.my_task")
                await until(lambda: execute(dsn, "select id from handlers.my_next_task where state = 'done'"))
                assert (await client.get(later)).state == "ready"
                await execute(dsn, "update jet.clock set shift = interval '1 hour'")
                await in_state(client, later, "done")
            await Worker(dsn, handlers=start.HANDLERS).run(until_idle=True)
        assert await execute(dsn, "select state, parent from handlers.my_next_task order by parent") == [
            ("done", later),
            ("done", now),
        ]
        return now, later

    ids = within(main(seed("handlers")))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("bound in Python")] == [f"task {id}: bound in Python" for id in ids]
    assert sum(line.endswith("the next one") for line in lines) == 2


def dev(example: str, dsn: str) -> None:
    """`jetpackc dev` on a database, until nothing is left to do. It ends with 0."""
    ended = subprocess.run(
        [sys.executable, "-m", "jetpackc", "dev", str(EXAMPLES / example), "--until-idle"],
        env=os.environ | {"DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def delivered(file: str) -> int:
    """How many rows a file of the import has."""
    return len((EXAMPLES / "etl/data" / file).read_text().splitlines()) - 1


def test_etl_loads_each_file_once_although_one_was_broken_at_first(database: str) -> None:
    dev("etl", database)
    with psycopg.connect(database, autocommit=True) as connection:
        rows: dict[str, int] = dict(connection.execute("select file, count(*) from sale group by file").fetchall())
        assert rows == {path.name: delivered(path.name) for path in (EXAMPLES / "etl/data").glob("sales-*.csv")}
        (customers, products) = (connection.execute(f"select from {name}").rowcount for name in ("customer", "product"))
        assert (customers, products) == (delivered("customers.csv"), delivered("products.csv"))
        wrong = "select from sale join product on code = product where product.price <> sale.price"
        assert connection.execute(wrong).rowcount == 0
        repairs_the_broken_file(connection, rows)
        takes_a_second_delivery_in_place_of_the_first(connection, database)
        begins_a_night_by_itself(connection)


def repairs_the_broken_file(connection: psycopg.Connection, rows: dict[str, int]) -> None:
    """One run for each file, two for the one with prices that are no numbers, whose history says so."""
    query = "select file, attempts, rows, repaired from etl.sales order by file"
    east, north, south = sorted(rows)
    assert connection.execute(query).fetchall() == [
        (east, 1, rows[east], 0),
        (north, 1, rows[north], 0),
        (south, 2, rows[south], 18),
    ]
    errors = "select payload ->> 'type', payload ->> 'message' from etl.sales_history where event = 'ERROR'"
    assert connection.execute(errors).fetchall() == [
        ("BrokenFile", "sales-south.csv, line 14: the price `9,25` is no number")
    ]


def takes_a_second_delivery_in_place_of_the_first(connection: psycopg.Connection, dsn: str) -> None:
    """The same night once more: no row twice, and the delivered ones are back."""
    query = "select * from sale order by file, line"
    before = connection.execute(query).fetchall()
    connection.execute("update sale set quantity = 99 where line = 3")
    connection.execute("select etl.night_create(day => '2026-03-02')")
    dev("etl", dsn)
    assert connection.execute(query).fetchall() == before


def begins_a_night_by_itself(connection: psycopg.Connection) -> None:
    """After a day without a worker, the one that was missed last."""
    query = "select count(*) from etl.night where _creator = 'nightly'"
    before = connection.execute(query).fetchall()
    connection.execute("update jet.clock set shift = interval '25 h'")
    connection.execute("select jet.tick()")
    assert connection.execute(query).fetchall() == [(before[0][0] + 1,)]


def test_the_stories_of_checkout_take_every_arrow(cli: Cli, postgres: Server) -> None:
    told = cli("test", str(EXAMPLES / "checkout"), "--dsn", postgres.dsn(), "--json", "--paths")
    found = json.loads(told.out)
    assert (told.code, found["failed"], found["paths"]["missed"]) == (0, 0, []), told.out


def test_checkout_charges_ships_and_mails_what_was_paid(database: str) -> None:
    dev("checkout", database)
    with psycopg.connect(database) as connection, Client(database) as client:
        query = "select order_id, state, id, attempts from shop.checkout order by order_id"
        orders = connection.execute(query).fetchall()
        assert [state for _, state, *_ in orders] == ["done"] * 9 + ["cancelled"]
        assert [order for order, _, _, attempts in orders if attempts == 2] == [3, 6, 9]
        parcels = connection.execute("select order_id from parcel order by order_id").fetchall()
        assert parcels == [(order,) for order in range(1, 10)]
        mails = connection.execute("select address, body from outbox order by address").fetchall()
        receipts = {order: client.get(id).vars["receipt_url"] for order, _, id, _ in orders[:9]}
        assert mails == [(f"customer{order}@example.org", f"Your receipt: {receipts[order]}") for order in receipts]
        assert connection.execute("select from audit_line").rowcount == 9
