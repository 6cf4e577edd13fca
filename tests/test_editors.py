"""The files for editors: the VS Code extension packs to what VS Code takes, and its snippets are programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from jetpackc.check import compile_sources
from jetpackc.source import Source

ROOT = Path(__file__).parents[1]
EDITORS = ROOT / "editors"
VSCODE = EDITORS / "vscode"
SCHEMA = "{http://schemas.microsoft.com/developer/vsx-schema/2011}"
PLACE = re.compile(r"\$\{\d+:([^}]*)\}|\$\d+")
FRAMES = {
    "Module": "{}machine m {{ initial state a {{ on GO -> b }} final state b }}",
    "State": "machine m {{ initial state other {{ on GO -> name }} {} }}",
    "Step": "machine m {{ initial state a {{ on GO -> charging }} {} final state done failure state refused }}",
    "Transition": "machine m(guard: bool) {{ initial state a {{ {} }} final state target }}",
    "Event": "{}\nmachine m {{ initial state a {{ on PAID -> b }} final state b }}",
    "Template": "{}\nmachine m is review(limit: 1)",
    "Test": "{}\nmachine order {{ initial state a {{ on PAID -> done }} final state done }}",
    "Operator": "{}\nmachine m {{ initial state a {{ on GO retry_once(a, b) }} final state b }}",
}
"""What some snippets stand in, to be a program."""


def packed(folder: Path) -> zipfile.ZipFile:
    told = subprocess.check_output([sys.executable, EDITORS / "package.py", folder], encoding="utf-8")
    return zipfile.ZipFile(told.strip())


def extension() -> dict[str, object]:
    return dict(json.loads((VSCODE / "package.json").read_text(encoding="utf-8")))


def test_the_extension_packs_to_all_that_it_names(tmp_path: Path) -> None:
    archive = packed(tmp_path)
    about = json.loads(archive.read("extension/package.json"))
    (language,), (grammar,), (snippets,) = (
        about["contributes"][kind] for kind in ("languages", "grammars", "snippets")
    )
    for path in (language["configuration"], grammar["path"], snippets["path"]):
        assert json.loads(archive.read(f"extension/{path.removeprefix('./')}"))
    manifest = ElementTree.fromstring(archive.read("extension.vsixmanifest"))
    identity = manifest.find(f".//{SCHEMA}Identity")
    assert identity is not None
    assert (identity.get("Id"), identity.get("Version"), identity.get("Publisher")) == (
        "jet",
        about["version"],
        "jetpackc",
    )
    assets = [each.get("Path", "") for each in manifest.iter(f"{SCHEMA}Asset")]
    assert len(assets) == 3
    assert set(assets) <= set(archive.namelist())
    extensions = {Path(name).suffix for name in archive.namelist()} - {".xml"}
    types = ElementTree.fromstring(archive.read("[Content_Types].xml"))
    assert extensions <= {each.get("Extension") for each in types}


def test_the_extension_packs_to_the_same_bytes(tmp_path: Path) -> None:
    one, other = (tmp_path / name for name in ("one", "other"))
    for folder in (one, other):
        folder.mkdir()
        packed(folder)
    assert [path.read_bytes() for path in one.iterdir()] == [path.read_bytes() for path in other.iterdir()]


def test_the_extension_has_the_version_of_the_compiler() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert extension()["version"] == project["project"]["version"]


@pytest.mark.parametrize("name", json.loads((VSCODE / "snippets" / "jet.json").read_text(encoding="utf-8")))
def test_a_snippet_is_a_program(name: str) -> None:
    snippet = json.loads((VSCODE / "snippets" / "jet.json").read_text(encoding="utf-8"))[name]
    text = FRAMES.get(name, "{}").format(PLACE.sub(lambda place: place[1] or "", "\n".join(snippet["body"])))
    assert [each.message for each in compile_sources([Source("a.jet", text)]).diagnostics if each.is_error] == [], text


@pytest.mark.parametrize(
    ("line", "opens"),
    [
        ("machine m {", True),
        ("machine m(", True),
        ("  on GO { // see {", True),
        ('  on GO { fail "{', False),
        ('  run "a:b" }', False),
        ('  fail "{"', False),
        ('  f("x", {', True),
        ("  // a comment {", False),
        ("  /// a doc {", False),
        ("  on GO { set x = 1 }", False),
    ],
)
def test_vs_code_indents_behind_an_open_bracket(line: str, opens: bool) -> None:
    rules = json.loads((VSCODE / "language-configuration.json").read_text(encoding="utf-8"))["indentationRules"]
    assert bool(re.search(rules["increaseIndentPattern"], line)) is opens
