"""A PgBouncer in transaction mode before a server: no session of it is anybody's, and no notification comes through."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psycopg

from jetpackc.postgres import Server

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = """\
[databases]
* = host={host} port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
logfile = {folder}/log
"""


class Pooler:
    """A running PgBouncer."""

    def __init__(self, server: Server, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._owner = server.data.owner()
        self._file = folder / "pgbouncer.ini"
        self._file.write_text(CONFIGURATION.format(host=server.socket, port=self.port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, dsn: str) -> str:
        """How to reach a database of that server through here."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={dsn.rpartition('dbname=')[2]}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        assert PROGRAM is not None
        user = self._owner if os.geteuid() == 0 else None  # it refuses to be root
        self._process = subprocess.Popen([PROGRAM, "-q", self._file], user=user, stderr=subprocess.DEVNULL)
        deadline = monotonic() + 30
        while True:
            try:
                return psycopg.connect(self.dsn("dbname=postgres")).close()
            except psycopg.OperationalError:
                assert monotonic() < deadline, "pgbouncer does not answer"
                sleep(0.02)  # it tells nobody that it is ready

    def stop(self) -> None:
        """Kill it, with all that goes through it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def pooler(server: Server, folder: Path) -> Iterator[Pooler]:
    """A PgBouncer before a server, with its files in a folder that it may write to."""
    folder.mkdir()
    shutil.chown(folder, server.data.owner(), server.data.group())
    found = Pooler(server, folder)
    found.start()
    try:
        yield found
    finally:
        found.stop()
