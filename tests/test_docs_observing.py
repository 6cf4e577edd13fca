"""What docs/observing.md shows runs as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from test_docs import ROOT, blocks

from jetpackc.top.model import Holder, Horizon, Look, Queue
from jetpackc.top.table import lines

PAGE = ROOT / "docs" / "observing.md"
CREATES, WORKS, LOGS = range(3)


@pytest.fixture
def run(fresh: Callable[[str], str], tmp_path: Path) -> Callable[[int], subprocess.CompletedProcess[str]]:
    """Runs one program of the page, on a database with the machine of docs/database.md."""
    dsn = fresh(blocks(ROOT / "docs" / "database.md", "jet")[0])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select setval('jet.task_id', 81722)")

    def program(number: int) -> subprocess.CompletedProcess[str]:
        text = blocks(PAGE, "python")[number]
        env = {**os.environ, "DATABASE_URL": dsn}
        return subprocess.run(
            [sys.executable, "-c", text], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )

    return program


def test_a_request_its_send_and_the_run_are_one_trace(run: Callable[[int], subprocess.CompletedProcess[str]]) -> None:
    spans = _documents(run(CREATES).stdout)
    assert [span["name"] for span in spans] == ["create shop.checkout", "send shop.checkout", "POST /orders"]
    assert len({span["context"]["trace_id"] for span in spans}) == 1
    assert run(WORKS).returncode == 0


def test_each_line_of_a_run_is_json_with_its_task(run: Callable[[int], subprocess.CompletedProcess[str]]) -> None:
    run(CREATES)
    told = [json.loads(line) for line in run(LOGS).stderr.splitlines()]
    (line,) = (line for line in told if line["message"] == "charging")
    assert (line["task"], line["machine"], line["attempt"]) == (81723, "shop.checkout", 1)


def test_a_line_of_the_log_has_what_the_page_shows(run: Callable[[int], subprocess.CompletedProcess[str]]) -> None:
    (shown,) = blocks(PAGE, "json")
    run(CREATES)
    told = [json.loads(line) for line in run(LOGS).stderr.splitlines()]
    (line,) = (line for line in told if line["message"] == "charging")
    assert [name for name in json.loads(shown) if name not in {"outcome", "seconds"}] == list(line)


def test_the_table_is_what_top_draws() -> None:
    look = Look(
        at=None,  # type: ignore[arg-type]
        queues=(
            Queue("shop.checkout", 4210, 100, 12, 0, 3480, 1.2, 0.1, 120, 3300, False, ("charging.ready",)),
            Queue("shop.shipment", 0, 2, 0, 1, 0, 1.1, 1.1, 0.004, 0.012, False, ()),
        ),
        holders=(
            Holder(1, "web-1:812", 50_400, 3.1, 30, False, False, {"shop.checkout": 100}),
            Holder(2, "web-2:790", 50_400, 1.0, 30, False, False, {"shop.shipment": 2}),
        ),
        horizon=Horizon("session", 4711, "ada", "psql", "idle in transaction", 9_182_334, 7200, None),
        hidden=0,
    )
    drawn = "\n".join(lines(look, strong=str, dim=str, fault=str))
    assert f"$ jetpackc top\n{drawn}\n" == blocks(PAGE, "console")[0]


def _documents(text: str) -> list[dict[str, object]]:
    """JSON objects one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        one, end = decoder.raw_decode(text)
        found.append(one)
        text = text[end:]
    return found
