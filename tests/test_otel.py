"""Traces and metrics, as an SDK of OpenTelemetry gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from jetpack_runtime import AsyncClient, Client, PlainTask, Task, TaskNotFound, Worker
from jetpack_runtime.otel import OpenTelemetry
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from shop import execute, running, within


class Seen:
    """An SDK that keeps what it gets."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.telemetry = OpenTelemetry(self.tracers, self.meters)

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        (found,) = self.spans(name)
        return found

    def points(self, name: str) -> Sequence[Any]:
        data = self.reader.get_metrics_data()
        metrics = [] if data is None else data.resource_metrics[0].scope_metrics[0].metrics
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


@pytest.fixture
def seen() -> Seen:
    return Seen()


def work(dsn: str, telemetry: OpenTelemetry | None, handlers: dict[str, Callable[..., Any]]) -> None:
    listeners = [] if telemetry is None else [telemetry]
    within(Worker(dsn, handlers=handlers, telemetry=listeners).run(until_idle=True))


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def done(task: Task) -> None:
    """A handler that does nothing."""


def test_a_trace_goes_on_from_create_into_the_handler(shop: str, seen: Seen) -> None:
    inside = []

    async def handler(task: Task) -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)

    with (
        Client(shop, telemetry=seen.telemetry) as client,
        seen.tracers.get_tracer("test").start_as_current_span("request") as request,
    ):
        id = client.create("shop.job", {"n": 1})
    work(shop, seen.telemetry, {"shop.job": handler})

    created, run = seen.span("create shop.job"), seen.span("process shop.job.running")
    assert parent_of(created) == request.get_span_context().span_id
    assert parent_of(run) == created.get_span_context().span_id
    assert run.get_span_context().trace_id == request.get_span_context().trace_id
    assert inside == [run.get_span_context().span_id]
    assert created.attributes is not None
    assert created.attributes["messaging.message.id"] == str(id)
    assert dict(run.attributes or {}) | {"jetpack.worker": "it"} == {
        "messaging.system": "jetpack",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "shop.job",
        "messaging.message.id": str(id),
        "jetpack.state": "running",
        "jetpack.attempt": 1,
        "jetpack.worker": "it",
        "jetpack.outcome": "SUCCESS",
    }


def test_a_plain_handler_sees_its_span_in_its_thread(shop: str, seen: Seen) -> None:
    inside = []

    def handler(task: PlainTask) -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)

    with Client(shop, telemetry=seen.telemetry) as client:
        client.create("shop.job", {"n": 1})
    work(shop, seen.telemetry, {"shop.job": handler})
    assert inside == [seen.span("process shop.job.running").get_span_context().span_id]


def test_a_trace_goes_on_from_send_and_is_linked_to_the_create(shop: str, seen: Seen) -> None:
    async def handler(task: Task) -> str:
        return "r"

    async def main() -> None:
        async with AsyncClient(shop, telemetry=seen.telemetry) as client:
            id = await client.create("shop.pay", {"order_id": 1})
            assert not (await client.send(id, "PAID", {"amount": 0})).applied
            assert (await client.send(id, "PAID", {"amount": 1})).applied

    within(main())
    work(shop, seen.telemetry, {"shop.pay": handler})
    refused, sent = seen.spans("send shop.pay")
    run = seen.span("process shop.pay.charging.running")
    assert parent_of(run) == sent.get_span_context().span_id != refused.get_span_context().span_id
    assert [link.context.span_id for link in run.links] == [seen.span("create shop.pay").get_span_context().span_id]


def test_each_attempt_is_a_run_and_an_error_says_what_it_was(shop: str, seen: Seen) -> None:
    async def handler(task: Task) -> None:
        if task.attempt == 1:
            raise KeyError("lost")

    with Client(shop, telemetry=seen.telemetry) as client:
        client.create("shop.job", {"n": 1})
    work(shop, seen.telemetry, {"shop.job": handler})
    first, second = seen.spans("process shop.job.running")
    assert first.status.status_code == trace.StatusCode.ERROR
    assert first.status.description == "'lost'"
    assert first.attributes is not None
    assert second.attributes is not None
    assert first.attributes["error.type"] == "KeyError"
    (event,) = first.events
    assert event.name == "exception"
    assert event.attributes is not None
    assert "in handler" in str(event.attributes["exception.stacktrace"])
    assert [first.attributes["jetpack.attempt"], second.attributes["jetpack.attempt"]] == [1, 2]
    assert second.status.status_code == trace.StatusCode.UNSET


