"""What docs/testing.md shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, blocks
from told import Cli

from jetpackc.postgres import Server

PAGE = ROOT / "docs" / "testing.md"
_SECONDS = re.compile(r"  \d+\.\d\d s$", re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The page's program and what stands beside it."""
    program, _ = blocks(PAGE, "jet")
    (tmp_path / "workflows.jet").write_text(program)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "payments.py").write_text(blocks(PAGE, "python")[0])
    (tmp_path / "test_shop.py").write_text(blocks(PAGE, "python")[1])
    (tmp_path / "pytest.ini").write_text(blocks(PAGE, "ini")[0])
    (tmp_path / "tables.sql").write_text("create table mine (id int)")
    return tmp_path


def test_the_stories_are_told_as_the_page_shows(cli: Cli, project: Path, postgres: Server) -> None:
    for shown in (blocks(PAGE, "console")[0], blocks(PAGE, "console")[2]):
        command, _, expected = shown.partition("\n")
        told = cli(*command.removeprefix("$ jetpackc ").split(), "--dsn", postgres.dsn())
        assert _SECONDS.sub("", told.out) == expected


def test_a_story_of_spawned_tasks_holds(cli: Cli, tmp_path: Path, postgres: Server) -> None:
    _, program = blocks(PAGE, "jet")
    (tmp_path / "workflows.jet").write_text(program)
    told = cli("test", "--dsn", postgres.dsn())
    assert (told.code, told.out.splitlines()[-1]) == (0, "1 passed"), told.out


def test_a_failure_is_told_as_the_page_shows(cli: Cli, project: Path, postgres: Server) -> None:
    text = (project / "workflows.jet").read_text()
    (project / "workflows.jet").write_text(text.replace('  stub charge returns (receipt: "r-7.pdf")\n', ""))
    told = cli("test", "-k", "asked again", "--dsn", postgres.dsn())
    _, _, expected = blocks(PAGE, "console")[1].partition("\n")
    assert told.code == 1
    assert _SECONDS.sub("", told.out).startswith(expected)


def test_a_file_of_tests_is_found(cli: Cli, project: Path, postgres: Server) -> None:
    (project / "cancelled_test.jet").write_text(blocks(PAGE, "text")[0])
    told = cli("test", "cancelled_test.jet", "--dsn", postgres.dsn())
    assert told.out.splitlines()[-1] == "1 passed"


def test_the_tests_of_pytest_pass(project: Path, postgres: Server) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    command = [sys.executable, "-m", "pytest", "-p", "jetpack_pytest", "-q", "--jetpack-dsn", postgres.dsn()]
    told = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert "2 passed" in told.stdout, told.stdout + told.stderr


def test_the_story_of_the_readme_holds(cli: Cli, tmp_path: Path, postgres: Server) -> None:
    (program,) = blocks(ROOT / "README.md", "jet")
    (story,) = blocks(ROOT / "README.md", "text")
    (tmp_path / "workflows.jet").write_text(program + story)
    told = cli("test", "--dsn", postgres.dsn())
    assert told.code == 0, told.out
