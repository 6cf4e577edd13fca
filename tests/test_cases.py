"""The golden cases: each folder of tests/cases is a program and what the compiler makes of it. See its README."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jetpackc.check import Result, compile_sources
from jetpackc.diagnostics.render import FORMATS
from jetpackc.ir import canonical
from jetpackc.source import Source

CASES = Path(__file__).parent / "cases"
FOLDERS = sorted(path for path in CASES.iterdir() if path.is_dir())


def diagnostics(sources: Sequence[Source], result: Result) -> str:
    return FORMATS["text"](result.diagnostics, {source.path: source for source in sources})


def ir(sources: Sequence[Source], result: Result) -> str:
    assert result.program is not None, diagnostics(sources, result)
    return canonical.dumps(result.program)


OUTPUTS: dict[str, Callable[[Sequence[Source], Result], str]] = {
    "expect.txt": diagnostics,
    "expect.ir.json": ir,
}
"""What a case may hold beside its input, and how it is made. `expect.txt` is always compared, the others if there."""


def sources_of(folder: Path) -> list[Source]:
    """The case's sources, by their path inside `input/`, or its one `workflows.jet`."""
    single = folder / "workflows.jet"
    root = folder if single.exists() else folder / "input"
    files = [single] if single.exists() else sorted(root.rglob("*.jet"))
    return [Source(path.relative_to(root).as_posix(), path.read_bytes().decode()) for path in files]


def rewrite(path: Path, text: str) -> None:
    """Keep what the compiler says now; saying nothing is no file."""
    if text:
        path.write_text(text, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_a_case_comes_out_as_expected(folder: Path, request: pytest.FixtureRequest) -> None:
    sources = sources_of(folder)
    assert sources, "a case has a `workflows.jet` or an `input/` folder"
    result = compile_sources(sources)
    names = {"expect.txt", *(path.name for path in folder.glob("expect.*"))}
    for name in sorted(names):
        found = OUTPUTS[name](sources, result)
        if request.config.getoption("--update-cases"):
            rewrite(folder / name, found)
        expected = (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else ""
        assert found == expected
