"""examples/limits does what its README says, and no limit is ever exceeded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
from jetpack_runtime import Client, Task, Worker
from shop import within

EXAMPLE = Path(__file__).parent.parent / "examples" / "limits"


def test_calls_keep_their_limits_and_all_are_made(fresh: Callable[[str], str]) -> None:
    dsn = fresh((EXAMPLE / "workflows.jet").read_text())
    with psycopg.connect(dsn) as connection:
        connection.execute((EXAMPLE / "dev.sql").read_bytes())
    at_work: Counter[str] = Counter()
    most: Counter[str] = Counter()
    served: list[str] = []

    async def call(task: Task) -> int:
        customer = task.params["customer"]
        served.append(customer)
        at_work[customer] += 1
        most[customer] = max(most[customer], at_work[customer])
        most["*"] = max(most["*"], at_work.total())
        await asyncio.sleep(0)
        at_work[customer] -= 1
        return 503 if "broken" in task.params["url"] else 200

    async def export(task: Task) -> None:
        """Nothing to write."""

    async def main() -> None:
        handlers = {"calls.call.calling": call, "calls.export.writing": export}
        workers = [Worker(dsn, handlers=handlers, name=name) for name in ("one", "two")]
        await asyncio.gather(*(worker.run(until_idle=True) for worker in workers))

    within(main())
    assert most["big"] <= 3
    assert most["*"] <= 30
    assert Counter(served)["big"] == 91
    assert {f"small{n}" for n in range(91, 101)} <= set(served[:60])
    with Client(dsn) as client:
        lost = client.create("calls.call", {"customer": "x", "url": ""}, key="request 4711")
        assert client.get(lost).state == "lost"
        first = client.create("calls.export", {"customer": "big"})
        assert client.create("calls.export", {"customer": "big"}) == first
