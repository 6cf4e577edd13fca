"""A server to measure on, and what is read off it: time, processor time, write-ahead log."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import psycopg

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.postgres import Server, find_binaries
from jetpackc.source import Source

HERE = Path(__file__).parent
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "synchronous_commit": "on",
    "max_connections": "50",
    "track_functions": "none",
}
_TICK = os.sysconf("SC_CLK_TCK")

Connection = psycopg.Connection[Any]


@dataclass
class Spent:
    """What something took: seconds by the clock, of the server's processors, of this process's; bytes of log."""

    seconds: float = 0.0
    server: float = 0.0
    client: float = 0.0
    wal: int = 0


class Rig:
    """A fresh server with all contestants in a template database, and copies of that."""

    def __init__(self, pg: int, bindir: Path | None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="jetpack-bench-"))
        self._folder.chmod(0o755)
        self._server = Server(self._folder / "data", bindir or find_binaries(pg), SETTINGS)
        self._server.start()
        self._admin = psycopg.connect(self._server.dsn(), autocommit=True)
        self._numbers = itertools.count()
        self._postmaster = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        self._prepare()

    def _prepare(self) -> None:
        self._admin.execute("create database contest")
        with psycopg.connect(self._server.dsn("contest")) as connection:
            connection.execute((HERE / "floor.sql").read_bytes())
            connection.execute(compiled().encode())

    @property
    def version(self) -> str:
        """`18.1`, say."""
        found = self._admin.execute("show server_version").fetchone()
        assert found is not None
        return str(found[0]).split()[0]

    @contextmanager
    def database(self) -> Iterator[str]:
        """The DSN of a database in which nothing has happened yet."""
        name = f"contest_{next(self._numbers)}"
        self._admin.execute(f"create database {name} template contest")
        yield self._server.dsn(name)
        self._admin.execute(f"drop database {name} with (force)")

    @contextmanager
    def measure(self) -> Iterator[Spent]:
        """Measure a block; the result is filled in at its end."""
        spent = Spent()
        wal, server, client, seconds = self._wal(), self._processors(), process_time(), perf_counter()
        yield spent
        spent.seconds = perf_counter() - seconds
        spent.client = process_time() - client
        spent.server = self._processors() - server
        spent.wal = self._wal() - wal

    def checkpoint(self) -> None:
        """Have every measurement begin with nothing left to write."""
        self._admin.execute("checkpoint")

    def _wal(self) -> int:
        found = self._admin.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
        assert found is not None
        return int(found[0])

    def _processors(self) -> float:
        """Seconds of processor time of the server: of its living processes, and of those it has buried. Linux only."""
        ticks = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = file.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._postmaster:
                ticks += int(fields[11]) + int(fields[12])
            elif file.parent.name == str(self._postmaster):
                ticks += sum(map(int, fields[11:15]))
        return ticks / _TICK

    def close(self) -> None:
        """Stop the server and remove it."""
        self._admin.close()
        self._server.stop("immediate")
        shutil.rmtree(self._folder)


def compiled() -> str:
    """The SQL of `job.jet`."""
    result = compile_sources([Source("job.jet", (HERE / "job.jet").read_text())])
    assert result.program is not None
    return "\n\n".join(found.create for found in emit(result.program) if not found.within)
