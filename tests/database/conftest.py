"""A connection per test to a fresh database with the machines of its file, which stand in `MACHINES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from queue_client import Db

Fresh = Callable[[str], str]


@pytest.fixture
def dsn(fresh: Fresh, request: pytest.FixtureRequest) -> str:
    """The database, for tests with more than one session."""
    return fresh(request.module.MACHINES)


@pytest.fixture
def db(dsn: str) -> Iterator[Db]:
    """A first session in it."""
    with Db(dsn) as found:
        yield found


@pytest.fixture
def fresh_db(fresh: Fresh, request: pytest.FixtureRequest) -> Iterator[tuple[Db, Db]]:
    """Two equal databases."""
    with Db(fresh(request.module.MACHINES)) as one, Db(fresh(request.module.MACHINES)) as other:
        yield one, other
