"""Measures queues beside each other on one server; README.md beside this file tells what and how.

`python bench` measures everything, `python bench drain chain` two workloads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import report
from bout import BoutError
from environments import InstallError, command
from outcome import Results
from plots import draw
from roster import FLOOR, OURS, Entry, RosterError, entries, find
from stand import Rig
from workloads import QUICK, WORKLOADS, Size, Workload

ALWAYS = [OURS, FLOOR, f"{FLOOR}@500", "floor-delete"]


def main() -> None:
    """Measure, print Markdown, write what else is asked for."""
    arguments = _arguments()
    size = _size(arguments)
    chosen = [WORKLOADS[name] for name in arguments.workloads or WORKLOADS]
    try:
        contestants = find(arguments.only or [*ALWAYS, *_peers(arguments.peers)])
        for contestant in contestants:
            command(contestant)
    except (RosterError, InstallError) as error:
        sys.exit(str(error))
    rig = Rig(arguments.pg, arguments.bindir)
    try:
        results = _measure(rig, chosen, contestants, size, arguments.repeat)
        about = _about(rig, size, arguments.repeat)
    finally:
        rig.close()
    _tell(results, about, arguments)
    sys.exit(1 if results.errors else 0)


def _measure(rig: Rig, chosen: list[Workload], contestants: list[Entry], size: Size, rounds: int) -> Results:
    """In each round all contestants take turns at each workload, each round in another order. Who fails at one has no
    further turn at it."""
    results = Results()
    failed: set[tuple[str, str]] = set()
    for workload, entry in _turns(chosen, contestants, rounds):
        if (workload.name, entry.name) in failed:
            continue
        start = monotonic()
        try:
            results.add(workload.name, entry.name, workload.measure(rig, entry, size))
            print(f"{workload.name}: {entry.name} ({monotonic() - start:.1f} s)", file=sys.stderr, flush=True)
        except (BoutError, subprocess.TimeoutExpired) as error:
            failed.add((workload.name, entry.name))
            results.errors.append(f"{workload.name}, {entry.name}: {error}")
            print(results.errors[-1], file=sys.stderr, flush=True)
    return results


def _turns(chosen: list[Workload], contestants: list[Entry], rounds: int) -> Iterator[tuple[Workload, Entry]]:
    for number in range(rounds):
        for workload in chosen:
            takes = [entry for entry in contestants if workload.takes(entry, OURS)]
            shift = number % len(takes) if takes else 0
            yield from ((workload, entry) for entry in takes[shift:] + takes[:shift])


def _tell(results: Results, about: str, arguments: argparse.Namespace) -> None:
    text = report.markdown(results, about)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(report.plain(results, about), indent=2) + "\n")
    if arguments.plots:
        draw(results, arguments.plots)


def _about(rig: Rig, size: Size, rounds: int) -> str:
    machine = f"{os.cpu_count()} processors, Python {platform.python_version()}, Postgres {rig.version}"
    much = f"{size.share:g} of each contestant's own number of jobs, {size.seconds:g} s of what lasts"
    return f"{machine}; {much}; medians of {rounds} interleaved rounds; us: microseconds of processor time a job"


def _peers(names: str) -> list[str]:
    return list(entries()) if names == "all" else [name for name in names.split(",") if name]


def _size(arguments: argparse.Namespace) -> Size:
    size = QUICK if arguments.quick else Size()
    told = {name: getattr(arguments, name) for name in ("share", "seconds", "live", "kept")}
    return replace(size, **{name: value for name, value in told.items() if value is not None})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    known = "\n".join(f"{name}: {workload.about}" for name, workload in WORKLOADS.items())
    parser.add_argument("workloads", nargs="*", choices=[[], *WORKLOADS], metavar="WORKLOAD", help=known)
    peers = ", ".join(name for name, entry in entries().items() if not entry.here)
    parser.add_argument(
        "--peers",
        default="",
        metavar="A,B",
        help=f"besides {', '.join(ALWAYS)}: `all`, or of\n{peers};\nNAME@50 has batches of 50",
    )
    parser.add_argument("--only", type=_peers, metavar="A,B", help="these contestants and no others")
    parser.add_argument("--repeat", type=int, default=3, help="rounds in which each has its turn (3)")
    parser.add_argument("--quick", action="store_true", help="tiny: shows that all works, measures nothing")
    parser.add_argument(
        "--share", type=float, help="of each contestant's own number of jobs, about a second of work (1)"
    )
    parser.add_argument("--seconds", type=float, help="of what goes on for a time (60)")
    parser.add_argument("--live", type=int, help="tasks that wait for later in `scale` (100000)")
    parser.add_argument("--kept", type=int, help="tasks that were done before in `scale` (300000)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    parser.add_argument("--bindir", type=Path, help="folder with the server's programs, in place of --pg")
    parser.add_argument("--json", type=Path, help="write every single measurement here")
    parser.add_argument("--markdown", type=Path, help="write what is printed here, too")
    parser.add_argument("--plots", type=Path, help="draw into this folder, as SVG")
    return parser.parse_args()


if __name__ == "__main__":
    main()
