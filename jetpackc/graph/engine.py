"""Runs the layout engine: the program of the `graphviz-pure` package, else the Graphviz of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig

SECONDS = 20


class LayoutError(Exception):
    """No engine, or none that answers. `help` says what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def engine() -> str:
    """The path of the program. Raises LayoutError."""
    found = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts")) or shutil.which("dot")
    if found is None:
        raise LayoutError(
            "nothing that lays out graphs is installed",
            "pip install 'jetpackc[viz]', or install Graphviz; mermaid and dot need neither",
        )
    return found


def laid_out(question: str) -> str:
    """The engine's answer, as JSON. Raises LayoutError."""
    program = engine()
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-Kdot", "-Tjson0"],
            input=question,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise LayoutError(
            f"`{program}` found no layout in {SECONDS} s",
            "mermaid and dot need none; composites make a large machine easier to lay out",
        ) from None
    except (subprocess.CalledProcessError, OSError) as error:
        raise LayoutError(f"`{program}` failed: {error}") from None
    return done.stdout
