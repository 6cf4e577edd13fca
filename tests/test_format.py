"""Laying text out: nothing but space changes, and a second time nothing."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import trees
from hypothesis import HealthCheck, given, settings, strategies as st

from jetpackc.source import Source
from jetpackc.syntax import ast, format_source, parse, print_file, without_spans
from jetpackc.syntax.format.tokens import scan

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("grammar", "examples", "bench", "tests") for path in (ROOT / folder).rglob("*.jet"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```jet\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

CORPUS = [
    *(pytest.param(path.read_bytes().decode(), id=path.relative_to(ROOT).as_posix()) for path in FILES),
    *(
        pytest.param(found[1], id=f"{page.relative_to(ROOT).as_posix()}-{number}")
        for page in PAGES
        for number, found in enumerate(FENCE.finditer(page.read_text(encoding="utf-8")), start=1)
    ),
]


def laid_out(text: str) -> str:
    found, diagnostics = format_source(Source("a.jet", text))
    assert diagnostics == ()
    assert found is not None
    return found


def comments(text: str) -> list[str]:
    """All comments of a text, in order."""
    found = scan(text)
    return [one for gap in found.gaps for one in (gap.trailing, *(own for _, own in gap.own)) if one is not None]


def tokens(text: str) -> list[str]:
    """All tokens of a text but commas behind the last element of a list."""
    found = [token.text for token in scan(text).tokens] + [""]
    return [one for one, following in pairwise(found) if one != "," or following not in ")]}"]


def compared(file: ast.File) -> ast.File:
    """What must be equal of two trees."""
    return without_spans(file)


def holds(text: str) -> None:
    """What is promised of every text that parses."""
    once = laid_out(text)
    assert tokens(once) == tokens(text)
    assert comments(once) == comments(text)
    before, after = parse(Source("a.jet", text)), parse(Source("a.jet", once))
    assert compared(after[0]) == compared(before[0]), once
    assert [found.message for found in after[1]] == [found.message for found in before[1]]
    assert laid_out(once) == once
    assert not re.search(r"[ \t]$", once, re.MULTILINE)


@pytest.mark.parametrize("text", CORPUS)
def test_a_text_of_the_corpus_keeps_what_it_says(text: str) -> None:
    if format_source(Source("a.jet", text))[0] is not None:
        holds(text)
    else:
        assert parse(Source("a.jet", text))[1], "what parses is laid out"


spaces = st.sampled_from(
    ["", "", " ", "  ", "\n", "\n\n\n", "\t", "\r\n", "\u3000", "\n// c\n", " // t\n", " /// d\n", "\n/// d\n"]
)


@SLOW
@given(trees.files, st.data())
def test_random_programs_with_comments_anywhere_keep_what_they_say(file: ast.File, data: st.DataObject) -> None:
    """A comment or a break wherever the text still parses with it."""
    text = print_file(file)
    places = [token.end for token in scan(text).tokens] or [0]
    for place in sorted(data.draw(st.lists(st.sampled_from(places), max_size=8)), reverse=True):
        added = data.draw(spaces)
        changed = text[:place] + added + text[place:]
        if parse(Source("a.jet", changed))[1] == ():
            text = changed
    holds(text)
