"""Options and fixtures that test files share: a real server, a fresh database a test, programs installed in it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from installing import compile_to_sql, install
from told import Cli, Told

from jetpackc.cli.run import run
from jetpackc.postgres import Server, find_binaries

# What tests start by `python -m` is the package that is installed, not the folder of that name in the checkout.
os.environ["PYTHONSAFEPATH"] = "1"
# A shell that runs the tests in the background has them, and what they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-cases", action="store_true", help="rewrite the expectations of tests/cases")
    parser.addoption("--mutants", action="store_true", help="run only the tests of mutants.toml, each on its mutant")
    parser.addoption(
        "--pg", default=os.environ.get("JETPACK_TEST_PG", "18"), help="major version of the server to test on (18)"
    )
    parser.addoption(
        "--only-database", action="store_true", help="run only what depends on `--pg`: tests that take the fixture `pg`"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--mutants"):
        config.pluginmanager.import_plugin("sabotage")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes `pg`, itself or through other fixtures, is a test of the database; all others know no version."""
    if config.getoption("--only-database"):
        chosen = [item for item in items if "pg" in item.fixturenames]  # type: ignore[attr-defined]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


@pytest.fixture(scope="session")
def pg(request: pytest.FixtureRequest) -> int:
    """The major version of the server to test on. It is asked for here alone, which a test sees to: so a test without
    this fixture does the same whatever the version is."""
    return int(request.config.getoption("--pg"))


@pytest.fixture(scope="session")
def postgres(pg: int) -> Iterator[Server]:
    """A running server, one a test process."""
    folder = Path(tempfile.mkdtemp(prefix="jetpack-tests-"))
    folder.chmod(0o755)
    server = Server(folder / "data", find_binaries(pg), SETTINGS)
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)


class Databases:
    """Fresh databases of one server. Programs are compiled once, into templates that are cloned."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._admin = psycopg.connect(server.dsn(), autocommit=True)
        self._templates: dict[str, str] = {}
        self._numbers = itertools.count()
        self.change: Callable[[str], str] = str
        """What is done to the SQL of a program before it is installed: nothing, save where a mutant is tried."""

    def new(self, text: str = "") -> str:
        """The DSN of a database in which the program is installed."""
        name = f"test_{next(self._numbers)}"
        self._admin.execute(f"create database {name} template {self._template(text) if text else 'template0'}")
        return self._server.dsn(name)

    def drop(self, dsn: str) -> None:
        self._admin.execute(f"drop database {dsn.rpartition('dbname=')[2]} with (force)")

    def _template(self, text: str) -> str:
        sql = self.change(compile_to_sql(text))
        if sql not in self._templates:
            name = f"template_{next(self._numbers)}"
            self._admin.execute(f"create database {name}")
            install(self._server.dsn(name), sql)
            self._templates[sql] = name
        return self._templates[sql]

    def close(self) -> None:
        self._admin.close()


@pytest.fixture(scope="session")
def databases(postgres: Server) -> Iterator[Databases]:
    found = Databases(postgres)
    yield found
    found.close()


@pytest.fixture
def fresh(databases: Databases) -> Iterator[Callable[[str], str]]:
    """Makes a database with a program's machines; gives its DSN."""
    made: list[str] = []

    def make(text: str = "") -> str:
        made.append(databases.new(text))
        return made[-1]

    yield make
    for dsn in made:
        databases.drop(dsn)


@pytest.fixture
def database(fresh: Callable[[str], str]) -> str:
    """The DSN of an empty database."""
    return fresh("")


@pytest.fixture
def shop(fresh: Callable[[str], str]) -> str:
    """The DSN of a database with the machines that the tests of the runtime work on."""
    return fresh((Path(__file__).parent / "shop.jet").read_text())


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Runs a command in a folder of its own, where no DATABASE_URL is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)

    def call(*arguments: str) -> Told:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Told(code, out, err)

    yield call
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "handlers":  # of this test's project
            del sys.modules[name]
