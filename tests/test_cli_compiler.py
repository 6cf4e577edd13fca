"""The commands that need no database: what they print, write and exit with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from told import Cli

from jetpackc.cli.app import COMMANDS

GOOD = """module shop
machine order(number: bigint) is task {
  state running { run "handlers.orders:ship" }
}
"""
BAD = GOOD.replace("task", "tsak")
WARNED = GOOD.replace("machine", "event NEVER\nmachine")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "workflows.jet"
    path.write_text(GOOD)
    return path


# ---------------------------------------------------------------- help


def test_help_imports_none_of_what_commands_need() -> None:
    script = (
        "import sys; from jetpackc.cli.run import run; run(['--help'])\n"
        "print([name for name in ('psycopg', 'lark', 'jinja2', 'watchfiles', 'asyncio') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_every_command_has_help_with_an_example(cli: Cli) -> None:
    for name in COMMANDS:
        told = cli(name, "--help")
        assert told.code == 0
        assert f"  jetpackc {name}" in told.out.partition("Options:")[0].partition("\n")[2], name


def test_a_misspelled_command_is_guessed(cli: Cli) -> None:
    told = cli("chekc")
    assert (told.code, told.out) == (2, "")
    assert "did you mean `check`?" in told.err


def test_completion_scripts_come_out() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "jetpackc"],
        env={"_JETPACKC_COMPLETE": "zsh_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "#compdef" in told.stdout


def test_an_error_of_ours_is_short_and_writes_its_traceback_to_a_file(
    cli: Cli, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jetpackc.cli.check.compile_files", lambda _: 1 / 0)
    told = cli("check")
    assert told.code == 70
    file = Path(told.err.rstrip().rpartition(" ")[2])
    assert "ZeroDivisionError: division by zero" in file.read_text()
    file.unlink()


# ---------------------------------------------------------------- check


def test_check_of_a_good_file_is_clean(cli: Cli, source: Path) -> None:
    told = cli("check")
    assert (told.code, told.out, told.err) == (0, "", "workflows.jet: no mistakes found\n")


def test_check_prints_diagnostics_on_stdout_and_exits_1(cli: Cli, source: Path) -> None:
    source.write_text(BAD)
    told = cli("check")
    assert told.code == 1
    assert "did you mean `task`?" in told.out
    assert told.err == "1 error\n"
    assert "\x1b" not in told.out


def on_a_terminal(folder: Path, **environment: str) -> str:
    """What `check` prints on one."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "jetpackc", "check"]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", **environment},
    ) as running:
        running.wait()
    os.close(theirs)
    with os.fdopen(ours, "rb") as read:
        return read.read1(100_000).decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_unless_it_wants_none_and_lines_that_fit(source: Path) -> None:
    source.write_text(BAD)
    assert "\x1b[" in on_a_terminal(source.parent, NO_COLOR="")
    told = on_a_terminal(source.parent, NO_COLOR="1", COLUMNS="30")
    assert "\x1b" not in told
    (excerpt,) = [line for line in told.splitlines() if line.startswith("2 | ")]
    assert "tsak" in excerpt
    assert len(excerpt) <= 30


@pytest.mark.parametrize("form", ["short", "json", "github", "sarif", "junit"])
def test_other_formats_hold_nothing_else(cli: Cli, source: Path, form: str) -> None:
    source.write_text(BAD)
    told = cli("check", "--format", form)
    assert (told.code, told.err) == (1, "")
    begins = {
        "short": "workflows.jet:2:",
        "json": "[\n",
        "github": "::error file=workflows.jet,",
        "sarif": '{\n  "$schema"',
        "junit": "<?xml",
    }
    assert told.out.startswith(begins[form])
    if form == "json":
        assert [found["severity"] for found in json.loads(told.out)] == ["error"]


def test_json_of_a_good_file_is_an_empty_list(cli: Cli, source: Path) -> None:
    assert json.loads(cli("check", "--format", "json").out) == []


def test_warnings_fail_only_when_strict(cli: Cli, source: Path) -> None:
    source.write_text(WARNED)
    assert cli("check").code == 0
    assert cli("check", "--strict").code == 1
    assert cli("build", "--strict").code == 1
    assert not Path("jet.lock").exists()


