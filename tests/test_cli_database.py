"""The commands that talk to a database: what they do, print and exit with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from told import Cli

SHOP = Path(__file__).parent / "shop.jet"
ALL = """module kinds
enum tier { free, pro }
event GO(note: text?)
machine m(
  flag: bool, small: int, big: bigint, rate: float, price: numeric, name: text, ref: uuid, at: timestamptz, day: date,
  every: interval, data: json, raw: bytes, tier: tier, note: text?, copies: int = 1,
  words: text[] = [], prices: numeric[]?, tiers: tier[] = [free]
) {
  initial state a { on GO -> b }
  final state b
}
"""
GOOD_VALUES = {
    "flag": "true",
    "small": "7",
    "big": "9007199254740993",
    "rate": "1.5",
    "price": "12.10",
    "name": "a=b c",
    "ref": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "at": "2026-03-01T12:00:00+02:00",
    "day": "2026-03-01",
    "every": "1h30m",
    "data": '{"k": [1, null]}',
    "raw": "00ff",
    "tier": "pro",
    "words": '["a,b", "{c}"]',
    "prices": "[1.10, null]",
    "tiers": '["pro", "free"]',
}
NOTED = """module m
machine seat(number: int) {
  unique (number) while in (taken)
  initial state free { on TAKE(by: text?) -> taken }
  state taken        { on LEAVE -> free }
}
"""
FAILING = """module odd
machine m(n: int) {
  initial state a { on GO -> b }
  final state b { enter { fail "why \\u{7b}" } }
}
"""


@pytest.fixture
def dsn(shop: str, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> str:
    """The shop's database, as DATABASE_URL."""
    monkeypatch.setenv("DATABASE_URL", shop)
    return shop


def words(values: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


# ---------------------------------------------------------------- which database


@pytest.mark.parametrize("command", ["ps", "create m", "send 1 E", "history 1", "retry 1", "migrate"])
def test_no_database_at_all_is_a_usage_error_with_ways_out(cli: Cli, command: str) -> None:
    told = cli(*command.split())
    assert told.code == 2
    assert "DATABASE_URL" in told.err


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://127.0.0.1:1/x", "connection refused"),
        ("host=/nowhere dbname=x", "no such file"),
        ("this is none", "cannot be read"),
        ("postgresql://user:secret@127.0.0.1:port/x", ""),
    ],
)
def test_a_database_that_cannot_be_reached_exits_4_and_tells_no_password(cli: Cli, dsn: str, says: str) -> None:
    told = cli("ps", "--dsn", dsn)
    assert told.code == 4
    assert says in told.err.lower()
    assert told.err.startswith("error[J509]: ")
    assert "postgresql://user@host:5432/name" in told.err
    assert "secret" not in told.err


def test_a_database_that_is_not_there_exits_4(cli: Cli, database: str) -> None:
    told = cli("ps", "--dsn", f"{database}_not")
    assert told.code == 4
    assert "does not exist" in told.err


def test_an_empty_database_says_to_migrate(cli: Cli, database: str) -> None:
    told = cli("ps", "--dsn", database)
    assert told.code == 4
    assert "jetpackc migrate" in told.err


@pytest.mark.parametrize("command", [["ps"], ["create", "job", "n=1"], ["history", "1"]])
def test_a_newer_database_exits_4(cli: Cli, dsn: str, command: list[str]) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("update jet.meta set version = 99")
    told = cli(*command)
    assert told.code == 4
    assert "99" in told.err


# ---------------------------------------------------------------- migrate


