"""Thousands of tasks, events, timers and joins, while things break: see docs/reliability.md.

python bench/soak --minutes 10 --seed 1
python bench/soak --minutes 60 --seed 7 --fault restarted --json figures.json

Rounds follow one another until time is up, each with the next seed, each under the next of the faults. After a round
every history is checked, hop by hop. `--first N` begins with the N-th round, to see one again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict
from itertools import count
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "faults"))

from plays import NAMES, play
from storms import Found

COLUMNS = ("rounds", "tasks", "strikes", "calls repeated", "mistakes", "seconds")


def main() -> int:
    """Play rounds and print what they came to. Exits 1 where something was lost, doubled or out of order."""
    options = _arguments()
    faults = options.fault or list(NAMES)
    found: list[Found] = []
    end = monotonic() + options.minutes * 60
    for number in count(options.first):
        if monotonic() >= end and found:
            break
        name, seed = faults[number % len(faults)], options.seed * 100_000 + number
        one = play(name, seed, options.seconds, scale=options.scale, pg=options.pg, long=True)
        found.append(one)
        print(f"round {number}: {name}, {one.tasks} tasks, {one.strikes} strikes", file=sys.stderr, flush=True)
        for mistake in one.mistakes:
            print(f"round {number} (--first {number}): {mistake}", file=sys.stderr, flush=True)
        if one.mistakes:
            break
    print(_markdown(found))
    if options.json:
        figures = {"pg": options.pg, "seed": options.seed, "rounds": [asdict(one) for one in found]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(one.mistakes for one in found))


def _markdown(found: list[Found]) -> str:
    """A table, a row a fault."""
    totals: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * len(COLUMNS))
    for one in found:
        row = (1, one.tasks, one.strikes, one.repeated, len(one.mistakes), one.seconds)
        totals[one.fault] = [sum(pair) for pair in zip(totals[one.fault], row, strict=True)]
    lines = [f"| fault | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{figure:,.0f}' for figure in row)} |" for name, row in totals.items()]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python bench/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5, help="for how long to play rounds (5)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices (1)")
    parser.add_argument("--fault", action="append", choices=NAMES, help="only this one; may be repeated (all)")
    parser.add_argument("--first", type=int, default=0, help="the round to begin with (0)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long a round is struck (60)")
    parser.add_argument("--scale", type=float, default=20, help="the size of a round's load, times 200 tasks (20)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
