"""A sample of all interleavings; `python bench/soak --fault interleavings` plays them all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from interleavings import LEVELS, Board, Case, Operation, cases

SAMPLE = 50
LOSES_UPDATES = Operation(
    "read, then write",
    (
        "select set_config('x.read', name, true) from jet.worker where id = 2",
        "update jet.worker set name = current_setting('x.read') || '!' where id = 2 returning name",
    ),
    by_worker=False,
)


@pytest.mark.parametrize("seed", range(4))
def test_what_two_transactions_come_to_is_what_a_serial_order_makes(seed: int, fresh: Callable[[str], str]) -> None:
    async def judge() -> None:
        board = Board(fresh(""))
        await board.open()
        for case in random.Random(seed).sample(list(cases()), SAMPLE):
            assert await board.judge(case) is None
        await board.close()

    asyncio.run(judge())


@pytest.mark.parametrize("level", LEVELS)
def test_a_lost_update_is_noticed_and_a_refused_one_is_none(level: str, fresh: Callable[[str], str]) -> None:
    async def judge() -> str | None:
        board = Board(fresh(""))
        await board.open()
        order = (0, 1, 0, 0, 1, 1) if level == LEVELS[0] else (0, 0, 1, 1, 0, 0, 1, 1)
        try:
            return await board.judge(Case((LOSES_UPDATES, LOSES_UPDATES), (level, level), order))
        finally:
            await board.close()

    found = asyncio.run(judge())
    assert (found is not None) == (level == "read committed")
