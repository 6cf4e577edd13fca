"""Ten mistakes, as we and others tell of them: what the page shows of ours is what is printed, and its fixes compile.

What the others say is captured by docs/beside/capture.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jetpackc.check import compile_sources
from jetpackc.check.mend import edited
from jetpackc.diagnostics import Diagnostic, has_errors
from jetpackc.diagnostics.render import FORMATS
from jetpackc.source import Source

DOCS = Path(__file__).parents[1] / "docs"
FOLDERS = sorted(path.parent for path in (DOCS / "beside").glob("*/workflows.jet"))
OTHERS = {"main.rs": ("Rust", "rust"), "schema.prisma": ("Prisma", "prisma"), "machine.ts": ("XState", "ts")}
CAPTURED = {"main.rs": "rustc.txt", "schema.prisma": "prisma.txt", "machine.ts": "xstate.txt"}
WITHOUT_FIX = {"duplicate_name", "unreachable"}
"""Two states of one name, and one that nothing leads to: what is meant stands nowhere."""


def source(folder: Path) -> Source:
    return Source("workflows.jet", (folder / "workflows.jet").read_text(encoding="utf-8"))


def check(one: Source) -> tuple[Diagnostic, ...]:
    return compile_sources([one]).diagnostics


def ours(folder: Path) -> str:
    one = source(folder)
    return FORMATS["text"](check(one), {one.path: one})


def block(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def shown(folder: Path) -> str:
    """All that the page shows of a mistake: each tool's program, and what it says of it."""
    parts = [f"**jetpackc**\n\n{block('text', source(folder).text)}\n{block('text', ours(folder))}"]
    for name, (tool, _) in OTHERS.items():
        if (folder / name).exists():
            said = (folder / CAPTURED[name]).read_text(encoding="utf-8")
            told = block("text", said) if said.strip() else "Says nothing.\n"
            program = block("text", (folder / name).read_text(encoding="utf-8"))
            parts.append(f"**{tool}**\n\n{program}\n{told}")
    return "\n".join(parts)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_page_shows_what_is_said(folder: Path, request: pytest.FixtureRequest) -> None:
    page = DOCS / "diagnostics.md"
    marks = rf"(<!-- {folder.name} -->\n)(.*?)(<!-- end -->)"
    if request.config.getoption("--update-cases"):
        text = page.read_text(encoding="utf-8")
        page.write_text(
            re.sub(marks, lambda found: found[1] + shown(folder) + found[3], text, flags=re.DOTALL), encoding="utf-8"
        )
    (found,) = re.findall(marks, page.read_text(encoding="utf-8"), re.DOTALL)
    assert found[1] == shown(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_first_finding_is_the_cause_and_its_fix_compiles(folder: Path) -> None:
    one = source(folder)
    first = check(one)[0]
    assert bool(first.fixes) == (folder.name not in WITHOUT_FIX)
    if first.fixes:
        assert not has_errors(check(edited(one, first.fixes[:1])))


def test_there_are_ten() -> None:
    assert len(FOLDERS) == 10
    assert all((folder / name).exists() for folder in FOLDERS for name in ["main.rs"])
