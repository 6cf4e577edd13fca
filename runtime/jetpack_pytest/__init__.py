"""The pytest plugin: fixtures for tests of a program with its real handlers, in virtual time.

It is found once `jetpack-runtime` or `jetpackc` is installed, and imports next to nothing until a test asks for it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jetpack_runtime.clones import Clones
    from jetpack_runtime.testing import Sandbox

_SANDBOX = pytest.StashKey["Sandbox"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--jetpack-dsn, and the settings of pytest.ini or pyproject.toml."""
    group = parser.getgroup("jetpack")
    group.addoption("--jetpack-dsn", help="server for the databases of tests [one of its own, through jetpackc]")
    parser.addini("jetpack_dsn", "server for the databases of tests", default="")
    parser.addini("jetpack_project", "folder of the .jet files, or of migrations/", default=".")
    parser.addini("jetpack_sql", "files of SQL that each database gets besides", type="paths", default=[])


@pytest.fixture(scope="session")
def jetpack_databases(request: pytest.FixtureRequest) -> Iterator[Clones]:
    """The project, installed once, to be cloned."""
    from jetpack_runtime.clones import Clones

    from jetpack_pytest.project import install_sql, server

    config = request.config
    sql = install_sql(config.rootpath / str(config.getini("jetpack_project")))
    more = [Path(path).read_text(encoding="utf-8") for path in config.getini("jetpack_sql")]
    dsn = config.getoption("--jetpack-dsn") or config.getini("jetpack_dsn")
    with ExitStack() as stack:
        place = dsn or stack.enter_context(server())

        def prepare(connection: object) -> None:
            for text in (sql, *more):
                connection.execute(text.encode())  # type: ignore[attr-defined]

        clones = Clones(place, prepare)
        stack.callback(clones.close)
        yield clones


@pytest.fixture
def jetpack_dsn(jetpack_databases: Clones) -> Iterator[str]:
    """The DSN of a database of this test's own, with the project and no tasks."""
    with jetpack_databases.fresh() as dsn:
        yield dsn


@pytest.fixture
def jetpack(request: pytest.FixtureRequest, jetpack_dsn: str) -> Iterator[Sandbox]:
    """A sandbox: `client`, `advance(timedelta)`, `run_until_idle()`, `stub(work, …)`."""
    from jetpack_runtime.testing import Sandbox

    with Sandbox(jetpack_dsn) as found:
        request.node.stash[_SANDBOX] = found
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a failure stands what happened to the tasks."""
    report = yield
    sandbox = item.stash.get(_SANDBOX, None)
    if sandbox is not None and call.when == "call" and report.failed:
        try:
            told = sandbox.story()
        except Exception as error:
            told = f"cannot be told: {error}"
        report.sections.append(("what happened to the tasks", told))
    return report
