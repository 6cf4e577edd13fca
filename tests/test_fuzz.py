"""Garbage gives no traceback, never hangs, and never becomes SQL that Postgres refuses. More: bench/fuzz."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "bench" / "fuzz"))

import campaign
import trial

TEXTS = 350


@pytest.mark.parametrize("seed", range(4))
def test_no_garbage_is_too_much(seed: int, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge = trial.Judge(database)
    run = campaign.Campaign(seed, judge, tmp_path, tmp_path / "kept")
    for _ in range(TEXTS):
        run.step()
    judge.close()
    assert run.found == 0, capsys.readouterr().out
    assert run.texts.total() == TEXTS
    assert run.installed > 5


def test_a_text_that_takes_too_long_is_noticed() -> None:
    with pytest.raises(trial.HangError), trial.bounded(0.05):
        for _ in itertools.count():  # a loop in C alone would never see the signal
            pass


def test_sql_that_postgres_refuses_is_noticed(database: str) -> None:
    judge = trial.Judge(database)
    good = "create schema m; create function m.f() returns void language plpgsql as 'begin return; end'"
    assert judge.refusal(good) is None
    assert "unexpected end" in (judge.refusal(good.replace("return;", "retrun")) or "")
    assert not judge.checks or "does not exist" in (judge.refusal(good.replace("return;", "perform m.g();")) or "")
    judge.close()
