"""What the suite says of itself: which tests a second run, on another version of Postgres, may leave out."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ASKS = f'getoption("{"--pg"}")'


def test_the_version_is_asked_for_in_one_place() -> None:
    """So what does not take the fixture `pg` does the same on every version, and `--only-database` may leave it out."""
    asking = [path.name for path in sorted(TESTS.rglob("*.py")) if ASKS in path.read_text(encoding="utf-8")]
    assert asking == ["conftest.py"]


def test_what_takes_a_database_takes_the_version(database: str, request: pytest.FixtureRequest) -> None:
    assert database
    assert "pg" in request.fixturenames
