"""What is in the wheel: an editable install finds packages that the wheel would lack."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_of_the_compiler_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    moved = {name for name in project["package-dir"] if name.startswith("jetpackc.")}
    there = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "jetpackc").rglob("*.py") if path.is_file()
    }
    assert {name for name in project["packages"] if name.startswith("jetpackc")} == there | moved