def test_migrate_applies_what_build_wrote(cli: Cli, database: str, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(SHOP.read_text())
    cli("build")
    told = cli("migrate", "--dsn", database)
    assert (told.code, told.err) == (0, "applied 0001_jet.sql\napplied 0002_shop.sql\n")
    assert cli("migrate", "--dsn", database).err == "nothing is pending: 2 applied\n"
    assert cli("migrate", "--dsn", database, "--status").out == "applied  0001_jet.sql\napplied  0002_shop.sql\n"
    assert cli("create", "job", "n=1", "--dsn", database).out == "1\n"


def test_status_applies_nothing(cli: Cli, database: str, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(SHOP.read_text())
    cli("build")
    assert cli("migrate", "--dsn", database, "--status").out == "pending  0001_jet.sql\npending  0002_shop.sql\n"
    assert cli("ps", "--dsn", database).code == 4


def test_migrate_says_what_it_refuses_by_code(cli: Cli, database: str, tmp_path: Path) -> None:
    told = cli("migrate", "--dsn", database)
    assert told.code == 2
    assert "jetpackc build" in told.err
    (tmp_path / "migrations").mkdir()
    file = tmp_path / "migrations" / "0001_a.sql"
    file.write_text("create table a (n int);")
    assert cli("migrate", "--dsn", database).code == 0
    file.write_text("create table a (n text);")
    told = cli("migrate", "--dsn", database)
    assert told.code == 1
    assert "error[J504]: `0001_a.sql` was edited" in told.err
    file.write_bytes(b"\xff")
    assert "not UTF-8" in cli("migrate", "--dsn", database).err


def test_migrate_of_a_newer_database_exits_4(cli: Cli, dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("update jet.meta set version = 99")
    (tmp_path / "migrations").mkdir()
    told = cli("migrate")
    assert told.code == 4
    assert "error[J506]" in told.err


# ---------------------------------------------------------------- create


def test_create_takes_values_of_every_type(cli: Cli, fresh: Callable[[str], str]) -> None:
    dsn = fresh(ALL)
    told = cli("create", "m", *words(GOOD_VALUES), "--dsn", dsn)
    assert (told.code, told.err) == (0, "")
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select flag, small, big, rate, price::text, name, ref::text, extract(epoch from at)::bigint, day::text,"
            " every::text, data, raw, tier, note, copies, words, prices::text, tiers::text from kinds.m where id = %s",
            (int(told.out),),
        ).fetchone()
    assert row is not None
    assert row[:8] == (True, 7, 9007199254740993, 1.5, "12.10", "a=b c", GOOD_VALUES["ref"], 1772359200)
    assert row[8:] == (
        "2026-03-01",
        "01:30:00",
        {"k": [1, None]},
        b"\x00\xff",
        "pro",
        None,
        1,
        ["a,b", "{c}"],
        "{1.10,NULL}",
        "{pro,free}",
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("flag", "yes", "it is `true` or `false`"),
        ("small", "seven", "`seven` is no int"),
        ("small", "99999999999", "int"),
        ("price", "NaN", "is no numeric"),
        ("ref", "x", "is no uuid"),
        ("at", "2026-03-01T12:00:00", "with its time zone"),
        ("day", "1.3.2026", "such as `2026-03-01`"),
        ("every", "soon", "such as `30s`"),
        ("data", "{", "mind the quotes"),
        ("raw", "xyz", "hexadecimal"),
        ("tier", "por", "did you mean `pro`?"),
        ("words", "a,b", 'no text[]\n  = help: as in JSON, such as `["a", "b"]`'),
        ("tiers", "pro", "is no tier[]"),
        ("prices", '{"a": 1}', "is no numeric[]"),
        ("tiers", '["por"]', "pro"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_would(
    cli: Cli, fresh: Callable[[str], str], name: str, value: str, says: str
) -> None:
    dsn = fresh(ALL)
    told = cli("create", "m", *words({**GOOD_VALUES, name: value}), "--dsn", dsn)
    assert told.code in (1, 2)
    assert f"{name}" in told.err
    assert says in told.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["jop", "n=1"], "did you mean `job`?"),
        (["shop.jop", "n=1"], "did you mean `shop.job`?"),
        (["zzzzzz"], "there is `shop."),
        (["job", "m=1"], "it takes n=<int> [note=<text>]"),
        (["job", "n=1", "nota=x"], "did you mean `note`?"),
        (["job"], "`shop.job` needs `n`"),
        (["job", "n"], "is no `field=value`"),
        (["job", "n=1", "n=2"], "is given twice"),
        (["job", "n=1", "--delay", "soon"], "`soon` is no duration"),
    ],
)
def test_create_explains_what_is_wrong(cli: Cli, dsn: str, arguments: list[str], says: str) -> None:
    told = cli("create", *arguments)
    assert (told.code, told.out) == (2, "")
    assert says in told.err


def test_create_takes_delay_priority_and_key(cli: Cli, dsn: str) -> None:
    first = cli("create", "shop.job", "n=1", "--delay", "1h", "--priority", "5", "--key", "k")
    assert cli("create", "shop.job", "n=1", "--key", "k").out == first.out
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select run_at - created_at > '59 min', _priority from shop.job").fetchall()
    assert row == [(True, 5)]


# ---------------------------------------------------------------- send, history, retry, ps


def test_send_moves_a_task_and_says_where(cli: Cli, dsn: str) -> None:
    id = cli("create", "pay", "order_id=1").out.strip()
    told = cli("send", id, "PAID", "amount=12.50")
    assert (told.code, told.err) == (0, "now in charging.ready\n")
    told = cli("send", id, "PAID", "amount=1")
    assert told.code == 1
    assert "nothing changed, the task is in `charging.ready`" in told.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["999", "PAID", "amount=1"], 1, "there is no task 999"),
        (["1", "PAYD", "amount=1"], 2, "did you mean `PAID`?"),
        (["1", "PAID"], 2, "`PAID` needs `amount`"),
        (["1", "PAID", "amont=1"], 2, "did you mean `amount`?"),
        (["1", "PAID", "amount=lots"], 2, "is no numeric"),
        (["one", "PAID"], 2, "there is no machine `one`"),
    ],
)
def test_send_explains_what_is_wrong(cli: Cli, dsn: str, arguments: list[str], code: int, says: str) -> None:
    assert cli("create", "pay", "order_id=1").out == "1\n"
    told = cli("send", *arguments)
    assert told.code == code
    assert says in told.err


