"""`python bench/differential`: random programs in Postgres and in the reference interpreter; see docs/trust.md."""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from batch import Played, play
from server_side import server

from jetpackc.postgres import Server


@dataclass
class Total:
    """What a run came to."""

    programs: int = 0
    transitions: int = 0
    disagreements: int = 0
    otherwise: int = 0
    """Steps that both undid, each for another of several reasons."""
    seconds: float = 0


def main() -> int:
    """Play batches until there were enough programs. Exits 1 where they disagreed."""
    arguments = _arguments()
    total, begun = Total(), perf_counter()
    with server(arguments.pg) as found:
        for played in _batches(found, arguments):
            total.programs += played.programs
            total.transitions += played.transitions
            total.otherwise += played.otherwise
            total.seconds = round(perf_counter() - begun, 1)
            if played.disagreement:
                total.disagreements += 1
                print(played.disagreement, file=sys.stderr, flush=True)
            if arguments.progress:
                print(json.dumps(asdict(total)), file=sys.stderr, flush=True)
            if total.disagreements >= arguments.stop_after or total.programs >= arguments.programs:
                break
    found_by = f"Postgres {arguments.pg}, seed {arguments.seed}"
    print(_markdown(total, found_by))
    print(json.dumps({"pg": arguments.pg, "seed": arguments.seed, **asdict(total)}))
    if arguments.json:
        arguments.json.write_text(json.dumps({"pg": arguments.pg, "seed": arguments.seed, **asdict(total)}) + "\n")
    return int(total.disagreements > 0)


_joined: list[Server] = []
"""The server, in the processes that play: it cannot be handed over with each batch."""


def _batches(server: Server, arguments: argparse.Namespace) -> Iterator[Played]:
    """Batch after batch, in order, without end; as many at once as there are to be jobs."""
    pool = ProcessPoolExecutor(arguments.jobs, get_context("fork"), _join, (server,))
    begun = deque[Future[Played]]()
    try:
        for batch in count(arguments.first):
            begun.append(pool.submit(_play, f"{arguments.seed}-{batch}", arguments.machines, arguments.rounds))
            if len(begun) >= arguments.jobs:
                yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _join(server: Server) -> None:
    """A program is many small things that live as long as its batch: to look for garbage among them costs a tenth."""
    gc.set_threshold(200_000, 50, 100)
    _joined.append(server)


def _play(seed: str, machines: int, rounds: int) -> Played:
    return play(_joined[0], seed, machines, rounds)


def _markdown(total: Total, where: str) -> str:
    return (
        "| | programs | transitions | disagreements | undone by another error | seconds |\n|---|---|---|---|---|---|\n"
        f"| {where} | {total.programs:,} | {total.transitions:,} | {total.disagreements} | {total.otherwise} "
        f"| {total.seconds:,} |"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench/differential", description=__doc__)
    parser.add_argument("--programs", type=int, default=500, help="how many random programs to play (500)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same programs and events (1)")
    parser.add_argument("--first", type=int, default=0, help="the batch to begin with, to see one again (0)")
    parser.add_argument("--machines", type=int, default=50, help="programs a batch (50)")
    parser.add_argument("--rounds", type=int, default=24, help="rounds a batch, two steps a program each (24)")
    parser.add_argument("--jobs", type=int, default=1, help="batches at once (1)")
    parser.add_argument("--stop-after", type=int, default=1, help="disagreements after which to stop (1)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--progress", action="store_true", help="print the figures after each batch")
    return parser.parse_args()


sys.exit(main())
