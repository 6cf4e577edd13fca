"""What limits cost, and what turns are worth: a thousand tenants, one of which has 99 of 100 tasks.

python bench/limits --tasks 20000 --repeat 3
python bench/limits --behind        # what a claim takes behind tasks that a limit keeps back, and behind finished ones
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.postgres import Server, find_binaries
from jetpackc.source import Source

HERE = Path(__file__).parent
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "synchronous_commit": "on", "max_connections": "50"}
MACHINES = ("plain", "turns", "each", "rated", "whole")
TENANTS = 1000
BIG = 0.99
WAITS = """
select percentile_cont(array[0.5, 0.95, 1]) within group (order by extract(epoch from h.at - t.created_at))
from bench.{0}_history h join bench.{0} t on t.id = h.id
where h.event = 'LOCKED_BY_WORKER' and t.tenant <> 'big' and t.created_at > %s
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=10, help="of the second part: tasks of small tenants come all the time"
    )
    parser.add_argument("--pg", type=int, default=18)
    parser.add_argument("--behind", action="store_true")
    options = parser.parse_args()
    with database(options.pg) as dsn:
        if options.behind:
            behind(dsn)
            return
        rates: dict[str, list[float]] = {machine: [] for machine in MACHINES}
        for _ in range(options.repeat):
            for machine in MACHINES:
                rates[machine].append(drained(dsn, machine, options))
        print("| machine | tasks/s | of plain | small tenants wait: median | p95 | most |\n|---|---|---|---|---|---|")
        for machine in MACHINES:
            ratio = median(own / plain for own, plain in zip(rates[machine], rates["plain"], strict=True))
            waits = " | ".join(f"{wait:.3f} s" for wait in waited(dsn, machine, options))
            print(f"| {machine} | {median(rates[machine]):,.0f} | {ratio:.2f} | {waits} |", flush=True)


@contextmanager
def database(pg: int) -> Iterator[str]:
    """A server of its own with the machines of `limits.jet`."""
    folder = Path(tempfile.mkdtemp(prefix="jetpack-limits-"))
    folder.chmod(0o755)
    server = Server(folder / "data", find_binaries(pg), SETTINGS)
    server.start()
    try:
        result = compile_sources([Source("limits.jet", (HERE / "limits.jet").read_text())])
        assert result.program is not None, result.diagnostics
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("\n\n".join(one.create for one in emit(result.program) if not one.within).encode())
        yield server.dsn()
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)


def behind(dsn: str) -> None:
    """How long one claim takes: behind ever more tasks of a tenant that has no place left, then behind ever more of it
    that are done, while a snapshot that somebody holds keeps them in the index."""
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.connect(dsn) as other:
        client = Client(connection)
        there, held = 0, list[Any]()
        for size in (1_000, 10_000, 100_000):
            create(connection, "each", ["big"] * (size - there))
            there = size
            while found := client.claim(500)[1]:
                held += found
            print(f"behind {size:,} kept back: {client.probe() * 1000:.1f} ms", flush=True)
        other.execute("set transaction isolation level repeatable read")
        other.execute("select 1 from bench.each limit 1")
        client.finish(held)
        for done in range(len(held), 20_001, 100):
            spent, found = client.claim(100)
            client.finish(found)
            if done % 4_000 == 0:
                print(f"behind {done:,} done, under a snapshot: {spent * 1000:.1f} ms", flush=True)


