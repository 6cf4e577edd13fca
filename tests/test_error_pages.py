"""Every diagnostic has a page, and what the page shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jetpackc.check import compile_sources
from jetpackc.diagnostics import Diagnostic
from jetpackc.diagnostics.explain import UnknownCodeError, page
from jetpackc.diagnostics.registry import RULES
from jetpackc.diagnostics.render import FORMATS
from jetpackc.source import Source

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "errors"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(code: str) -> tuple[list[str], list[str]]:
    """The `jet` examples of a page before and behind its `## Fix`."""
    failing, mended = page(code).split("\n## Fix\n")
    found = [[text for language, text in FENCE.findall(part) if language == "jet"] for part in (failing, mended)]
    return found[0], found[1]


def compiled(text: str) -> tuple[Diagnostic, ...]:
    return compile_sources([Source("workflows.jet", text)]).diagnostics


def rendered(text: str) -> str:
    source = Source("workflows.jet", text)
    return FORMATS["text"](compiled(text), {source.path: source})


CODES = sorted(path.stem for path in PAGES.glob("J*.md"))


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert sorted(RULES) == CODES


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_form_of_all_pages(code: str) -> None:
    lines = page(code).splitlines()
    assert lines[0] == f"# {code} {RULES[code].name}"
    assert [line for line in lines if line.startswith("#") and " " in line][1:2] == ["## Fix"]
    assert page(code).count("\n## Fix\n") == 1
    before, behind = page(code).split("\n## Fix\n")
    assert len(before.split("```")[0].split()) > 10, "it says why"
    assert {language for language, _ in FENCE.findall(before)} <= {"jet", "console", "sql"}
    assert len(FENCE.findall(before)) == 1
    assert FENCE.findall(behind)


@pytest.mark.parametrize("code", [code for code in CODES if examples(code)[0]])
def test_the_failing_example_gives_its_code_and_no_other_error(code: str) -> None:
    (failing,) = examples(code)[0]
    found = compiled(failing)
    assert code in {diagnostic.rule.code for diagnostic in found}, rendered(failing)
    assert {diagnostic.rule.code for diagnostic in found if diagnostic.is_error} <= {code}, rendered(failing)


@pytest.mark.parametrize("code", [code for code in CODES if examples(code)[1]])
def test_the_mended_example_is_clean(code: str) -> None:
    for mended in examples(code)[1]:
        assert rendered(mended) == ""


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_rule_is_raised_somewhere(code: str) -> None:
    constant = RULES[code].name.upper().replace("-", "_")
    files = [path for path in (ROOT / "jetpackc").rglob("*.py") if path.parent.name != "rules"]
    assert any(re.search(rf"\b{constant}\b", path.read_text(encoding="utf-8")) for path in files)


def test_a_page_is_found_by_code_and_by_name_in_any_case() -> None:
    assert page("J101") == page("j101") == page("unknown-state") == page("Unknown-State")


def test_an_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UnknownCodeError, match="`unknown-stat`, did you mean `unknown-state`"):
        page("unknown-stat")
    with pytest.raises(UnknownCodeError, match=r"no diagnostic has the code `\.\./secret`$"):
        page("../secret")
