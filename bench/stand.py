"""A server to measure on, and what is read off it: time, processor time, write-ahead log."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from jetpackc.postgres import Server, find_binaries
from jetpackc.postgres.server import USER

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "synchronous_commit": "on",
    "max_connections": "200",
    "track_functions": "none",
    "log_line_prefix": "at %n ",
}
_TICK = os.sysconf("SC_CLK_TCK")
_IMAGES = re.compile(r"^Total\s+\d+\s+\d+ \[[^\]]*\]\s+(\d+)", re.MULTILINE)

Connection = psycopg.Connection[Any]


@dataclass
class Spent:
    """What something took: seconds by the clock and of the server's processors; bytes of log, and those of them that
    are images of whole pages (None: not known)."""

    seconds: float = 0.0
    server: float = 0.0
    wal: int = 0
    images: int | None = None


class Rig:
    """A fresh server, template databases in it, and copies of those."""

    def __init__(self, pg: int, bindir: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="jetpack-bench-"))
        self._folder.chmod(0o755)
        self._binaries = bindir or find_binaries(pg)
        self._server = Server(self._folder / "data", self._binaries, SETTINGS)
        self._server.start()
        self._admin = psycopg.connect(self._server.dsn(), autocommit=True)
        self._numbers = itertools.count()
        self._templates: set[str] = set()
        self._postmaster = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    @property
    def version(self) -> str:
        """`18.1`, say."""
        return str(self._one("show server_version")).split()[0]

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self._folder / "data" / "server.log"

    @contextmanager
    def database(self, template: str, setup: Callable[[str], None]) -> Iterator[str]:
        """The DSN of a database in which nothing has happened but `setup`, which makes the template when it is first
        asked for."""
        if template not in self._templates:
            self._admin.execute(f'drop database if exists "{template}"')  # of a setup that failed
            self._admin.execute(f'create database "{template}"')
            setup(self._url(template))
            self._templates.add(template)
        name = f"bench_{next(self._numbers)}"
        self._admin.execute(f'create database {name} template "{template}"')
        try:
            yield self._url(name)
        finally:
            self._admin.execute(f"drop database {name} with (force)")

    def _url(self, database: str) -> str:
        """A form that clients of every language read."""
        return f"postgresql:///{database}?host={self._server.socket}&port=5432&user={USER}"

    @contextmanager
    def measure(self) -> Iterator[Spent]:
        """Measure a block; the result is filled in at its end."""
        spent = Spent()
        wal, server, seconds = self._wal(), self.processors(), perf_counter()
        yield spent
        spent.seconds = perf_counter() - seconds
        spent.server = self.processors() - server
        end = self._wal()
        spent.wal = end - wal
        spent.images = self._images(wal, end)

    def checkpoint(self) -> None:
        """Have every measurement begin with nothing left to write."""
        self._admin.execute("checkpoint")

    def sample_statements(self, share: float) -> None:
        """Have the server write to its log how long so many of the statements take; 0: none."""
        self._admin.execute(f"alter system set log_statement_sample_rate = {share}")
        self._admin.execute(f"alter system set log_min_duration_sample = {0 if share else -1}")
        self._admin.execute("select pg_reload_conf()")

    def _wal(self) -> int:
        return int(self._one("select pg_current_wal_insert_lsn() - '0/0'"))

    def _images(self, start: int, end: int) -> int | None:
        """Bytes of page images in a stretch of the log."""
        self._admin.execute("select pg_logical_emit_message(true, 'bench', 'all before this is on disk')")
        at = [f"{place >> 32:X}/{place & 0xFFFFFFFF:X}" for place in (start, end)]
        data = self._folder / "data" / "pg_wal"
        dump = [str(self._binaries / "pg_waldump"), "--stats", f"--path={data}", f"--start={at[0]}", f"--end={at[1]}"]
        told = subprocess.run(dump, capture_output=True, text=True, check=False)
        found = _IMAGES.search(told.stdout)
        return int(found[1]) if found else None

    def processors(self) -> float:
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

    def _one(self, query: str) -> Any:
        found = self._admin.execute(query.encode()).fetchone()
        assert found is not None
        return found[0]

    def close(self) -> None:
        """Stop the server and remove it."""
        self._admin.close()
        self._server.stop("immediate")
        shutil.rmtree(self._folder)
