"""The command line: one file a group of commands, each imported when it is called.

A shell: it reads files, prints and talks to databases, and leaves the thinking to the rooms beside it. Each command
returns its exit code: 0 done, 1 diagnostics or failure, 2 usage, 3 stale, 4 the database cannot be used, 70 our fault.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    from jetpackc.memory import without_collection  # `jetpackc.cli` itself must cost nothing to import

    with without_collection():
        from jetpackc.cli.run import run
    sys.exit(run(sys.argv[1:]))