def test_a_transition_that_fails_is_told(cli: Cli, fresh: Callable[[str], str]) -> None:
    dsn = fresh(FAILING)
    cli("create", "m", "n=1", "--dsn", dsn)
    told = cli("send", "1", "GO", "--dsn", dsn)
    assert told.code == 1
    assert "why {" in told.err


def test_history_is_a_timeline(cli: Cli, dsn: str) -> None:
    cli("create", "pay", "order_id=1")
    cli("send", "1", "PAID", "amount=12.50", "method=card")
    lines = cli("history", "1").out.splitlines()
    assert lines[0] == "shop.pay 1 is in charging.ready"
    assert "-> cart" in lines[1]
    assert "  PAID  " in lines[2]
    assert 'cart -> charging.ready  {"amount": "12.50", "method": "card"}' in lines[2]
    hops = json.loads(cli("history", "1", "--json").out)["history"]
    assert [(hop["event"], hop["to_state"]) for hop in hops] == [(None, "cart"), ("PAID", "charging.ready")]
    assert cli("history", "77").code == 1


def test_notes_of_the_history_name_the_event_they_are_about(
    cli: Cli, fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", fresh(NOTED))
    cli("create", "seat", "number=1")
    cli("create", "seat", "number=1")
    cli("send", "1", "TAKE")
    assert cli("send", "2", "TAKE", "by=Ada").code == 1
    cli("send", "2", "LEAVE")
    refused, ignored = cli("history", "2").out.splitlines()[2:]
    assert (
        '  TAKE   free, refused: unique (number) while in (taken): there is another such task  {"by": "Ada"}' in refused
    )
    assert "  LEAVE  free, ignored" in ignored


def test_ps_counts_states_and_names_what_is_stuck(cli: Cli, dsn: str) -> None:
    for n in range(3):
        cli("create", "job", f"n={n}")
    with psycopg.connect(dsn) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("""update shop.job set _stuck = '{"error": "boom"}', run_at = null where id = 2""")
    told = cli("ps", "job")
    assert told.out.splitlines()[:2] == ["shop.job", "  ready         3"]
    assert "stuck 2 in ready: boom" in told.out
    assert "jetpackc retry 2" in told.out
    data = json.loads(cli("ps", "--json").out)
    assert {one["machine"]: one["states"] for one in data} == {"shop.job": {"ready": 3}, "shop.pay": {}}
    assert cli("ps", "jop").code == 2


def test_retry_of_a_task_that_is_not_stuck_says_so(cli: Cli, dsn: str) -> None:
    cli("create", "job", "n=1")
    told = cli("retry", "1")
    assert told.code == 1
    assert "not stuck" in told.err


# ---------------------------------------------------------------- worker


def project(folder: Path, handler: str) -> None:
    """A project whose one machine runs `handlers.work:go`."""
    source = 'module app\nmachine job(n: int) is task { state running { run "handlers.work:go" } }\n'
    (folder / "workflows.jet").write_text(source)
    (folder / "handlers").mkdir()
    (folder / "handlers" / "work.py").write_text(handler)


def worker(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jetpackc", "worker", *arguments]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


@pytest.fixture
def installed(cli: Cli, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with that project's machine."""
    monkeypatch.setenv("DATABASE_URL", database)
    project(tmp_path, "async def go(task): ...\n")
    cli("build")
    cli("migrate")
    return database


def test_a_worker_runs_the_handlers_of_the_current_folder(cli: Cli, installed: str, tmp_path: Path) -> None:
    cli("create", "job", "n=1")
    _, err = (process := worker(tmp_path, "--until-idle")).communicate()
    assert process.returncode == 0, err
    assert json.loads(cli("ps", "--json").out)[0]["states"] == {"done": 1}


def test_a_worker_stops_in_order_at_sigterm(installed: str, tmp_path: Path) -> None:
    process = worker(tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if "works `app.job`" in line:
            process.send_signal(signal.SIGTERM)
            break
    _, err = process.communicate()
    assert process.returncode == 0
    assert "has stopped" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        ("async def went(task): ...\n", "has no function `go`"),
        ("import nothing_like_it\n", "which is not installed"),
    ],
)
def test_a_worker_whose_handler_is_missing_names_it(installed: str, tmp_path: Path, handler: str, says: str) -> None:
    (tmp_path / "handlers" / "work.py").write_text(handler)
    _, err = (process := worker(tmp_path)).communicate()
    assert process.returncode == 1
    assert says in err
    assert "Traceback" not in err


def test_a_worker_of_a_program_that_was_not_migrated_says_so(database: str, tmp_path: Path) -> None:
    project(tmp_path, "async def go(task): ...\n")
    _, err = (process := worker(tmp_path, "--dsn", database)).communicate()
    assert process.returncode == 4
    assert "jetpackc migrate" in err
