"""The clients: the same operations, plain and async, on their own connection or the caller's."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from jetpack_runtime import (
    AsyncClient,
    BadValue,
    Client,
    DatabaseUnreachable,
    NotMigrated,
    Sent,
    TaskNotFound,
    TaskStuck,
    TransitionFailed,
    UnknownMachine,
    WaitTimeout,
    Worker,
)
from psycopg.rows import dict_row
from shop import within


@pytest.fixture(params=["plain", "async"])
def call(request: pytest.FixtureRequest, shop: str) -> Callable[..., Any]:
    """Call an operation by name, on either client."""

    def run(name: str, *args: Any, **options: Any) -> Any:
        if request.param == "plain":
            with Client(shop) as client:
                return getattr(client, name)(*args, **options)

        async def main() -> Any:
            async with AsyncClient(shop) as client:
                operation: Callable[..., Awaitable[Any]] = getattr(client, name)
                return await operation(*args, **options)

        return within(main())

    return run


def test_a_task_is_created_sent_events_and_read(call: Callable[..., Any]) -> None:
    id = call("create", "shop.pay", {"order_id": 7, "price": Decimal("0.10")})
    view = call("get", id)
    assert (view.id, view.machine, view.state, view.attempts) == (id, "shop.pay", "cart", 0)
    assert (view.parent, view.root, view.run_at, view.stuck) == (None, id, None, None)
    assert not view.is_final
    assert view.params["price"] == Decimal("0.10")
    assert view.params["tier"] == "free"
    assert view.vars == {"receipt": None}
    assert call("send", id, "PAID", {"amount": Decimal("2.50")}) == Sent(True, "charging.ready", None)
    again = call("send", id, "PAID", {"amount": 1})
    assert not again.applied
    assert again.reason
    first, second, third = call("history", id)
    assert (first.event, first.from_state, first.to_state) == (None, None, "cart")
    assert (second.event, second.from_state, second.to_state) == ("PAID", "cart", "charging.ready")
    assert second.payload == {"amount": 2.5} or second.payload == {"amount": "2.50"}
    assert (third.event, third.to_state) == ("PAID", None)
    assert first.seq < second.seq < third.seq


def test_many_are_created_in_order_in_several_statements(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jetpack_runtime.core.CHUNK", 10)
    ids = call("create_many", "shop.job", ({"n": n} for n in range(35)))
    assert [call("get", id).params["n"] for id in ids[::7]] == list(range(0, 35, 7))
    assert len(set(ids)) == 35
    assert call("create_many", "shop.job", []) == []


def test_many_are_created_all_or_none(call: Callable[..., Any], shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jetpack_runtime.core.CHUNK", 10)
    with pytest.raises(BadValue):
        call("create_many", "shop.job", [{"n": n if n < 15 else "x"} for n in range(20)])
    with psycopg.connect(shop) as connection:
        assert connection.execute("select count(*) from shop.job").fetchone() == (0,)


def test_options_of_a_new_task(call: Callable[..., Any], shop: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    by_text = call("get", call("create", "shop.job", {"n": 1}, delay="1 hour"))
    by_delta = call("get", call("create", "shop.job", {"n": 1}, delay=timedelta(minutes=30, microseconds=7)))
    by_moment = call("get", call("create", "shop.job", {"n": 1}, run_at=soon))
    assert by_text.run_at - by_text.created_at == timedelta(hours=1)
    assert by_delta.run_at - by_delta.created_at == timedelta(minutes=30, microseconds=7)
    assert by_moment.run_at == soon
    (low,) = call("create_many", "shop.job", [{"n": 1}], priority=-5, delay="1 day")
    with psycopg.connect(shop) as connection:
        found = connection.execute(
            "select _priority, run_at - created_at from shop.job where id = %s", (low,)
        ).fetchone()
    assert found == (-5, timedelta(days=1))


def test_a_repeated_key_gives_the_first_result(call: Callable[..., Any]) -> None:
    id = call("create", "shop.pay", {"order_id": 7}, key="k")
    assert call("create", "shop.pay", {"order_id": 8}, key="k") == id
    assert call("create_many", "shop.pay", [{"order_id": 9}, {"order_id": 7}], keys=["other", "k"])[1] == id
    first = call("send", id, "PAID", {"amount": 1}, key="e")
    assert first.applied
    assert call("send", id, "PAID", {"amount": 1}, key="e") == first


@pytest.mark.parametrize(
    ("operation", "error", "words"),
    [
        (("create", "shop.jobb"), UnknownMachine, "the database has no machine `shop.jobb`"),
        (("create", "shop.job", {"n": 1, "m": 2}), BadValue, "'m'"),
        (("create", "shop.job", {}), BadValue, "n"),
        (("create", "shop.job", {"n": "x"}), BadValue, ""),
        (("create", "shop.pay", {"order_id": 1, "tier": "gold"}), BadValue, "tier"),
        (("create", "shop.job", {"n": object()}), BadValue, "a object has no JSON form"),
        (("create", "shop.job", {"n": datetime(2026, 1, 1)}), BadValue, "without a time zone"),
        (("get", 999), TaskNotFound, "there is no task 999"),
        (("send", 999, "PAID"), TaskNotFound, "there is no task 999"),
        (("wait", 999), TaskNotFound, "there is no task 999"),
    ],
)
def test_mistakes_are_clear_errors(
    call: Callable[..., Any], operation: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        call(*operation)
    assert words in str(raised.value)


def test_an_unknown_event_or_field_says_what_fits(call: Callable[..., Any]) -> None:
    id = call("create", "shop.pay", {"order_id": 7})
    with pytest.raises(BadValue) as unknown:
        call("send", id, "PAYD")
    assert "PAYD" in str(unknown.value)
    assert "PAID" in (unknown.value.hint or "")
    with pytest.raises(BadValue) as field:
        call("send", id, "PAID", {"amont": 1})
    assert "'amont'" in str(field.value)
    assert "amount: numeric" in (field.value.hint or "")
    assert field.value.sqlstate == "22023"


def test_wait_returns_when_the_task_has_ended(call: Callable[..., Any], shop: str) -> None:
    with Client(shop) as other:
        id = other.create("shop.job", {"n": 1})
        worker = Worker(shop, handlers={"shop.job": lambda task: None})
        runner = threading.Thread(target=lambda: asyncio.run(worker.run()))
        runner.start()
        try:
            view = call("wait", id, timeout=8)
        finally:
            worker.stop()
            runner.join()
    assert (view.state, view.is_final, view.is_failure) == ("done", True, False)


def test_wait_gives_up_in_time(call: Callable[..., Any]) -> None:
    id = call("create", "shop.pay", {"order_id": 7})
    with pytest.raises(WaitTimeout, match=r"is in `cart` after 0\.05 s"):
        call("wait", id, timeout=0.05)


def test_a_stuck_task_is_shown_not_waited_for_and_goes_on_after_retry(call: Callable[..., Any], shop: str) -> None:
    async def fail(task: Any) -> None:
        raise ValueError

    id = call("create", "shop.job", {"n": 1})
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute(
            "alter table shop.job add constraint low check (state not in ('done', 'failed', 'abandoned'))"
        )
        connection.execute(
            "alter table shop.job add constraint first check (attempts < 2 and (state <> 'ready' or attempts = 0))"
        )
        within(Worker(shop, handlers={"shop.job": fail}).run(until_idle=True))
        view = call("get", id)
        assert view.stuck is not None
        assert "first" in view.stuck["error"]
        with pytest.raises(TaskStuck, match=f"task {id} is stuck in `running`"):
            call("wait", id, timeout=5)
        connection.execute("alter table shop.job drop constraint first, drop constraint low")
        assert call("retry", id).applied
        assert call("get", id).stuck is None
    assert not call("retry", id).applied


def test_on_a_connection_of_the_callers_nothing_is_committed(shop: str) -> None:
    with psycopg.connect(shop, row_factory=dict_row) as connection:
        client = Client(connection)
        id = client.create("shop.pay", {"order_id": 7})
        client.create_many("shop.job", [{"n": 1}])
        assert client.send(id, "PAID", {"amount": 1}).applied
        assert client.get(id).state == "charging.ready"
        client.close()
        assert not connection.closed
        connection.rollback()
        with pytest.raises(TaskNotFound):
            client.get(id)


def test_on_an_async_connection_of_the_callers_nothing_is_committed(shop: str) -> None:
    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(shop, row_factory=dict_row) as connection:
            client = AsyncClient(connection)
            id = await client.create("shop.pay", {"order_id": 7})
            await client.create_many("shop.job", [{"n": 1}])
            assert (await client.get(id)).state == "cart"
            await client.close()
            assert not connection.closed
            await connection.rollback()
            with pytest.raises(TaskNotFound):
                await client.get(id)

    within(main())


def test_both_clients_offer_the_same(shop: str) -> None:
    def surface(kind: type) -> dict[str, list[str]]:
        found = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        return {name: list(inspect.signature(value).parameters) for name, value in found.items()}

    assert surface(Client) == surface(AsyncClient)


def test_a_machine_deployed_later_is_found_by_a_client_that_lives(shop: str) -> None:
    with Client(shop) as client, psycopg.connect(shop, autocommit=True) as connection:
        connection.execute("create table kept as select * from jet.machine where name = 'job'")
        connection.execute("delete from jet.machine where name = 'job'")
        pay = client.create("shop.pay", {"order_id": 1})
        with pytest.raises(UnknownMachine):
            client.create("shop.job", {"n": 1})
        connection.execute("insert into jet.machine select * from kept")
        job = client.create("shop.job", {"n": 1})
        assert (client.get(pay).machine, client.get(job).machine) == ("shop.pay", "shop.job")


def test_a_database_without_migrations_or_out_of_reach_says_so(database: str) -> None:
    with Client(database) as client, pytest.raises(NotMigrated):
        client.get(1)
    with Client("host=/nowhere password=hunter2") as client, pytest.raises(DatabaseUnreachable) as raised:
        client.get(1)
    assert "hunter2" not in str(raised.value)


def test_a_transition_that_fails_leaves_nothing_behind(call: Callable[..., Any], shop: str) -> None:
    id = call("create", "shop.pay", {"order_id": 7})
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
            "create trigger z_refuse before update on shop.pay for each row execute function refuse()"
        )
    with pytest.raises(TransitionFailed, match="no"):
        call("send", id, "PAID", {"amount": 1})
    assert call("get", id).state == "cart"
