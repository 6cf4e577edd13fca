"""`python bench/fuzz --seconds 900`: garbage for the compiler, until the time is over or Ctrl-C.

It must never give a traceback, never take longer than its budget, and what it makes SQL of, Postgres must take. What
breaks that is printed and kept in --keep; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from campaign import Campaign
from trial import Judge

from jetpackc.postgres import Server, find_binaries

SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def main() -> int:
    """Run, and print the figures."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="jetpack-fuzz-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Server(folder / "data", find_binaries(arguments.pg), SETTINGS)
        server.start()
        judge = Judge(server.dsn())
        fuzz = Campaign(arguments.seed, judge, folder, arguments.keep)
        began = time.monotonic()
        try:
            while time.monotonic() - began < arguments.seconds:
                fuzz.step()
        except KeyboardInterrupt:
            pass
        finally:
            judge.close()
            server.stop("immediate")
        print(fuzz.summary(time.monotonic() - began))
        print(", ".join(f"{kind} {count:,} ({fuzz.programs[kind]:,})" for kind, count in sorted(fuzz.texts.items())))
        return 1 if fuzz.found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=0, help="the same texts for the same seed (0)")
    parser.add_argument("--pg", type=int, default=18, help="major version of the server (18)")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for what breaks something")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
