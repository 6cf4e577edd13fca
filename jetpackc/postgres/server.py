"""A Postgres server of our own: made, started and stopped here, reached through a private socket."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import psycopg

from jetpackc.postgres.account import Account, account, private_folder, reachable_binaries, short_name
from jetpackc.postgres.binaries import major_version
from jetpackc.postgres.errors import PostgresError

Mode = Literal["smart", "fast", "immediate"]
USER = "postgres"
START_SECONDS = 60.0

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_PR_SET_PDEATHSIG = 1


class Server:
    """A server over `data`, which is made when it is not there. `settings` are those of postgresql.conf."""

    def __init__(self, data: Path, binaries: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data.absolute()  # the server runs in another folder
        self.settings = dict(settings or {})
        self._who: Account = account()
        self.binaries = reachable_binaries(self._who, binaries)
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = Path(tempfile.gettempdir()) / f"jetpackc-{short_name(data)}"

    @property
    def is_ours(self) -> bool:
        """Whether this object started the server, and so is to stop it."""
        return self._process is not None

    def dsn(self, database: str = "postgres") -> str:
        """How to connect."""
        return f"host={self.socket} port=5432 user={USER} dbname={database}"

    def start(self) -> None:
        """Make the data folder if needed, start the server, wait until it answers. Raises PostgresError."""
        private_folder(self._who, self.socket)
        _await_former(self.data / "postmaster.pid")
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        options = {"listen_addresses": "", "unix_socket_directories": str(self.socket), "port": "5432", **self.settings}
        arguments = [item for name, value in options.items() for item in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us; the server is stopped in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock
                **self._who.popen,
            )
        self._await_start(self._process)

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server that `start` started, and wait for it."""
        if self._process is None:
            return
        self._process.send_signal(_SIGNALS[mode])
        self._process.wait()
        self._process = None
        with suppress(OSError):
            self.socket.rmdir()

    def restart(self, mode: Mode = "fast") -> None:
        """Stop and start."""
        self.stop(mode)
        self.start()

    def answers(self) -> bool:
        """Whether a server over this data takes connections, whoever started it."""
        try:
            psycopg.connect(self.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _log(self) -> Path:
        return self.data / "server.log"

    def _initialise(self) -> None:
        """Make a new cluster, whole or not at all."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        fresh = private_folder(self._who, self.data.with_name(f"{self.data.name}.new"))
        for leftover in fresh.iterdir():  # of an attempt that was cut off
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8"]
        if (major_version(self.binaries) or 0) < 17:
            locale = ["--locale=C.UTF-8"]
        command = [
            str(self.binaries / "initdb"),
            "-D",
            str(fresh),
            "-U",
            USER,
            "-E",
            "UTF8",
            "--auth=trust",
            "--no-sync",
        ]
        how: dict[str, Any] = {"capture_output": True, "text": True, "cwd": "/", **self._who.popen}
        done = subprocess.run([*command, *locale], check=False, **how)
        if done.returncode:
            raise PostgresError(f"a new database could not be made in {self.data}: {done.stderr.strip()}")
        fresh.replace(self.data)

    def _await_start(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self.answers():
                return
            time.sleep(0.02)  # a server tells nobody that it is ready: ask
        self.stop("immediate")
        tail = self._log.read_text(errors="replace").strip().splitlines()[-5:]
        raise PostgresError(f"the database in {self.data} did not start: {' | '.join(tail)}", f"see {self._log}")


def _await_former(pid_file: Path) -> None:
    """Wait for a server that is still shutting down; forget one that is gone and whose number another program has."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            pid = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        if not _is_postgres(pid):
            pid_file.unlink(missing_ok=True)
            return
        time.sleep(0.05)  # another's process: nothing tells its parent's parent that it ended


def _is_postgres(pid: int) -> bool:
    if not Path("/proc/self").exists():  # not Linux
        told = subprocess.run(["/bin/ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return "postgres" in told.stdout
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False


def _die_with_parent() -> None:
    """In the new process: be stopped when the parent dies, even by SIGKILL. Linux only; elsewhere it stays behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
