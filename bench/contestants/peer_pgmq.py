# /// script
# dependencies = ["pgmq==1.1.4", "psycopg[binary]==3.3.9"]
# [tool.bench]
# batch = 500
# jobs = 20000
# chains = 2000
# left = "select count(*) from pgmq.q_jobs"
# done = "select count(*) from pgmq.a_jobs"
# rows = { chain = 3 }
# claim = "pgmq.read"
# ///
"""pgmq, whose client brings its SQL. It has no worker, so the loop is ours: read a batch, archive it."""

from __future__ import annotations

from typing import Any

import psycopg
from pgmq import PGMQueue
from pgmq.install import get_embedded_install_sql
from protocol import DSN, STEPS, Contestant, chunks, hit, main, ready
from psycopg.conninfo import conninfo_to_dict, make_conninfo

MANY, VISIBLE = 5000, 30


class Pgmq(Contestant):
    """See `Contestant`."""

    def _queue(self, connections: int) -> Any:
        return PGMQueue(
            conn_string=make_conninfo("", **conninfo_to_dict(DSN)), init_extension=False, pool_size=connections
        )

    async def setup(self) -> None:
        with psycopg.connect(DSN, autocommit=True) as connection:
            connection.execute(get_embedded_install_sql())
        self._queue(1).create_queue("jobs")

    async def open(self) -> None:
        self._made = self._queue(1)
        self._made.metrics("jobs")

    async def create(self, kind: str, numbers: range) -> None:
        more = {"step": 1} if kind == "chain" else {}
        for some in chunks(numbers, MANY):
            self._made.send_batch("jobs", [{"n": n, **more} for n in some])

    async def single(self, number: int) -> None:
        self._made.send("jobs", {"n": number})

    async def attend(self) -> None:
        """Here alone: its trigger updates one row a message, which is quadratic in a transaction that sends many."""
        self._made.enable_notify("jobs", 0)

    async def work(self, batch: int) -> None:
        queue = self._queue(2)
        listener = psycopg.connect(DSN, autocommit=True)
        listener.execute('listen "pgmq.q_jobs.INSERT"')
        queue.metrics("jobs")
        await ready()
        while True:
            messages = queue.read_batch("jobs", vt=VISIBLE, batch_size=batch)
            if not messages:
                list(listener.notifies(timeout=1.0, stop_after=1))
                continue
            for message in messages:
                hit(message.message["n"])
            self._end(queue, messages)

    def _end(self, queue: Any, messages: list[Any]) -> None:
        steps = [message.message for message in messages if message.message.get("step", STEPS) < STEPS]
        if steps:
            queue.send_batch("jobs", [{"n": told["n"], "step": told["step"] + 1} for told in steps])
        queue.archive_batch("jobs", [message.msg_id for message in messages])


if __name__ == "__main__":
    main(Pgmq())
