"""Runs `jetpackc viz` for tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def viz(folder: Path, *options: str) -> Iterator[int]:
    """A running viz of the project in a folder; gives its port, and ends it by Ctrl-C."""
    command = [sys.executable, "-m", "jetpackc", "viz", "--port", "0", *options]
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    with subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            told = process.stderr.readline()
            found = re.search(r":(\d+) \(Ctrl-C ends\)", told)
            assert found, told + process.stderr.read()
            yield int(found[1])
        finally:
            process.send_signal(signal.SIGINT)
        assert (process.wait(10), process.stderr.read()) == (0, "")
