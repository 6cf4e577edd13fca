"""What the pytest plugin of the runtime takes from here, where jetpackc is installed: a program's SQL, and a server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jetpackc.cli.errors import Usage
from jetpackc.cli.project import compile_files, find
from jetpackc.diagnostics.render import FORMATS
from jetpackc.postgres import Server, find_binaries
from jetpackc.testing.database import script

_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class ProjectError(Exception):
    """There is no program, or it does not compile. The message says all."""


def project_sql(folder: Path) -> str:
    """All SQL of the program in a folder. Raises ProjectError."""
    try:
        compiled = compile_files(find((), folder), folder)
    except Usage as error:
        raise ProjectError(f"{error.message}; {error.help}") from None
    if compiled.program is None:
        raise ProjectError("\n" + FORMATS["text"](compiled.diagnostics, compiled.sources))
    return script(compiled.program)


@contextmanager
def server() -> Iterator[str]:
    """A server of its own, for as long as this context lasts: its DSN. Raises PostgresError."""
    folder = Path(tempfile.mkdtemp(prefix="jetpack-pytest-"))
    folder.chmod(0o755)  # the server may run as another user
    found = Server(folder / "data", find_binaries(), _SETTINGS)
    try:
        found.start()
        yield found.dsn()
    finally:
        found.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
