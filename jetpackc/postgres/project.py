"""A project's own database, under its `.jetpack/` folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from jetpackc.postgres.account import account, short_name
from jetpackc.postgres.binaries import find_binaries
from jetpackc.postgres.server import Server

FOLDER = ".jetpack"
DATABASE = "jetpack"
# A development database: what a crash of the machine loses is made again in a second.
_SETTINGS = {"fsync": "off", "max_connections": "50", "shared_buffers": "64MB"}


@contextmanager
def project_database(project: Path) -> Iterator[str]:
    """The DSN of the project's database: of the server that runs, or of one that runs as long as this context.

    Raises PostgresError.
    """
    folder = project / FOLDER
    folder.mkdir(exist_ok=True)
    server = Server(_data(folder), find_binaries(), _SETTINGS)
    with _locked(folder / "lock"):
        if not server.answers():
            _forget_former(folder, server.data)
            server.start()
        _ensure_database(server)
    try:
        yield server.dsn(DATABASE)
    finally:
        if server.is_ours:
            server.stop()


def has_database(project: Path) -> bool:
    """Whether the project has had a database of its own."""
    folder = project / FOLDER
    return folder.is_dir() and (folder / "postgres").exists()


def _data(folder: Path) -> Path:
    """Inside the project, unless the server's user cannot get there."""
    inside = folder / "postgres"
    if account().reaches(inside):
        return inside
    base = Path("/var/lib") if os.access("/var/lib", os.W_OK) else Path(tempfile.gettempdir())
    return base / "jetpackc" / short_name(folder)


def _forget_former(folder: Path, data: Path) -> None:
    """Data outside the project has a file inside that points to it. Without that, it is of a `.jetpack` that was
    removed, and goes as well."""
    pointer = folder / "postgres"
    if data.resolve() == pointer.resolve() or pointer.exists():
        return
    if data.exists():
        shutil.rmtree(data)
    pointer.write_text(f"{data}\n")


def _ensure_database(server: Server) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
            connection.execute(f"create database {DATABASE}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time starts the server."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
