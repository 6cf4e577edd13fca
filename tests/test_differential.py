"""A bounded run of random programs in Postgres and in the reference interpreter: see docs/trust.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[1] / "bench" / "differential"


def test_postgres_and_the_interpreter_agree_on_random_programs(request: pytest.FixtureRequest) -> None:
    command = [sys.executable, HARNESS, "--programs", "20", "--machines", "15", "--seed", "20"]
    told = subprocess.run(
        [*command, "--pg", request.config.getoption("--pg")], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    figures = json.loads(told.stdout.splitlines()[-1])
    assert figures["disagreements"] == 0
    assert figures["transitions"] > 300
