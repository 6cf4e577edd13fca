"""`jetpackc schedules`: next runs from a file and from a database, and pausing one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from told import Cli

TEXT = """module shop
schedule nightly cron "0 3 * * *" in "Europe/London" spawn report(day: today)
schedule often every 90m missed skip spawn report(day: today)
machine report(day: date) {
  initial state open { on READ -> done }
  final state done
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "workflows.jet"
    path.write_text(TEXT)
    return path


@pytest.fixture
def dsn(fresh: Callable[[str], str]) -> str:
    """A database on the morning of the day on which London's clocks go back."""
    found = fresh(TEXT)
    with psycopg.connect(found) as connection:
        connection.execute("update jet.clock set shift = timestamptz '2026-10-24 12:00Z' - clock_timestamp()")
        connection.execute("update jet.schedule set written = jet.now()")
    return found


def test_a_file_tells_the_next_runs(cli: Cli, file: Path) -> None:
    told = cli("schedules", str(file), "--next", "2")
    lines = told.out.splitlines()
    assert lines[0] == 'shop.nightly  cron "0 3 * * *" in "Europe/London", missed latest'
    assert "T03:00:00+0" in lines[1]
    assert lines[3] == "shop.often  every 1h30m, missed skip"
    assert (told.code, len(lines)) == (0, 6)


def test_programs_read_them_as_json(cli: Cli, file: Path) -> None:
    nightly, often = json.loads(cli("schedules", str(file), "--json").out)
    assert (nightly["schedule"], nightly["cron"], nightly["zone"]) == ("shop.nightly", "0 3 * * *", "Europe/London")
    assert (often["every_seconds"], often["missed"], len(often["next"])) == (5400.0, "skip", 3)
    first = datetime.fromisoformat(often["next"][0])
    assert timedelta(0) < first - datetime.now(UTC) <= timedelta(minutes=90)
    assert first.timestamp() % 5400 == 0


def test_a_database_tells_what_became_of_them(cli: Cli, dsn: str) -> None:
    nightly = json.loads(cli("schedules", "--dsn", dsn, "--json", "--next", "1").out)[0]
    assert (nightly["next"], nightly["last"]) == (["2026-10-25T03:00:00+00:00"], None)
    with psycopg.connect(dsn) as connection:
        connection.execute("update jet.clock set shift = shift + interval '16 h'")
        connection.execute("select jet.tick()")
        (task,) = connection.execute(
            "select id from shop.report where day = '2026-10-25' and _creator = 'nightly'"
        ).fetchone()  # type: ignore[misc]
    told = cli("schedules", "--dsn", dsn, "--next", "1").out
    assert f"last  2026-10-25T03:00:00+00:00  made task {task}" in told
    assert "next  2026-10-26T03:00:00+00:00  Mon" in told


def test_one_is_paused_and_goes_on(cli: Cli, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("schedules", "--pause", "shop.nightly", "--dsn", dsn).code == 0
    assert "paused" in cli("schedules", "--dsn", dsn).out.splitlines()[0]
    monkeypatch.setenv("DATABASE_URL", dsn)
    assert "nightly" in cli("schedules", "--database").out.splitlines()[0]
    assert "paused" in cli("schedules", "--database").out.splitlines()[0]
    assert cli("schedules", "--resume", "nightly").err == "resumed shop.nightly\n"
    assert not json.loads(cli("schedules", "--dsn", dsn, "--json").out)[0]["paused"]


def test_a_name_that_is_none_is_told_the_near_one(cli: Cli, dsn: str) -> None:
    told = cli("schedules", "--pause", "nightli", "--dsn", dsn)
    assert told.code == 2
    assert "there is no schedule `nightli`" in told.err
    assert "did you mean `nightly`?" in told.err


def test_files_and_a_database_exclude_each_other(cli: Cli, dsn: str, file: Path) -> None:
    assert cli("schedules", str(file), "--dsn", dsn).code == 2
    assert cli("schedules", str(file), "--pause", "nightly").code == 2
    assert cli("schedules", str(file), "--database").code == 2


def test_a_program_may_have_none(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "workflows.jet"
    path.write_text("module shop\nmachine m { initial state a { on GO -> b } final state b }\n")
    told = cli("schedules", str(path))
    assert (told.code, told.out) == (0, "")
    assert "there are no schedules" in told.err
    assert json.loads(cli("schedules", str(path), "--json").out) == []