class Client:
    """Claims from `each`, and times it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        row = connection.execute("select jet.worker_start('bench', '1 h')").fetchone()
        assert row is not None
        self.worker, self.mark = row[0], None

    def claim(self, limit: int) -> tuple[float, list[Any]]:
        """What it took, in seconds, and what came."""
        query = b"select id, token, mark::text from bench.each_claim(%s, %s, %s)"
        began = perf_counter()
        *found, (_, _, self.mark) = self.connection.execute(query, (self.worker, limit, self.mark)).fetchall()
        return perf_counter() - began, found

    def finish(self, found: list[Any]) -> None:
        """End these runs."""
        outcomes = [{"id": id, "token": token, "event": "SUCCESS"} for id, token, _ in found]
        self.connection.execute("select count(*) from bench.each_resolve(%s, %s)", (self.worker, json.dumps(outcomes)))

    def probe(self) -> float:
        """The median time of a claim that finds one task of another tenant."""
        times = []
        for number in range(60):
            create(self.connection, "each", [f"t{number % 20}"])
            spent, found = self.claim(10)
            times.append(spent)
            self.finish(found)
        return median(times)


def tenants(count: int) -> list[str]:
    """Whose tasks they are, in an order of chance that is always the same."""
    chance = random.Random(count)
    return ["big" if chance.random() < BIG else f"t{chance.randrange(1, TENANTS)}" for _ in range(count)]


def create(connection: psycopg.Connection[Any], machine: str, owners: list[str]) -> None:
    """Tasks of these tenants."""
    query = f"select count(*) from bench.{machine}_create_many(%s)"
    connection.execute(query.encode(), (Jsonb([{"tenant": owner} for owner in owners]),))


def drained(dsn: str, machine: str, options: argparse.Namespace) -> float:
    """Tasks a second that clients claim and finish until none is left."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        create(connection, machine, tenants(options.tasks))
        connection.execute("checkpoint")
    began = perf_counter()
    done = together(dsn, machine, options, stop_when_empty=True)
    spent = perf_counter() - began
    assert done == options.tasks, (machine, done)
    return done / spent


def waited(dsn: str, machine: str, options: argparse.Namespace) -> list[float]:
    """How long tasks of small tenants wait, which come one by one while the big one has more than can be done."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        create(connection, machine, ["big"] * int(options.seconds * 12_000))
        row = connection.execute("select jet.now()").fetchone()
        assert row is not None
        stop = threading.Event()
        thread = threading.Thread(target=together, args=(dsn, machine, options), kwargs={"stop": stop})
        thread.start()
        chance, until = random.Random(1), perf_counter() + options.seconds
        while perf_counter() < until:
            create(connection, machine, [f"t{chance.randrange(1, TENANTS)}"])
            sleep(0.01)
        stop.set()
        thread.join()
        together(dsn, machine, options, stop_when_empty=True)
        found = connection.execute(WAITS.format(machine).encode(), row).fetchone()
        assert found is not None
        return list(found[0])


def together(
    dsn: str,
    machine: str,
    options: argparse.Namespace,
    stop: threading.Event | None = None,
    stop_when_empty: bool = False,
) -> int:
    """Clients at once; how many tasks they did."""
    done: list[int] = []
    threads = [
        threading.Thread(target=work, args=(dsn, machine, options.batch, done, stop, stop_when_empty))
        for _ in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def work(
    dsn: str, machine: str, batch: int, done: list[int], stop: threading.Event | None, stop_when_empty: bool
) -> None:
    """Claim a batch and finish it, again and again."""
    claim = f"select id, token, mark::text from bench.{machine}_claim(%s, %s, %s)".encode()
    resolve = f"select count(*) from bench.{machine}_resolve(%s, %s)".encode()
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select jet.worker_start('bench')").fetchone()
        assert row is not None
        worker, mark, count, misses = row[0], None, 0, 0
        while not (stop and stop.is_set()):
            *rows, (_, _, mark) = connection.execute(claim, (worker, batch, mark)).fetchall()
            if rows:
                outcomes = [{"id": id, "token": token, "event": "SUCCESS"} for id, token, _ in rows]
                connection.execute(resolve, (worker, json.dumps(outcomes)))
                count, misses = count + len(rows), 0
            elif stop_when_empty and misses > 20:
                break
            else:
                misses += 1
                sleep(0.002)
        done.append(count)


if __name__ == "__main__":
    main()
