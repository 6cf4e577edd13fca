"""What a worker answers over HTTP, and what Prometheus scrapes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from jetpack_runtime import AsyncClient, Client, Task, Worker
from jetpack_runtime.health import Health
from jetpack_runtime.prometheus import Prometheus
from prometheus_client.parser import text_string_to_metric_families
from shop import execute, running, until, within
from told import Cli

from jetpackc.postgres import Server


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels, which stand in the order of their names."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def ask(health: Health, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(get, health.port, path)


@asynccontextmanager
async def ready(worker: Worker, health: Health) -> AsyncIterator[None]:
    async def is_ready() -> bool:
        return (await ask(health, "/readyz"))[0] == 200

    async with running(worker):
        await until(is_ready)
        yield


async def idle(task: Task) -> None:
    """A handler that does nothing."""


def test_a_worker_with_a_lease_is_ready(shop: str) -> None:
    async def main() -> None:
        health = Health(0)
        async with ready(Worker(shop, handlers={"shop.job": idle}, health=health), health):
            assert await ask(health, "/readyz") == (200, "ok\n")
            assert await ask(health, "/healthz?verbose") == (200, "ok\n")
            assert await ask(health, "/") == (404, "there is /healthz, /readyz\n")
            assert (await ask(health, "/metrics"))[0] == 404

    within(main())


def test_an_outage_makes_a_worker_unready_and_leaves_it_alive(shop: str, postgres: Server) -> None:
    name = shop.rpartition("dbname=")[2]
    away = f"alter database {name} with allow_connections false"
    back = f"alter database {name} with allow_connections true"
    cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"

    async def main() -> None:
        health = Health(0)

        async def told() -> bool:
            return await ask(health, "/readyz") == (503, "the database is away\n")

        async def again() -> bool:
            return (await ask(health, "/readyz"))[0] == 200

        async with ready(Worker(shop, handlers={"shop.job": idle}, health=health), health):
            await execute(postgres.dsn(), away)
            await execute(postgres.dsn(), cut)
            await until(told)
            assert (await ask(health, "/healthz"))[0] == 200
            await execute(postgres.dsn(), back)
            await until(again)

    within(main())


def test_a_worker_that_stops_is_not_ready(shop: str) -> None:
    async def main() -> None:
        health = Health(0)
        started, go = asyncio.Event(), asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            await go.wait()

        async with AsyncClient(shop) as client:
            await client.create("shop.job", {"n": 1})
        worker = Worker(shop, handlers={"shop.job": handler}, health=health)
        async with ready(worker, health):
            await started.wait()
            worker.stop()
            await asyncio.sleep(0)
            assert await ask(health, "/readyz") == (503, "the worker is stopping\n")
            assert (await ask(health, "/healthz"))[0] == 200
            go.set()

    within(main())


def test_a_loop_that_is_blocked_is_told_apart(shop: str) -> None:
    async def main() -> None:
        health = Health(0)
        answers = []

        async def handler(task: Task) -> None:
            answers.append(get(health.port, "/healthz"))  # blocks the loop until it is answered

        async with AsyncClient(shop) as client:
            await client.create("shop.job", {"n": 1})
        await Worker(shop, handlers={"shop.job": handler}, health=health).run(until_idle=True)
        assert answers == [(503, "the event loop has not turned for 0.8 s: a handler blocks it\n")]

    within(main())


def test_its_port_is_free_again(shop: str) -> None:
    async def main() -> None:
        first = Health(0)
        await Worker(shop, handlers={"shop.job": idle}, health=first).run(until_idle=True)
        second = Health(first.port)
        await Worker(shop, handlers={"shop.job": idle}, health=second).run(until_idle=True)

    within(main())


def test_prometheus_scrapes_counts_durations_and_queues(shop: str) -> None:
    async def main() -> None:
        prometheus = Prometheus()
        health = Health(0, metrics=prometheus.exposition)
        last = asyncio.Event()
        go = asyncio.Event()

        async def handler(task: Task) -> None:
            if task.params["n"] == 0 and task.attempt == 1:
                raise ValueError
            if task.params["n"] == 2:
                last.set()
                await go.wait()

        async def all_told() -> bool:
            return await execute(shop, "select count(*) from shop.job where _worker is not null") == [(1,)]

        async with AsyncClient(shop) as client:
            await client.create_many("shop.job", [{"n": n} for n in range(4)])
            await client.create("shop.job", {"n": 9}, delay="1 hour")
            worker = Worker(shop, handlers={"shop.job": handler}, concurrency=1, telemetry=[prometheus], health=health)
            async with ready(worker, health):
                await last.wait()
                await until(all_told)
                found = samples((await ask(health, "/metrics"))[1])
                assert found["jetpack_tasks_claimed_total", "shop.job"] >= 3
                assert found["jetpack_run_seconds_count", "shop.job", "ERROR", "running"] == 1
                assert found["jetpack_run_seconds_count", "shop.job", "SUCCESS", "running"] >= 1
                assert found["jetpack_queue_depth", "shop.job", "running"] == 1
                assert found["jetpack_queue_depth", "shop.job", "delayed"] == 1
                assert found["jetpack_queue_depth", "shop.job", "stuck"] == 0
                assert found["jetpack_queue_oldest_seconds", "shop.job"] >= 0
                go.set()

    within(main())


def test_a_scraper_may_ask_for_openmetrics(shop: str) -> None:
    body, kind = Prometheus().exposition("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def project(folder: Path, work: str) -> None:
    """The shop's sources, and handlers."""
    (folder / "workflows.jet").write_text((Path(__file__).parent / "shop.jet").read_text())
    (folder / "jobs.py").write_text(work)
    (folder / "shop").mkdir()
    (folder / "shop" / "pay.py").write_text("async def charge(task): ...\n")


