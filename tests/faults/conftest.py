"""The program that the tests of faults run."""

from __future__ import annotations

import pytest

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.source import Source


@pytest.fixture
def program(request: pytest.FixtureRequest) -> str:
    """All SQL of the machines of the test's file."""
    found = compile_sources([Source("faults.jet", request.module.MACHINES)]).program
    assert found is not None
    return "\n\n".join(one.create for one in emit(found) if not one.within)
