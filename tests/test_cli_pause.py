"""`pause`, `resume`, `drain` on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from told import Cli

sys.path.append(str(Path(__file__).parent / "database"))

from queue_client import Db
from sessions import in_thread

TEXT = """\
module m

machine job(n: int = 0) {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running { run "app:f"  on SUCCESS, ERROR -> again }
  state again { on LOCKED_BY_WORKER -> rerunning }
  state rerunning { run "app:f"  on SUCCESS, ERROR -> done }
  final state done
}

machine sign { initial state shut { on TURN -> open }  state open { on TURN -> shut } }
"""


@pytest.fixture
def db(fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[Db]:
    dsn = fresh(TEXT)
    monkeypatch.setenv("DATABASE_URL", dsn)
    with Db(dsn) as found:
        yield found


def test_pause_and_resume_and_ps_tells(db: Db, cli: Cli) -> None:
    assert cli("pause", "job").err == "paused m.job\n"
    assert "m.job  paused" in cli("ps").out
    assert json.loads(cli("ps", "--json").out)[0]["paused"] == [""]
    assert cli("resume", "m.job").err == "resumed m.job\n"
    assert cli("resume", "m.job").err == "nothing of m.job was paused\n"
    assert cli("pause", "job", "--state", "again").err == "paused again of m.job\n"
    assert "paused again" in cli("ps").out
    assert cli("resume", "job", "--state", "rerunning").code == 0
    assert db.value("select count(*) from jet.paused") == 0


def test_a_wrong_state_or_machine_is_a_usage_error(db: Db, cli: Cli) -> None:
    told = cli("pause", "job", "--state", "agin")
    assert (told.code, "did you mean `again`?" in told.err) == (2, True)
    told = cli("drain", "job", "--state", "nowhere")
    assert (told.code, "its queues: `again`, `ready`" in told.err) == (2, True)
    assert cli("resume", "jub").code == 2
    assert cli("drain", "job", "--timeout", "soon").code == 2
    assert db.value("select count(*) from jet.paused") == 0


def test_one_state_of_what_is_paused_as_a_whole_does_not_go_on(db: Db, cli: Cli) -> None:
    cli("pause", "job")
    told = cli("resume", "job", "--state", "again")
    assert told.code == 1
    assert "m.job is paused as a whole\n  = help: resume all of it: `jetpackc resume m.job`" in told.err
    assert db.value("select count(*) from jet.paused") == 1


def test_what_no_worker_claims_from_is_not_paused(db: Db, cli: Cli) -> None:
    told = cli("pause", "sign")
    assert (told.code, "no worker claims from `m.sign`" in told.err) == (2, True)
    assert db.value("select count(*) from jet.paused") == 0


def test_drain_of_what_is_idle_ends_at_once(db: Db, cli: Cli) -> None:
    db.create("job")
    told = cli("drain", "job")
    assert (told.code, told.err) == (0, "paused m.job\nnothing of m.job is at work\n")
    assert db.claim("job", db.worker()).ids == []


def test_drain_waits_for_what_is_at_work(db: Db, cli: Cli) -> None:
    ids = [db.create("job") for _ in range(3)]
    worker = db.worker()
    tasks = db.claim("job", worker).tasks
    told = cli("drain", "job", "--timeout", "300ms")
    assert told.code == 1
    assert f"still at work: {', '.join(map(str, ids))}" in told.err
    with Db(db.dsn) as other:
        thread = in_thread(lambda: [other.resolve("job", worker, task, "SUCCESS") for task in tasks])
        assert cli("drain", "job").code == 0
        thread.join()
    assert [db.state("job", id) for id in ids] == ["again"] * 3


def test_drain_waits_for_a_claim_that_began_before_the_pause(db: Db, cli: Cli) -> None:
    id = db.create("job")
    with Db(db.dsn) as other:
        other.begin()
        (task,) = other.claim("job", worker := db.worker()).tasks
        told = cli("drain", "job", "--timeout", "300ms")
        assert (told.code, "a claim is under way" in told.err) == (1, True)
        other.commit()
    assert f"still at work: {id}" in cli("drain", "job", "--timeout", "300ms").err
    db.resolve("job", worker, task, "SUCCESS")
    assert cli("drain", "job").code == 0