WORKER = [sys.executable, "-m", "jetpackc", "worker"]


def test_the_command_serves_health_and_metrics_and_logs_json(shop: str, tmp_path: Path) -> None:
    """All of it from outside, as a supervisor and a collector of logs see it."""
    project(
        tmp_path,
        "import logging\n"
        "def work(task):\n"
        "    logging.getLogger('mine').warning('at work')\n"
        "    if task.attempt == 1:\n"
        "        raise ValueError('no\\nsecret')\n",
    )
    with Client(shop) as client:
        id = client.create("shop.job", {"n": 1})
    options = ["--health-port", "0", "--log-format", "json", "--log-level", "debug", "--name", "w1", "--dsn", shop]
    process = subprocess.Popen([*WORKER, *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(json.loads(line))
            if lines[-1]["message"] == "ended with SUCCESS":
                break
        port = next(int(m[1]) for line in lines if (m := re.search(r"port (\d+)", line["message"])))
        assert get(port, "/readyz") == (200, "ok\n")
        assert samples(get(port, "/metrics")[1])["jetpack_run_seconds_count", "shop.job", "ERROR", "running"] == 1
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    here = {"machine": "shop.job", "task": id, "state": "running", "worker": "w1"}
    told = [line for line in lines if line.get("task") == id]
    kept = ("level", "logger", "message", "machine", "task", "state", "worker", "attempt", "outcome")
    assert [{name: line[name] for name in kept if name in line} for line in told] == [
        {"level": "warning", "logger": "mine", "message": "at work", **here, "attempt": 1},
        {
            "level": "warning",
            "logger": "jetpack.run",
            "message": "ended with ERROR: ValueError: no",
            **here,
            "attempt": 1,
            "outcome": "ERROR",
        },
        {"level": "warning", "logger": "mine", "message": "at work", **here, "attempt": 2},
        {
            "level": "debug",
            "logger": "jetpack.run",
            "message": "ended with SUCCESS",
            **here,
            "attempt": 2,
            "outcome": "SUCCESS",
        },
    ]


def test_a_port_that_is_taken_is_said_in_a_sentence(shop: str, cli: Cli, tmp_path: Path) -> None:
    taken = Health(0)
    (tmp_path / "a.jet").write_text("module m\nmachine a { initial state x { on GO -> y } final state y }\n")
    told = cli("worker", "--dsn", shop, "--health-port", str(taken.port))
    taken.end()
    assert told.code == 1
    assert f"cannot listen on 127.0.0.1, port {taken.port}" in told.err


def test_the_command_traces_with_the_sdk_of_its_environment(shop: str, tmp_path: Path) -> None:
    """Its logs tell which trace a line belongs to: the one that came with the task."""
    project(tmp_path, "import logging\ndef work(task):\n    logging.warning('at work')\n")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    make = "select jet.trace_created(array(select shop.job_create_many(%s)), %s)"
    context = json.dumps({"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    within(execute(shop, make, '[{"n": 1}]', context))
    env = {**os.environ, "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}
    options = ["--otel", "--log-format", "json", "--dsn", shop, "--until-idle"]
    told = subprocess.run([*WORKER, *options], check=False, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    (line,) = (one for one in map(json.loads, told.stderr.splitlines()) if one["message"] == "at work")
    assert line["trace_id"] == trace
    assert len(line["span_id"]) == 16


def test_otel_without_the_package_is_said_in_a_sentence(
    shop: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jet").write_text("module m\nmachine a { initial state x { on GO -> y } final state y }\n")
    monkeypatch.setitem(sys.modules, "jetpack_runtime.otel", None)
    told = cli("worker", "--dsn", shop, "--otel")
    assert told.code == 2
    assert "`--otel` needs OpenTelemetry" in told.err
