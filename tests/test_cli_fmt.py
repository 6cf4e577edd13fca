"""`jetpackc fmt`: which files it reads, what it writes, says and exits with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from told import Cli

UGLY = "machine  m{initial state s{on GO->t}\nfinal state t}\n"
NICE = "machine m {\n  initial state s { on GO -> t }\n  final state t\n}\n"
BROKEN = "machine m { state }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"nice.jet": NICE, "ugly.jet": UGLY, "inner/ugly.jet": UGLY, ".hidden/ugly.jet": UGLY}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_without_a_file_all_in_and_below_this_folder_are_laid_out(cli: Cli, folder: Path) -> None:
    told = cli("fmt")
    assert (told.code, told.out) == (0, "")
    assert told.err == "inner/ugly.jet: changed\nugly.jet: changed\n2 changed, 1 as they should be\n"
    assert (folder / "ugly.jet").read_text() == (folder / "inner/ugly.jet").read_text() == NICE
    assert (folder / ".hidden/ugly.jet").read_text() == UGLY
    assert cli("fmt").err == "3 as they should be\n"


def test_a_file_that_does_not_change_is_not_written(cli: Cli, folder: Path) -> None:
    before = (folder / "nice.jet").stat()
    assert cli("fmt", "nice.jet").code == 0
    after = (folder / "nice.jet").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_check_names_what_would_change_and_writes_nothing(cli: Cli, folder: Path) -> None:
    told = cli("fmt", "--check")
    assert (told.code, told.out) == (1, "inner/ugly.jet\nugly.jet\n")
    assert (folder / "ugly.jet").read_text() == UGLY
    assert cli("fmt", "--check", "nice.jet").code == 0


def test_diff_is_one_that_patch_takes(cli: Cli, folder: Path) -> None:
    (folder / "ugly.jet").write_text(UGLY.rstrip())
    told = cli("fmt", "--diff", "ugly.jet")
    assert told.code == 1
    assert "-final state t}\n\\ No newline at end of file\n" in told.out
    assert (folder / "ugly.jet").read_text() == UGLY.rstrip()
    subprocess.run(["git", "apply", "-p0"], cwd=folder, input=told.out, text=True, check=True)
    assert (folder / "ugly.jet").read_text() == NICE


def test_a_file_that_does_not_parse_stays_as_it_is_and_the_others_are_laid_out(cli: Cli, folder: Path) -> None:
    (folder / "broken.jet").write_text(BROKEN)
    told = cli("fmt", "broken.jet", "ugly.jet")
    assert (told.code, told.out) == (1, "")
    assert "error[J" in told.err
    assert told.err.endswith("ugly.jet: changed\n1 changed, 1 not parsed\n")
    assert (folder / "broken.jet").read_text() == BROKEN
    assert (folder / "ugly.jet").read_text() == NICE


def test_line_ends_and_the_byte_order_mark_stay(cli: Cli, folder: Path) -> None:
    (folder / "ugly.jet").write_bytes(("\ufeff" + UGLY.replace("\n", "\r\n")).encode())
    cli("fmt", "ugly.jet")
    assert (folder / "ugly.jet").read_bytes() == ("\ufeff" + NICE.replace("\n", "\r\n")).encode()


def test_rights_and_links_stay(cli: Cli, folder: Path) -> None:
    (folder / "ugly.jet").chmod(0o640)
    (folder / "link.jet").symlink_to("ugly.jet")
    cli("fmt", "link.jet")
    assert (folder / "link.jet").is_symlink()
    assert (folder / "ugly.jet").read_text() == NICE
    assert (folder / "ugly.jet").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in folder.iterdir()) == [".hidden", "inner", "link.jet", "nice.jet", "ugly.jet"]


def stdin(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jetpackc", "fmt", *arguments, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_stdin_goes_to_stdout() -> None:
    told = stdin(text=UGLY)
    assert (told.returncode, told.stdout, told.stderr) == (0, NICE, "")
    assert stdin(text=NICE).stdout == NICE
    told = stdin("--check", text=UGLY)
    assert (told.returncode, told.stdout) == (1, "stdin\n")


def test_stdin_that_does_not_parse_gives_nothing_but_its_mistakes() -> None:
    told = stdin(text=BROKEN)
    assert (told.returncode, told.stdout) == (1, "")
    assert "stdin:1:" in told.stderr


def test_what_cannot_be_meant_is_said(cli: Cli, folder: Path) -> None:
    assert cli("fmt", "-", "ugly.jet").code == 2
    assert cli("fmt", "nowhere.jet").code == 2
    (folder / "empty").mkdir()
    assert cli("fmt", "empty").code == 2
    (folder / "latin.jet").write_bytes(b"// \xe9\n")
    told = cli("fmt", "latin.jet", "ugly.jet")
    assert (told.code, told.out) == (1, "")
    assert "is not UTF-8" in told.err
    assert (folder / "ugly.jet").read_text() == UGLY
