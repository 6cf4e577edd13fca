"""Says so when a handler holds up the event loop: an async one that blocks holds up heartbeats and other handlers."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from time import monotonic

LOG = logging.getLogger("jetpack")

LEAST = 1.0
"""Seconds that the loop may be held up without a word."""

LOOKS = 4
"""Looks at the loop in the time that it may be held up."""

FRAMES = 5
"""Innermost calls that are logged."""


class Stalls:
    """Watches the event loop from a thread while `run` does; a loop that is held up for `limit` seconds, or LEAST if
    that is more, is logged once, with where its code stands."""

    def __init__(self, limit: float) -> None:
        self._limit = max(limit, LEAST)
        self._seen = monotonic()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        self._seen = monotonic()
        loop = threading.get_ident()
        threading.Thread(target=self._watch, args=(loop,), name="jetpack-stalls", daemon=True).start()
        try:
            while True:
                self._seen = monotonic()
                await asyncio.sleep(self._limit / LOOKS)
        finally:
            self._ended.set()

    def _watch(self, loop: int) -> None:
        told: float | None = None
        while not self._ended.wait(self._limit / LOOKS):
            seen = self._seen
            if told is not None and seen != told:
                LOG.warning("the event loop goes on, after %.1f s", seen - told)
                told = None
            if told is None and monotonic() - seen >= self._limit:
                told = seen
                LOG.warning(
                    "the event loop has been held up for %.1f s, and with it heartbeats and handlers: does an async"
                    " handler block? It stands in:\n%s",
                    *(monotonic() - seen, _where(loop)),
                )


def _where(thread: int) -> str:
    """The innermost calls of a thread."""
    frame = sys._current_frames().get(thread)
    return "".join(traceback.format_stack(frame)[-FRAMES:]).rstrip() if frame is not None else "(nowhere)"
