"""What the documents show is true: programs compile clean, and links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from jetpackc.check import compile_sources
from jetpackc.diagnostics.render import FORMATS
from jetpackc.source import Source
from jetpackc.syntax import format_source
from jetpackc.syntax.ebnf import ebnf

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "decisions").glob("*.md"))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced texts of one language, in order."""
    return [text for found, text in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


PROGRAMS = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(blocks(page, "jet"), start=1)
]


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_program_in_a_document_compiles_clean(text: str) -> None:
    source = Source("workflows.jet", text)
    found = compile_sources([source]).diagnostics
    assert FORMATS["text"](found, {source.path: source}) == ""


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_program_in_a_document_is_laid_out(text: str) -> None:
    laid_out, _ = format_source(Source("workflows.jet", text))
    assert laid_out == text


def test_the_grammar_page_shows_the_grammar(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "grammar.md"
    text = page.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```ebnf\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = ebnf((ROOT / "grammar" / "jet.lark").read_text(encoding="utf-8"))
    if request.config.getoption("--update-cases"):
        page.write_text(text.replace(f"```ebnf\n{shown}```", f"```ebnf\n{made}```"), encoding="utf-8")
        shown = made
    assert shown == made, "pytest --update-cases writes it anew"


def test_every_symbol_of_the_grammar_page_is_explained_there() -> None:
    rules = dict(
        line.split(" ::= ", 1)
        for line in ebnf((ROOT / "grammar" / "jet.lark").read_text()).replace("\n  ", " ").splitlines()
    )
    names = {name.strip() for name in rules}
    bodies = " ".join(re.sub(r'"[^"]*"|\'[^\']*\'|\[[^\]]*\]|/\*.*?\*/', " ", body) for body in rules.values())
    assert set(re.findall(r"[A-Za-z_]+", bodies)) | {"start"} == names


def test_the_language_page_and_the_readme_show_programs() -> None:
    assert len(blocks(ROOT / "docs" / "language.md", "jet")) >= 10
    assert blocks(ROOT / "README.md", "jet")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_sql_of_the_database_page_runs_as_it_stands(fresh: Callable[[str], str]) -> None:
    page = ROOT / "docs" / "database.md"
    machine, timed = blocks(page, "jet")
    calls, timers, grants = blocks(page, "sql")
    with psycopg.connect(fresh(timed), autocommit=True) as connection:
        rows = [connection.execute(one.encode()) for one in re.split(r";.*\n", timers) if one]
        assert (rows[0].fetchall(), rows[2].fetchall()) == ([(1,)], [(1,)])
        _, fired = rows[3].fetchall()
        assert (fired[:2], fired[4], 3600 < fired[3] < 3700) == ((2, "after patience"), "expired", True)
    with psycopg.connect(fresh(machine), autocommit=True) as connection:
        answers = [connection.execute(one.encode()).fetchall() for one in re.split(r";.*\n", calls) if one]
        assert answers[:4] == [[(1,)], [(1,)], [(3,)], [(2,)]]
        assert answers[4:7] == [
            [(True, "charging.ready", None)],
            [(False, "charging.ready", "state charging.ready does not take PAID")],
            [(True, "cancelled", None)],
        ]
        assert connection.execute("select count(*) from shop.checkout_history where id = 1").fetchone() == (3,)
        with connection.transaction(force_rollback=True):
            connection.execute(grants.encode())
            connection.execute("set role shop_app")
            connection.execute(calls.replace("4711", "1").replace("4712", "2").encode())
