"""What Jinja made of the templates is kept between runs, and never believed against them.

It would break where a template that changed came out as it was, or where a kept file that is no good stopped a build.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, nodes

from jetpackc.emit import render as rendering
from jetpackc.emit.compiled import Compiled

TEMPLATES = Path(__file__).parents[1] / "templates"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache" / "jetpackc"
    forget()


def forget() -> None:
    rendering._environment.cache_clear()
    rendering._template.cache_clear()


def made() -> str:
    forget()
    return rendering.render("jet", version=1)


def test_a_template_is_compiled_once(kept: Path) -> None:
    text = made()
    files = {path: path.stat().st_mtime_ns for path in kept.rglob("*.bin")}
    assert files
    assert made() == text
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("broken", [b"", b"\x80\x04broken", b"cut off"])
def test_what_is_kept_and_broken_is_compiled_anew(kept: Path, broken: bytes) -> None:
    text = made()
    for path in kept.rglob("*.bin"):
        path.write_bytes(path.read_bytes()[:-20] if broken == b"cut off" else broken)
    assert made() == text
    assert made() == text


def test_a_template_that_changed_is_compiled_anew(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    for text in ("one", "two"):
        (folder / "a").write_text(text)
        environment = Environment(loader=FileSystemLoader(folder), bytecode_cache=Compiled())
        assert environment.get_template("a").render() == text


def test_a_place_that_takes_no_templates_costs_only_time(kept: Path) -> None:
    kept.parent.mkdir()
    kept.write_text("a file where the folder should be")
    assert made() == made()


def test_no_template_passes_a_constant_through_a_filter() -> None:
    """It would be compiled in, and a filter that changed would not be asked again."""
    environment = Environment(line_statement_prefix="--%", autoescape=False)
    for path in sorted(TEMPLATES.rglob("*.jinja")):
        tree = environment.parse(path.read_text(encoding="utf-8"))
        assert not [found for found in tree.find_all(nodes.Filter) if isinstance(found.node, nodes.Const)], path
