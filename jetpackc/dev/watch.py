"""Notices saves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from watchfiles import Change, watch

TICK = 300
"""Milliseconds between looks when nothing is saved."""

_SUFFIXES = (".jet", ".py")
_NOT_OURS = {"__pycache__", "node_modules"}


State = dict[Path, tuple[int, int]]


def state(folder: Path) -> State:
    """What a person has written there, as far as a save changes it: time and size of each source and handler."""
    found: State = {}
    for path in (path for place in _folders(folder) for path in place.iterdir()):
        if path.suffix in _SUFFIXES:
            with suppress(FileNotFoundError):  # an editor replaces files
                status = path.stat()
                found[path] = (status.st_mtime_ns, status.st_size)
    return found


def ticks(folder: Path) -> Iterator[None]:
    """For ever, each time that something may have been saved, and now and then. Raises KeyboardInterrupt at Ctrl-C."""
    while True:
        watched = _folders(folder)
        for changes in watch(
            *watched,
            watch_filter=_is_source,
            debounce=200,
            rust_timeout=TICK,
            yield_on_timeout=True,
            recursive=False,  # or the database's own files would wake us all the time
            ignore_permission_denied=True,
        ):
            yield
            if changes and _folders(folder) != watched:
                break


def _is_source(change: Change, path: str) -> bool:  # noqa: ARG001
    return path.endswith(_SUFFIXES) or os.path.isdir(path)  # a new folder may hold new sources


def _folders(folder: Path) -> list[Path]:
    """The folders that hold what a person writes."""
    found = []
    for place, names, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            names.clear()
            continue
        names[:] = [name for name in names if not name.startswith(".") and name not in _NOT_OURS]
        found.append(Path(place))
    return sorted(found)