def test_one_trace_for_many_tasks_of_a_call_and_ids_in_order(shop: str, seen: Seen) -> None:
    with Client(shop, telemetry=seen.telemetry) as client:
        ids = client.create_many("shop.job", [{"n": n} for n in range(3)])
    assert ids == sorted(ids)
    work(shop, seen.telemetry, {"shop.job": done})
    created = seen.span("create_many shop.job")
    assert created.attributes is not None
    assert created.attributes["messaging.batch.message_count"] == 3
    assert {parent_of(run) for run in seen.spans("process shop.job.running")} == {created.get_span_context().span_id}


def test_a_task_keeps_the_trace_of_the_create_that_made_it(shop: str, seen: Seen) -> None:
    with Client(shop, telemetry=seen.telemetry) as client:
        assert client.create("shop.job", {"n": 1}, key="k") == client.create("shop.job", {"n": 1}, key="k")
    work(shop, seen.telemetry, {"shop.job": done})
    first, _ = seen.spans("create shop.job")
    assert parent_of(seen.span("process shop.job.running")) == first.get_span_context().span_id


TREE = """
module family

machine parent is task {
  state running { run "family:parent" }
  state done    { enter { spawn child() } }
}

machine child is task {
  state running { run "family:child" }
  state done    { enter { spawn grandchild() } }
}

machine grandchild is task {
  state running { run "family:grandchild" }
}
"""


def test_what_a_task_spawns_belongs_to_its_trace(fresh: Callable[[str], str], seen: Seen) -> None:
    dsn = fresh(TREE)
    with Client(dsn, telemetry=seen.telemetry) as client:
        client.create("family.parent")
    work(dsn, seen.telemetry, {"family.parent": done, "family.child": done, "family.grandchild": done})
    created = seen.span("create family.parent").get_span_context().span_id
    for machine in ("parent", "child", "grandchild"):
        assert parent_of(seen.span(f"process family.{machine}.running")) == created


def test_a_task_that_nobody_traced_begins_a_trace(shop: str, seen: Seen) -> None:
    with Client(shop) as client:
        client.create_many("shop.job", [{"n": 1}, {"n": 2}])
    work(shop, seen.telemetry, {"shop.job": done})
    runs = seen.spans("process shop.job.running")
    assert [parent_of(run) for run in runs] == [None, None]
    assert len({run.get_span_context().trace_id for run in runs}) == 2


def test_a_call_that_fails_is_a_span_that_failed(shop: str, seen: Seen) -> None:
    with Client(shop, telemetry=seen.telemetry) as client:
        id = client.create("shop.pay", {"order_id": 1})
        with pytest.raises(TaskNotFound):
            client.send(id + 1, "PAID", {"amount": 1})
        with pytest.raises(Exception, match="amount"):
            client.send(id, "PAID", {})
    sent = seen.span("send shop.pay")
    assert sent.status.status_code == trace.StatusCode.ERROR


def test_a_context_is_written_in_the_callers_own_transaction(shop: str, seen: Seen) -> None:
    with psycopg.connect(shop) as connection:
        Client(connection, telemetry=seen.telemetry).create("shop.job", {"n": 1})
        assert connection.execute("select count(*) from jet.trace").fetchall() == [(1,)]
        connection.rollback()
        assert connection.execute("select count(*) from jet.trace").fetchall() == [(0,)]


def test_without_telemetry_nothing_is_written(shop: str) -> None:
    with Client(shop) as client:
        client.send(client.create("shop.pay", {"order_id": 1}), "PAID", {"amount": 1})
    assert within(execute(shop, "select count(*) from jet.trace")) == [(0,)]


