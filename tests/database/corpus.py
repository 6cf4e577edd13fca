"""Programs that the tests of emitted text read: those of this folder, the runtime's, and the examples."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from jetpackc.check import compile_sources
from jetpackc.ir import model as ir
from jetpackc.source import Source

TESTS = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_db_*.py"))


def texts() -> dict[str, str]:
    """Every program by a name for it."""
    found = {"shop": (TESTS / "shop.jet").read_text(encoding="utf-8")}
    for name in MODULES:
        if (text := getattr(import_module(name), "MACHINES", None)) is not None:
            found[name.removeprefix("test_db_")] = text
    for path in sorted((TESTS.parent / "examples").rglob("*.jet")):
        if path.name == "workflows.jet" or len(list(path.parent.glob("*.jet"))) == 1:
            found["/".join(path.relative_to(TESTS.parent).parts[1:])] = path.read_text(encoding="utf-8")
    return found


@cache
def program(text: str) -> ir.Program:
    """The program of a text that compiles."""
    found = compile_sources([Source("workflows.jet", text)]).program
    assert found is not None
    return found
