"""The handle on the worker's process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path


class WorkerProcess:
    """A worker in a process of its own, in the project's folder. `tell` is given each line that it prints, in a thread
    of its own."""

    def __init__(
        self, folder: Path, dsn: str, machines: Sequence[str], tell: Callable[[str], None], *, until_idle: bool
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-m", "jetpackc.dev.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us; the worker is stopped in order
        )
        self._reader = threading.Thread(target=self._read, args=(tell,), daemon=True)
        self._reader.start()
        orders = {"dsn": dsn, "machines": list(machines), "until_idle": until_idle}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()

    def ended(self) -> int | None:
        """The exit code; None while it works."""
        code = self._process.poll()
        if code is not None:
            self._reader.join()
        return code

    def stop(self) -> int:
        """Let it finish within its grace time; the exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait()
        self._reader.join()
        return code

    def _read(self, tell: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                tell(line.rstrip("\n"))
