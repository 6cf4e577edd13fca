"""All faults by name, played for so many seconds: what the tests do shortly, and `bench/soak` for long."""

from __future__ import annotations

import asyncio
import random
from time import monotonic

import storms
from interleavings import Board, cases
from load import Load
from rig import database, server
from statements import OFTEN, SELDOM, cut_through, sweep_of
from storms import Found

NAMES = (*storms.FAULTS, "statements", "interleavings")


def play(name: str, seed: int, seconds: float, *, scale: float = 1.0, pg: int = 18, long: bool = False) -> Found:
    """One round of a fault. `scale` sizes the load of those that have one, times some 200 tasks. Raises AssertionError
    where tasks are left that nothing ends."""
    if name == "interleavings":
        return _interleave(seed, seconds, pg)
    if name == "statements":
        return _cut_all(seed, pg)
    return storms.play(name, seed, seconds, scale=scale, pg=pg, long=long)


def _interleave(seed: int, seconds: float, pg: int) -> Found:
    """As many cases as there is time for, in an order that the seed tells."""
    begun = monotonic()
    chosen = list(cases())
    random.Random(seed).shuffle(chosen)
    mistakes: list[str] = []
    played = 0

    async def judge(dsn: str) -> None:
        nonlocal played
        board = Board(dsn)
        await board.open()
        for case in chosen:
            if monotonic() > begun + seconds:
                break
            if mistake := await board.judge(case):
                mistakes.append(mistake)
            played += 1
        await board.close()

    with server(pg) as found:
        asyncio.run(judge(found.dsn()))
    return Found("interleavings", seed, played * 4, played, 0, round(monotonic() - begun, 1), mistakes)


def _cut_all(seed: int, pg: int) -> Found:
    """Every call, each with a load of its own."""
    begun = monotonic()
    mistakes: list[str] = []
    tasks = strikes = repeated = 0
    with server(pg) as found:
        for call in random.Random(seed).sample((*OFTEN, *SELDOM), len(OFTEN) + len(SELDOM)):
            with database(found) as dsn:
                load, sweep = Load(dsn, seed), sweep_of(call)
                asyncio.run(cut_through(found, load, sweep))
                mistakes += [f"{call}: {mistake}" for mistake in load.mistakes()]
                tasks, strikes, repeated = tasks + load.total, strikes + len(sweep.cuts), repeated + load.repeated
    return Found("statements", seed, tasks, strikes, repeated, round(monotonic() - begun, 1), mistakes)
