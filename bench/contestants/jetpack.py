# /// script
# dependencies = []
# [tool.bench]
# here = true
# batch = 500
# jobs = 60000
# chains = 5000
# fans = 500
# later = true
# left = """select
#   (select count(*) from bench.job where state not in ('done', 'abandoned') and run_at < now() + interval '1 day')
#   + (select count(*) from bench.chain where state not in ('done', 'failed'))
#   + (select count(*) from bench.fan where state not in ('done', 'failed'))"""
# done = """select (select count(*) from bench.job where state = 'done' and attempts = 1)
#   + (select count(*) from bench.chain where state = 'done') + (select count(*) from bench.fan where state = 'done')
#   + (select count(*) from bench.child where state = 'done')"""
# rows = { fan = 21 }
# history = """select (select count(*) from bench.job_history where to_state is not null)
#   + (select count(*) from bench.chain_history where to_state is not null)"""
# hops = { job = 3, chain = 7 }
# claim = "job_claim"
# ///
"""What jetpackc makes of `job.jet`, worked by the real `Worker`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from jetpack_runtime import Client, Task, Worker
from protocol import CHILDREN, DSN, Contestant, hit, main, ready

SOURCE = Path(__file__).parent / "job.jet"
STATES = (
    *("bench.job", "bench.child"),
    *("bench.chain.first", "bench.chain.second", "bench.chain.third"),
    *("bench.fan.spreading", "bench.fan.joining"),
)


def compiled() -> str:
    """The SQL of `job.jet`."""
    from jetpackc.check import compile_sources  # noqa: PLC0415 -- a worker does not compile
    from jetpackc.emit import emit  # noqa: PLC0415
    from jetpackc.source import Source  # noqa: PLC0415

    result = compile_sources([Source("job.jet", SOURCE.read_text())])
    assert result.program is not None
    return "\n\n".join(found.create for found in emit(result.program) if not found.within)


async def nothing(task: Task) -> None:
    """The handler of every job."""
    hit(task.params["n"])


def _task(kind: str, number: int) -> dict[str, Any]:
    if kind != "fan":
        return {"n": number}
    first = number * (CHILDREN + 1)
    return {"n": first, "children": list(range(first + 1, first + CHILDREN + 1))}


class Jetpack(Contestant):
    """See `Contestant`."""

    async def setup(self) -> None:
        with psycopg.connect(DSN) as connection:
            connection.execute(compiled().encode())

    async def open(self) -> None:
        self._client = Client(DSN)
        self._client.create_many("bench.job", [])

    async def create(self, kind: str, numbers: range) -> None:
        machine, delay = ("job", "30 days") if kind == "later" else (kind, None)
        self._client.create_many(f"bench.{machine}", [_task(kind, n) for n in numbers], delay=delay)

    async def single(self, number: int) -> None:
        self._client.create("bench.job", {"n": number})

    async def work(self, batch: int) -> None:
        worker = Worker(DSN, handlers=dict.fromkeys(STATES, nothing), concurrency=batch)
        await ready()
        await worker.run()


if __name__ == "__main__":
    main(Jetpack())
