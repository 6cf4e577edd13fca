"""Reads and writes a project's migrations and lock. A shell: the only place of this room that touches files."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jetpackc.migrate.lock import Lock, LockError, loads

LOCK = "jet.lock"
MIGRATIONS = "migrations"
_NUMBERED = re.compile(r"(\d{4,})_[^/]*\.sql")


def read_lock(project: Path) -> Lock | None:
    """The project's lock; None before the first build. Raises LockError."""
    try:
        return loads((project / LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise LockError("it is not UTF-8") from None


def migration_files(folder: Path) -> list[Path]:
    """The migrations of a folder, by number."""
    found = [path for path in folder.glob("*.sql") if _NUMBERED.fullmatch(path.name)]
    return sorted(found, key=lambda path: (number(path), path.name))


def number(path: Path) -> int:
    """The number that a migration's name begins with."""
    return int(path.name.partition("_")[0])


def next_number(folder: Path) -> int:
    """The number for the next migration."""
    return max((number(path) for path in migration_files(folder)), default=0) + 1


def write_all(files: Mapping[Path, str]) -> None:
    """Write files, each whole or not at all, in order."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