def test_files_are_found_or_asked_for(cli: Cli, tmp_path: Path) -> None:
    assert "there is no .jet file" in cli("check").err
    (tmp_path / "other.jet").write_text(GOOD)
    assert cli("check").code == 0
    (tmp_path / "more.jet").write_text(GOOD)
    told = cli("check")
    assert told.code == 2
    assert "`more.jet`, `other.jet`" in told.err
    (tmp_path / "workflows.jet").write_text(GOOD)
    assert cli("check").err.startswith("workflows.jet:")
    assert cli("check", str(tmp_path)).code == 0
    assert cli("check", "nowhere.jet").code == 2


def test_a_file_that_is_not_utf8_is_named(cli: Cli, source: Path) -> None:
    source.write_bytes(GOOD.encode("utf-16"))
    told = cli("check")
    assert told.code == 1
    assert "`workflows.jet` is not UTF-8" in told.err


def test_a_byte_order_mark_is_no_mistake(cli: Cli, source: Path) -> None:
    source.write_bytes(GOOD.encode("utf-8-sig"))
    assert cli("check").code == 0


def test_handlers_are_looked_for_when_asked(cli: Cli, source: Path, tmp_path: Path) -> None:
    told = cli("check", "--handlers", "nowhere")
    assert told.code == 2
    package = tmp_path / "src" / "handlers"
    package.mkdir(parents=True)
    (package / "orders.py").write_text("def shipp(task): ...\n")
    told = cli("check", "--handlers", "src/handlers")
    assert told.code == 1
    assert "error[J112]" in told.out
    assert "did you mean `shipp`?" in told.out
    source.write_text(GOOD.replace(":ship", ":shipp"))
    assert cli("check", "--handlers", "src/handlers").code == 0


# ---------------------------------------------------------------- build


def test_build_writes_once_and_then_says_that_nothing_changed(cli: Cli, source: Path, tmp_path: Path) -> None:
    told = cli("build")
    assert told.code == 0
    assert told.err.splitlines() == [
        "wrote migrations/0001_jet.sql",
        "wrote migrations/0002_shop.sql",
        "wrote jet.lock",
    ]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert cli("build").err == "nothing changed, nothing was written\n"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_build_check_exits_3_until_all_is_built(cli: Cli, source: Path) -> None:
    told = cli("build", "--check")
    assert told.code == 3
    assert "error[J502]" in told.err
    assert not Path("jet.lock").exists()
    cli("build")
    assert cli("build", "--check").code == 0
    source.write_text(GOOD.replace("number", "number: bigint, note").replace("note: bigint", "note: text?"))
    assert cli("build", "--check").code == 3
    told = cli("build", "--name", "notes")
    assert told.err.splitlines()[0] == "wrote migrations/0003_notes.sql"


def test_build_gives_the_same_bytes_from_anywhere(cli: Cli, source: Path, tmp_path: Path) -> None:
    cli("build")
    (tmp_path / "else" / "where").mkdir(parents=True)
    copy = tmp_path / "else" / "where" / "workflows.jet"
    copy.write_text(GOOD)
    assert cli("build", "else/where/workflows.jet").code == 0
    for name in ("jet.lock", "migrations/0001_jet.sql", "migrations/0002_shop.sql"):
        assert (copy.parent / name).read_bytes() == (tmp_path / name).read_bytes()


def test_build_writes_where_it_is_told(cli: Cli, source: Path, tmp_path: Path) -> None:
    assert cli("build", "-o", "db").code == 0
    assert sorted(path.name for path in (tmp_path / "db").iterdir()) == ["jet.lock", "migrations"]
    assert "from ../workflows.jet.\n" in (tmp_path / "db/migrations/0002_shop.sql").read_text()


def test_build_finds_imports_though_its_folder_is_new(cli: Cli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "main.jet").write_text('module other\nimport "workflows.jet"\n')
    told = cli("build", "main.jet", "-o", "not/yet")
    assert (told.code, (tmp_path / "not/yet/jet.lock").exists()) == (0, True), told.err


