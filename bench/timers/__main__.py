"""`python bench/timers`: a sweep of timers that are all due, while tasks of the same table are claimed.

Prints a line of Markdown: how fast timers fire, whether the earliest came first, and how long claims took without a
sweep and beside one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

import psycopg

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.postgres import Server, find_binaries
from jetpackc.source import Source

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "synchronous_commit": "on", "max_connections": "50"}
MADE = 10_000
"""Tasks a call that makes them."""


def main() -> None:
    """Measure, and print."""
    given = _arguments()
    with _database(given.pg) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        made = _make(connection, given.timers)
        alone = _claims(dsn, given.claims, lambda: given.seconds)
        fired, order = _Sweep(dsn, given.sweepers, given.batch), threading.Event()
        beside = fired.beside(lambda going: _claims(dsn, given.claims, going))
        late = connection.execute(_LATE, (given.batch * given.sweepers,)).fetchone()
        if late is not None and late[0]:
            order.set()
    seconds = fired.seconds
    print("| timers | made/s | sweepers | fired/s | out of order | claims alone, p50, p99 | beside it, p50, p99, max |")
    print("|---|---|---|---|---|---|---|")
    speeds = f"{given.timers / made:,.0f} | {given.sweepers} x {given.batch} | {given.timers / seconds:,.0f}"
    claims = f"{_shown(alone)[0]} | {', '.join(_shown(beside))}"
    print(f"| {given.timers:,} | {speeds} | {'yes' if order.is_set() else 'no'} | {claims} |")


_LATE = """
select count(*) from (
  select at, (payload ->> 'due')::timestamptz as due,
    max((payload ->> 'due')::timestamptz) over
      (order by at, id rows between unbounded preceding and 1 preceding) as before,
    row_number() over (order by (payload ->> 'due')::timestamptz) - row_number() over (order by at, id) as moved
  from orders._order_hops where event = 'after patience') f
where f.due < f.before and abs(f.moved) > %s
"""
"""Firings that came later than a whole round of batches would explain."""


def _shown(times: list[float]) -> tuple[str, str]:
    cuts = quantiles(times, n=100, method="inclusive")
    return f"{cuts[49] * 1000:.1f}, {cuts[98] * 1000:.1f} ms", f"{max(times) * 1000:.1f} ms"


def _make(connection: psycopg.Connection[Any], timers: int) -> float:
    """That many carts, due in a random order, and orders to claim; seconds for the carts."""
    start = perf_counter()
    query = (
        "select count(*) from orders.order_create_many((select jsonb_agg(jsonb_build_object("
        "'patience', make_interval(secs => 1 + random() * 3600))) from generate_series(1, %s)))"
    )
    for first in range(0, timers, MADE):
        connection.execute(query, (min(MADE, timers - first),))
    took = perf_counter() - start
    connection.execute("analyze orders.order")
    return took


class _Sweep:
    """Sweepers that go on until nothing is due."""

    def __init__(self, dsn: str, sweepers: int, batch: int) -> None:
        self._dsn, self._sweepers, self._batch = dsn, sweepers, batch
        self.seconds = 0.0

    def beside(self, work: Callable[[Callable[[], bool]], list[float]]) -> list[float]:
        """Sweep all, and do some work as long as that takes."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("update jet.clock set shift = shift + interval '2 h'")
        threads = [threading.Thread(target=self._sweep) for _ in range(self._sweepers)]
        start = perf_counter()
        for thread in threads:
            thread.start()
        found = work(lambda: any(thread.is_alive() for thread in threads))
        for thread in threads:
            thread.join()
        self.seconds = perf_counter() - start
        return found

    def _sweep(self) -> None:
        mark: str | None = None
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while mark is None or json.loads(mark)["next"] < 1:
                row = connection.execute(_FIRE, (self._batch, mark)).fetchone()
                assert row
                mark = row[0]


def _claims(dsn: str, batch: int, going: Callable[[], object]) -> list[float]:
    """Orders made, claimed and finished, again and again: seconds of each claim."""
    times: list[float] = []
    mark: str | None = None
    limit = going()
    end = perf_counter() + limit if isinstance(limit, float) else None
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select jet.worker_start('bench')").fetchone()
        worker = row and row[0]
        while perf_counter() < end if end is not None else going():
            connection.execute(_ORDERS, (batch,))
            start = perf_counter()
            *tasks, last = connection.execute(_CLAIM, (worker, batch, mark)).fetchall()
            times.append(perf_counter() - start)
            mark = last[2]
            ends = [{"id": id, "token": token, "event": "SUCCESS"} for id, token, _ in tasks]
            connection.execute("select count(*) from orders.order_resolve(%s, %s)", (worker, json.dumps(ends)))
    return times


_FIRE = "select orders.order_fire(%s, %s::jsonb)::text"
_CLAIM = "select id, token, mark::text from orders.order_claim(%s, %s, %s::jsonb)"
_ORDERS = """
select count(orders.order_send(id, 'PAID')) from orders.order_create_many((
  select jsonb_agg('{"patience": "10 days"}'::jsonb) from generate_series(1, %s))) as id
"""


@contextmanager
def _database(pg: int) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="jetpack-bench-timers-"))
    folder.chmod(0o755)
    server = Server(folder / "data", find_binaries(pg), SETTINGS)
    server.start()
    source = Source("orders.jet", (Path(__file__).parent / "orders.jet").read_text(encoding="utf-8"))
    program = compile_sources([source]).program
    assert program is not None
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            script = "\n\n".join(found.create for found in emit(program) if not found.within)
            connection.execute(script.encode())
        yield server.dsn()
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench/timers", description=__doc__)
    parser.add_argument("--timers", type=int, default=20_000, help="how many are due at once (20000)")
    parser.add_argument("--sweepers", type=int, default=1, help="who sweep at the same time (1)")
    parser.add_argument("--batch", type=int, default=100, help="timers a sweep (100)")
    parser.add_argument("--claims", type=int, default=10, help="tasks a claim (10)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of claims without a sweep, to compare with (5)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    return parser.parse_args()


main()
