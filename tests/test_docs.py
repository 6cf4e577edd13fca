"""What the documents show is true: programs compile clean, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jetpackc.check import compile_sources
from jetpackc.diagnostics.render import FORMATS
from jetpackc.source import Source

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


def test_the_language_page_and_the_readme_show_programs() -> None:
    assert len(blocks(ROOT / "docs" / "language.md", "jet")) >= 10
    assert blocks(ROOT / "README.md", "jet")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
