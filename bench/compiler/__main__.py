"""How long the compiler takes, as a user sees it: whole processes, from the shell.

    .venv/bin/python bench/compiler            # Markdown
    .venv/bin/python bench/compiler --json

Programs of 125 to 1,000 machines of ten states show how it grows; a file of one screen shows what a save costs. It runs
the `jetpackc` beside its own Python, with its bytecode kept, as that of an installed package is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
JETPACKC = Path(sys.executable).with_name("jetpackc")
SIZES = (125, 250, 500, 1000)
SCREEN = ROOT / "examples" / "checkout" / "workflows.jet"
MACHINE = """
machine m{number}(order_id: bigint, email: text) {{
  var total: numeric = 0
  var note: text?

  initial state s0 {{
    on GO(amount: numeric) when amount > 0 -> s1 {{ set total = total + amount }}
    on GO                                  -> s2
  }}
  state s1 {{ on LOCKED_BY_WORKER -> s3 {{ increment attempts }} }}
  state s2 {{
    on NEXT -> s1
    on STOP -> s9
  }}
  state s3 {{
    run "app.work:go"
    timeout 30s
    on SUCCESS(note: text?)     -> s4 {{ set note = event.note }}
    on ERROR when attempts < 5  -> s1 in backoff(2s, attempts)
    on ERROR                    -> s9
  }}
  state s4 {{
    enter when total > 100 -> s5
    on NEXT                -> s6
  }}
  state s5 {{
    on NEXT -> s6
    on STOP -> s9
  }}
  state s6 {{ on NEXT -> s7 {{ set note = (note ?? "") ++ "x" }} }}
  state s7 {{
    on NEXT when total > 10 and note is not null -> s8
    on NEXT                                      -> s9
  }}
  final state s8
  failure state s9
}}
"""


@dataclass(frozen=True)
class Figure:
    """The median of the runs of one command, in seconds, and the fastest of them."""

    command: str
    machines: int
    median: float
    best: float


def timed(arguments: list[str], folder: Path, repeat: int) -> tuple[float, float]:
    """Median and minimum wall time of a process."""
    took = [_once(arguments, folder) for _ in range(repeat)]
    return statistics.median(took), min(took)


def _once(arguments: list[str], folder: Path) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    quiet = subprocess.DEVNULL
    subprocess.run([JETPACKC, *arguments], cwd=folder, check=True, stdout=quiet, stderr=quiet, env=environment)
    return time.perf_counter() - begun


def figures(repeat: int) -> list[Figure]:
    """All of them, the small ones first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _once(["build", "--stdout", str(SCREEN)], folder)
        found = [Figure("check, one screen", 4, *timed(["check", str(SCREEN)], folder, 4 * repeat))]
        for size in SIZES:
            text = "module big\n" + "".join(MACHINE.format(number=number) for number in range(size))
            (folder / f"{size}.jet").write_text(text, encoding="utf-8")
            for command in (["check"], ["build", "--stdout"]):
                took = timed([*command, f"{size}.jet"], folder, repeat)
                found.append(Figure(command[0], size, *took))
    return found


def markdown(found: list[Figure]) -> str:
    """The table of the documents."""
    lines = ["| command | machines | median, s | best, s | a machine, ms |", "|---|---|---|---|---|"]
    for one in found:
        each = f"{1000 * one.median / one.machines:.1f}" if one.machines > 4 else ""
        lines.append(f"| {one.command} | {one.machines:,} | {one.median:.2f} | {one.best:.2f} | {each} |")
    return "\n".join(lines)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each command (3)")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    found = figures(options.repeat)
    print(json.dumps([asdict(one) for one in found], indent=2) if options.json else markdown(found))


if __name__ == "__main__":
    main()