def test_build_to_stdout_writes_nothing(cli: Cli, source: Path) -> None:
    told = cli("build", "--stdout")
    assert "create schema shop;" in told.out
    assert not Path("jet.lock").exists()
    assert not Path("migrations").exists()
    cli("build")
    assert cli("build", "--stdout").out == told.out


def test_what_cannot_be_migrated_is_said_and_nothing_is_written(cli: Cli, source: Path, tmp_path: Path) -> None:
    cli("build")
    lock = Path("jet.lock").read_bytes()
    source.write_text(GOOD.replace("order", "parcel"))
    told = cli("build")
    assert told.code == 1
    assert "error[J501]: machine `order` of module `shop` was removed or renamed" in told.err
    assert Path("jet.lock").read_bytes() == lock
    assert len(list((tmp_path / "migrations").iterdir())) == 2


def test_a_lock_that_cannot_be_read_or_stands_alone_stops_the_build(cli: Cli, source: Path, tmp_path: Path) -> None:
    cli("build")
    (tmp_path / "jet.lock").write_text("<<<<<<< HEAD\n")
    told = cli("build")
    assert told.code == 1
    assert "cannot read `jet.lock`" in told.err
    (tmp_path / "jet.lock").unlink()
    told = cli("build")
    assert told.code == 1
    assert "no jet.lock" in told.err


def test_files_of_other_tools_may_stand_among_the_migrations(cli: Cli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_mine.sql").write_text("create table mine (n int);\n")
    assert cli("build").err.splitlines()[0] == "wrote migrations/0002_jet.sql"
    assert cli("build").err == "nothing changed, nothing was written\n"


def test_a_bad_name_is_refused(cli: Cli, source: Path) -> None:
    assert cli("build", "--name", "../x").code == 2


def test_python_types_are_written_and_checked_for_freshness(cli: Cli, source: Path, tmp_path: Path) -> None:
    told = cli("build", "--python", "handlers/types.py")
    assert told.code == 0
    text = (tmp_path / "handlers/types.py").read_text()
    compile(text, "types.py", "exec")
    assert "number" in text
    assert cli("build", "--check", "--python", "handlers/types.py").code == 0
    (tmp_path / "handlers/types.py").write_text("")
    assert cli("build", "--check", "--python", "handlers/types.py").code == 3


# ---------------------------------------------------------------- expand, ir, explain


def test_expand_prints_jet_that_means_the_same(cli: Cli, source: Path, tmp_path: Path) -> None:
    before = cli("ir").out
    told = cli("expand")
    assert told.code == 0
    assert "is task" not in told.out
    assert "final state done" in told.out
    source.write_text(told.out)
    assert cli("ir").out == before


def test_ir_is_canonical_json(cli: Cli, source: Path) -> None:
    assert json.loads(cli("ir").out)["program"]["modules"][0]["name"] == "shop"


def test_ir_of_a_bad_file_prints_no_json(cli: Cli, source: Path) -> None:
    source.write_text(BAD)
    told = cli("ir")
    assert (told.code, told.out) == (1, "")
    assert "did you mean `task`?" in told.err


def test_explain_takes_codes_and_names(cli: Cli) -> None:
    assert cli("explain", "j101").out == cli("explain", "unknown-state").out
    assert cli("explain", "J101").out.startswith("# J101 unknown-state")
    told = cli("explain", "unknown-sate")
    assert told.code == 2
    assert "did you mean `unknown-state`?" in told.err


# ---------------------------------------------------------------- new


def test_a_new_project_is_clean_and_finds_its_handlers(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cli("new", "shop").code == 0
    monkeypatch.chdir(tmp_path / "shop")
    assert cli("check", "--strict", "--handlers", "handlers").code == 0


def test_new_refuses_a_folder_that_holds_something(cli: Cli, source: Path, tmp_path: Path) -> None:
    told = cli("new", ".")
    assert told.code == 2
    assert "is not empty" in told.err
    assert cli("new", "workflows.jet").code == 2
    (tmp_path / "empty").mkdir()
    assert cli("new", "empty").code == 0
