"""Servers and workers to be shot: what the faults have in common."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psycopg
from load import Load, install

from jetpackc.postgres import Server, find_binaries

LEASE = 1.0
"""Of the workers, in seconds, where nothing else is said."""
SCRIPT = Path(__file__).with_name("worker_process.py")


@contextmanager
def server(pg: int, **settings: str) -> Iterator[Server]:
    """A server of its own. Unlike that of other tests it keeps what it has committed, when it is shot."""
    folder = Path(tempfile.mkdtemp(prefix="jetpack-faults-"))
    folder.chmod(0o755)
    found = Server(folder / "data", find_binaries(pg), {"fsync": "off", "max_connections": "60", **settings})
    found.start()
    try:
        yield found
    finally:
        found.stop("immediate")
        shutil.rmtree(folder)


@contextmanager
def database(server: Server, name: str = "faults", tablespace: str = "pg_default") -> Iterator[str]:
    """A fresh database with the machines of the load."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"create database {name} template template0 tablespace {tablespace}")
    install(server.dsn(name))
    yield server.dsn(name)
    if not server.is_ours:
        return
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


@contextmanager
def worker(
    dsn: str, environment: Mapping[str, str] | None = None, *, lease: float = LEASE, quiet: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the end if it still lives. `quiet`: nobody sees what it logs."""
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(SCRIPT.parent), **(environment or {})}
    stderr = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen([sys.executable, SCRIPT, dsn, str(lease)], env=variables, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_end(load: Load, seconds: float = 180.0) -> None:
    """Wait until every task has ended and no message waits. Raises AssertionError when that takes too long."""
    deadline = monotonic() + seconds
    while left := load.left():
        assert monotonic() < deadline, f"{left} of {load.total} tasks and messages are left: {load.mistakes()[:5]}"
        sleep(0.02)  # only the database can tell, and it may be away
