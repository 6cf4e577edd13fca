"""What keeps a handler that forks from being two workers.

A forked child has the parent's event loop and its connections: what it reads or writes there, the parent misses. So the
loop's selector is closed in the child, which has a copy of its own, and a child that comes back from its handler ends.
One that minds its own business, as those of `multiprocessing` do, notices nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from weakref import WeakSet

LOG = logging.getLogger("jetpack")

STRAY = 70
"""The exit code of a child that came back."""

_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def _cut_off() -> None:
    """In a child: nothing more comes to this process through the parent's loops."""
    for loop in list(_loops):
        selector = getattr(loop, "_selector", None)
        with suppress(Exception):  # whatever loop that is: the child is the handler's
            if selector is not None:
                selector.close()


os.register_at_fork(after_in_child=_cut_off)


class Home:
    """The process that a worker runs in."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        _loops.add(asyncio.get_running_loop())

    def check(self, who: object) -> None:
        """End this process if it is a child that came back from the handler of `who`."""
        if os.getpid() != self._pid:
            LOG.error("%s: its handler forked, and the child came back from it; the child ends", who)
            os._exit(STRAY)
