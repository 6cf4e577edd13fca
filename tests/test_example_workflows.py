"""The workflows of the examples, worked to their end on a real database."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from jetpack_runtime import Client, Worker
from shop import within
from told import Cli

from jetpackc.postgres import Server

FOLDER = Path(__file__).parent.parent / "examples" / "workflows"
Fresh = Callable[[str], str]


@pytest.fixture
def program(fresh: Fresh) -> Callable[[str], str]:
    """Makes a database with the machines of one of the files; gives its DSN."""
    return lambda name: fresh((FOLDER / f"{name}.jet").read_text())


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports the handlers, which begin anew in each test."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    yield importlib.import_module
    for file in FOLDER.glob("*.py"):
        sys.modules.pop(file.stem, None)


def work(dsn: str) -> None:
    within(Worker(dsn).run(until_idle="now"))


def states(dsn: str, table: str) -> dict[str, int]:
    with psycopg.connect(dsn) as db:
        return dict(db.execute(f"select state, count(*)::integer from {table} group by 1".encode()).fetchall())


@pytest.mark.parametrize(("broken", "text", "links"), [(set(), "success", 7), ({4}, "failure", 4)])
def test_a_chain_reports_once_how_it_went(
    program: Fresh, handlers: Callable[[str], ModuleType], broken: set[int], text: str, links: int
) -> None:
    found = handlers("links")
    found.BROKEN |= broken
    dsn = program("chain")
    with Client(dsn) as client:
        ids = [client.create("chain.chain", {"length": 7}) for _ in range(3)]
        work(dsn)
        assert sorted(found.REPORTS) == [(id, text) for id in ids]
        assert [client.get(id).is_failure for id in ids] == [text == "failure"] * 3
    assert sum(states(dsn, "chain.link").values()) == 3 * links


def test_the_chain_by_hand_ends_alike(program: Fresh, handlers: Callable[[str], ModuleType]) -> None:
    found = handlers("links")
    dsn = program("verbose")
    with Client(dsn) as client:
        good = client.create("verbose.chain", {"length": 5})
        client.send(good, "START")
        work(dsn)
        found.BROKEN.add(2)
        bad = client.create("verbose.chain", {"length": 5})
        client.send(bad, "START")
        with psycopg.connect(dsn, autocommit=True) as db:
            for _ in range(3):
                work(dsn)
                db.execute("update jet.clock set shift = shift + interval '1 h'")
    assert [(good, "success"), (bad, "failure of link 2")] == found.REPORTS


@pytest.mark.parametrize(("width", "nodes"), [(1, 10), (2, 31)])
def test_a_nest_is_done_from_the_bottom_up(
    program: Fresh, handlers: Callable[[str], ModuleType], width: int, nodes: int
) -> None:
    handlers("links")
    dsn = program("nested")
    with Client(dsn) as client:
        id = client.create("nested.node", {"levels": 10 if width == 1 else 5, "width": width})
        work(dsn)
        assert client.get(id).vars["below"] == nodes - 1
    assert states(dsn, "nested.node") == {"done": nodes}
    with psycopg.connect(dsn) as db:
        early = """select count(*) from nested.node parent join nested.node child on child.parent = parent.id
          where child.entered_at > parent.entered_at"""
        assert db.execute(early.encode()).fetchone() == (0,)


def test_a_trip_that_fails_is_undone_in_reverse_order(program: Fresh, handlers: Callable[[str], ModuleType]) -> None:
    found = handlers("bookings")
    dsn = program("saga")
    with Client(dsn) as client:
        failing, whole = client.create("saga.trip", {"to": "Oslo"}), client.create("saga.trip", {"to": "Rome"})
        work(dsn)
        assert client.get(failing).is_failure
        assert client.get(whole).state == "done"
    assert [what for what in found.DONE if "Oslo" in what] == [
        "flight to Oslo",
        "hotel in Oslo",
        "no hotel in Oslo",
        "no flight to Oslo",
    ]
    assert states(dsn, "saga.booking") == {"done": 3, "undone": 2, "abandoned": 1}


def test_each_file_is_told_of() -> None:
    text = (FOLDER / "README.md").read_text()
    assert all(f"[{file.name}]({file.name})" in text for file in FOLDER.glob("*.jet"))


def test_the_stories_of_the_saga_hold(cli: Cli, postgres: Server) -> None:
    told = cli("test", FOLDER / "saga_test.jet", "--dsn", postgres.dsn())
    assert (told.code, told.out.splitlines()[-1]) == (0, "2 passed"), told.out
