"""Whom a server runs as. Postgres refuses to run as root: there, only the server becomes another user."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from jetpackc.postgres.errors import PostgresError
from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine. `switch`: this process is root and must become it to start a server."""

    uid: int
    gid: int
    switch: bool

    @property
    def popen(self) -> dict[str, Any]:
        """What makes a subprocess run as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def own(self, path: Path) -> None:
        """Give a file or folder to the user."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Whether the user can walk to `path`: root's home, for one, is closed to others."""
        if not self.switch:
            return True
        return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def account() -> Account:
    """This user, or `postgres` or `nobody` when it is root. Raises PostgresError when there is neither."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid, switch=True)
    raise PostgresError(
        "Postgres does not run as root, and there is neither a user `postgres` nor `nobody` to run it as",
        "run as another user, or set DATABASE_URL to a running server",
    )


def private_folder(who: Account, path: Path) -> Path:
    """A folder that only `who` can enter. Raises PostgresError if somebody else's stands there."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), who.uid):
        raise PostgresError(f"{path} belongs to somebody else", "remove it, or set DATABASE_URL to a running server")
    path.chmod(0o700)
    who.own(path)
    return path


def short_name(path: Path) -> str:
    """A name for a path that fits into a socket's, which is at most 107 bytes long."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]


def reachable_binaries(who: Account, folder: Path) -> Path:
    """The server's programs where `who` can run them: a copy, if they lie behind a closed door."""
    if who.reaches(folder):
        return folder
    root = folder.parent
    copy = Path(tempfile.gettempdir()) / f"jetpackc-programs-{short_name(root)}-{int(root.stat().st_mtime)}"
    if not copy.exists():
        partial = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(root, partial / "install", symlinks=True)
        partial.chmod(0o755)
        partial.replace(copy)
    if copy.lstat().st_uid != os.geteuid():
        raise PostgresError(f"{copy} belongs to somebody else", "remove it, or set DATABASE_URL to a running server")
    return copy / "install" / folder.name