def test_contexts_are_forgotten_after_a_month(shop: str, seen: Seen) -> None:
    with Client(shop, telemetry=seen.telemetry) as client:
        client.create("shop.job", {"n": 1})
        within(execute(shop, "update jet.clock set shift = interval '29 d'"))
        client.create("shop.job", {"n": 2})
    within(execute(shop, "update jet.clock set shift = interval '31 d'"))
    within(execute(shop, "select jet.tick()"))
    assert within(execute(shop, "select count(*) from jet.trace")) == [(1,)]


def test_metrics_count_claims_and_tell_how_runs_ended(shop: str, seen: Seen) -> None:
    async def handler(task: Task) -> None:
        if task.params["n"] == 0 and task.attempt == 1:
            raise ValueError

    with Client(shop) as client:
        client.create_many("shop.job", [{"n": n} for n in range(3)])
    work(shop, seen.telemetry, {"shop.job": handler})
    (claimed,) = seen.points("messaging.client.consumed.messages")
    assert claimed.value == 4
    counts = {point.attributes["jetpack.outcome"]: point.count for point in seen.points("messaging.process.duration")}
    assert counts == {"SUCCESS": 3, "ERROR": 1}


def test_the_outcome_of_a_handler_with_a_transaction_of_its_own_is_told(shop: str, seen: Seen) -> None:
    async def handler(task: Task) -> None:
        await (await task.connection()).execute("select 1")

    with Client(shop) as client:
        client.create("shop.job", {"n": 1})
    work(shop, seen.telemetry, {"shop.job": handler})
    assert (seen.span("process shop.job.running").attributes or {})["jetpack.outcome"] == "SUCCESS"


def test_a_timeout_is_an_outcome(shop: str, seen: Seen) -> None:
    async def handler(task: Task) -> str:
        if task.attempt == 1:
            await asyncio.sleep(60)
        return "r"

    with Client(shop) as client:
        client.send(client.create("shop.pay", {"order_id": 1}), "PAID", {"amount": 1})
    work(shop, seen.telemetry, {"shop.pay": handler})
    outcomes = [(run.attributes or {})["jetpack.outcome"] for run in seen.spans("process shop.pay.charging.running")]
    assert outcomes == ["TIMEOUT", "SUCCESS"]


def test_what_a_worker_hands_back_when_it_stops_is_released(shop: str, seen: Seen) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            await asyncio.sleep(60)

        async with AsyncClient(shop) as client:
            await client.create("shop.job", {"n": 1})
        worker = Worker(shop, handlers={"shop.job": handler}, grace=0, telemetry=[seen.telemetry])
        async with running(worker):
            await started.wait()

    within(main())
    assert (seen.span("process shop.job.running").attributes or {})["jetpack.outcome"] == "RELEASED"


def test_gauges_tell_the_queue_while_the_worker_runs(shop: str, seen: Seen) -> None:
    async def main() -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            await go.wait()

        async with AsyncClient(shop) as client:
            await client.create_many("shop.job", [{"n": n} for n in range(3)])
            await client.create("shop.job", {"n": 4}, delay="1 hour")
            worker = Worker(shop, handlers={"shop.job": handler}, concurrency=1, telemetry=[seen.telemetry])
            async with running(worker):
                await started.wait()
                points = await asyncio.to_thread(seen.points, "jetpack.queue.depth")
                depths = {point.attributes["jetpack.queue"]: point.value for point in points}
                assert depths == {"ready": 2, "delayed": 1, "running": 1, "stuck": 0}
                (oldest,) = await asyncio.to_thread(seen.points, "jetpack.queue.oldest")
                assert 0 < oldest.value < 60
                go.set()
        assert not seen.points("jetpack.queue.depth")

    within(main())


class Broken(OpenTelemetry):
    """Fails at all that it is told."""

    def claimed(self, machine: str, count: int) -> None:
        raise RuntimeError("claimed")

    def running(self, run: Any) -> Any:
        raise RuntimeError("running")


def test_a_telemetry_that_fails_stops_no_work(shop: str, caplog: pytest.LogCaptureFixture) -> None:
    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
        work(shop, Broken(), {"shop.job": done})
        assert client.get(id).state == "done"
    assert "Broken failed" in caplog.text
