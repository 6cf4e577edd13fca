"""`python bench`: see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import report
from contest import Result, contest
from rig import Rig
from stages import Stages, stages
from steady import Speeds, steady


def main() -> None:
    """Measure, print Markdown, write JSON if asked to."""
    arguments = _arguments()
    rig = Rig(arguments.pg, arguments.bindir)
    try:
        result = contest(rig, arguments.jobs, arguments.batch, arguments.repeat)
        where = stages(rig, arguments.jobs, arguments.batch)
        speeds = steady(rig, arguments.steady, arguments.batch) if arguments.steady else {}
        versions = f"Postgres {rig.version}, Python {platform.python_version()}"
        text = report.markdown(result, where, speeds, versions)
    finally:
        rig.close()
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(_plain(result, where, speeds, versions), indent=2) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(text + "\n")


def _plain(result: Result, where: Stages, speeds: Speeds, versions: str) -> dict[str, object]:
    size = {"versions": versions, "jobs": result.jobs, "batch": result.batch}
    return {**size, "runs": result.runs, "microseconds": where, "steady": speeds}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help="tasks a measurement (100000)")
    parser.add_argument("--batch", type=int, default=500, help="tasks a claim and a finish (500)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds in which each contestant has its turn (5)")
    parser.add_argument("--steady", type=float, default=0, help="seconds of a steady state of each, besides (0)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    parser.add_argument("--bindir", type=Path, help="folder with the server's programs, in place of --pg")
    parser.add_argument("--json", type=Path, help="write every single measurement here")
    parser.add_argument("--markdown", type=Path, help="write what is printed here, too")
    return parser.parse_args()


main()
