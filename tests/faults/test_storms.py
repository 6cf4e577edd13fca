"""Each fault, for some seconds. `python bench/soak` does it for as long as you like."""

from __future__ import annotations

import pytest
from storms import FAULTS, play


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_and_nothing_done_twice(fault: str, pg: int) -> None:
    found = play(fault, seed=1, seconds=3.0, scale=1.5, pg=pg)
    assert found.mistakes == []
    assert found.strikes > 0
