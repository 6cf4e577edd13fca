"""`python bench/trees`: what a tree costs, and that a parent is woken exactly once however often one tries.

`fan-in`: the children of one parent, finished through several sessions that pump after each batch, against as many free
tasks of the same machine without a reader. `repeats`: many children that finish at once, over and over.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.postgres import Server, find_binaries
from jetpackc.source import Source

PROGRAM = """\
module m
event GO
machine parent(items: int[]) {
  var fired: int = 0
  initial state open { on GO -> waiting { spawn child(n: i) for i in items } }
  state waiting {
    on SUBTREE_FLUSHED when subtree.all(done) -> done { increment fired }
    on SUBTREE_FLUSHED -> failed
  }
  final state done
  failure state failed
}
machine child(n: int) is task { state running { run "x:y" } }
machine free(n: int) is task { state running { run "x:y" } }
"""
Connection = psycopg.Connection[Any]


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="jetpack-trees-"))
    folder.chmod(0o755)
    settings = {"max_connections": "100", "shared_buffers": "512MB", "max_wal_size": "4GB"}
    server = Server(folder / "data", find_binaries(arguments.pg), settings)
    server.start()
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as db:
            db.execute("\n".join(one.create for one in emit(_program()) if not one.within).encode())
        _fan_in(server.dsn(), arguments.children, arguments.workers, arguments.batch)
        _repeats(server.dsn(), arguments.repeats, arguments.of, arguments.workers)
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)


def _program() -> Any:
    program = compile_sources([Source("trees.jet", PROGRAM)]).program
    assert program is not None
    return program


def _fan_in(dsn: str, children: int, workers: int, batch: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        tasks = json.dumps([{"n": n} for n in range(children)])
        db.execute("select count(*) from m.free_create_many(%s)", (tasks,))
        db.execute("vacuum analyze m.free")
        free = _timed(lambda: _work(dsn, "free", workers, batch))
        made = perf_counter()
        id = _parent(db, children)
        made = perf_counter() - made
        db.execute("vacuum analyze m.child")
        below = _timed(lambda: _work(dsn, "child", workers, batch))
        pumped = _timed(lambda: _pump(db))
        state, fired = db.execute("select state, fired from m.parent where id = %s", (id,)).fetchone() or ("", 0)
    print(f"free tasks:      {children / free:,.0f} a second")
    print(f"of one parent:   {children / below:,.0f} a second, {below / free - 1:+.0%} time; spawned in {made:.1f} s")
    print(f"the parent rests in `{state}`, fired {fired} time, {pumped:.3f} s after the last child")


def _repeats(dsn: str, repeats: int, children: int, workers: int) -> None:
    wrong = 0
    with psycopg.connect(dsn, autocommit=True) as db:
        for _ in range(repeats):
            id = _parent(db, children)
            _work(dsn, "child", workers, 50)
            _pump(db)
            row = db.execute("select state, fired from m.parent where id = %s", (id,)).fetchone()
            wrong += row != ("done", 1)
        query = "select deadlocks from pg_stat_database where datname = current_database()"
        deadlocks = (db.execute(query).fetchone() or (0,))[0]
    print(f"{repeats} times {children} children: {wrong} parents not fired exactly once, {deadlocks} deadlocks")


def _parent(db: Connection, children: int) -> int:
    row = db.execute("select m.parent_create(items => array(select generate_series(1, %s)))", (children,)).fetchone()
    assert row is not None
    db.execute("select m.parent_send(%s, 'GO')", (row[0],))
    return int(row[0])


def _work(dsn: str, machine: str, workers: int, batch: int) -> None:
    threads = [threading.Thread(target=_worker, args=(dsn, machine, batch)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _worker(dsn: str, machine: str, batch: int) -> None:
    claim = f"select id, token, mark::text from m.{machine}_claim(%s, %s, %s)".encode()
    resolve = f"select m.{machine}_resolve(%s, %s)".encode()
    mark: str | None = None
    with psycopg.connect(dsn, autocommit=True) as db:
        worker = (db.execute("select jet.worker_start('bench')").fetchone() or (0,))[0]
        while True:
            *tasks, last = db.execute(claim, (worker, batch, mark)).fetchall()
            mark = last[2]
            if not tasks:
                return
            outcomes = [{"id": id, "token": token, "event": "SUCCESS"} for id, token, _ in tasks]
            db.execute(resolve, (worker, json.dumps(outcomes)))
            if machine == "child":
                db.execute("select m.parent_pump()")


def _pump(db: Connection) -> None:
    while (db.execute("select m.parent_pump()").fetchone() or (0,))[0]:
        pass


def _timed(call: Callable[[], None]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench/trees", description=__doc__)
    parser.add_argument("--children", type=int, default=100_000, help="of one parent (100000)")
    parser.add_argument("--workers", type=int, default=8, help="sessions that claim and finish (8)")
    parser.add_argument("--batch", type=int, default=500, help="tasks a claim (500)")
    parser.add_argument("--repeats", type=int, default=500, help="parents, one after the other (500)")
    parser.add_argument("--of", type=int, default=1_000, help="children of each of those (1000)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    return parser.parse_args()


main()
