"""Colours, where they are wanted: on a terminal, and not under NO_COLOR (no-color.org)."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

import click


def colored(stream: IO[Any]) -> bool:
    """Whether to colour what goes to `stream`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns(stream: IO[Any]) -> int:
    """How wide the terminal is that `stream` goes to; 0 where it is none, so that nothing is broken or cut there."""
    if not stream.isatty():
        return 0
    import shutil  # which imports all kinds of compression

    return shutil.get_terminal_size().columns


def fault(text: str) -> str:
    """What is wrong."""
    return _styled(text, fg="red", bold=True)


def strong(text: str) -> str:
    """What to look at."""
    return _styled(text, bold=True)


def dim(text: str) -> str:
    """What is beside the point."""
    return _styled(text, dim=True)


def _styled(text: str, **style: Any) -> str:
    return click.style(text, **style) if colored(sys.stderr) and colored(sys.stdout) else text


def say(text: str) -> None:
    """Progress: on stderr, so that stdout holds results alone."""
    click.echo(text, err=True)
