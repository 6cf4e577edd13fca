"""One function over many things, on all the processor's cores."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import pairwise
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

FEWEST = 64
"""How many things are worth a second process; it takes as long to begin as a few machines take to compile."""

MOST_PROCESSES = 8
"""More only wait for the one that gathers what they made."""


def mapped(call: Callable[[T], R], things: Sequence[T], handing: float = 0.0) -> list[R]:
    """`[call(thing) for thing in things]`, in a process a core where there are many.

    The others are copies of this process, so nothing is handed to them, but what they make is pickled: `handing` tells
    how long that takes, in parts of the time of the call. What one of them failed to make is made here: an error is
    raised as it would be without them.
    """
    processes = _processes() if len(things) >= FEWEST else 1
    if processes > 1:
        whole = processes + handing
        bounds = [0, *(round(len(things) * (index + handing) / whole) for index in range(1, processes + 1))]
        with suppress(OSError):  # there is no room for another process
            return _made_together(call, [things[start:end] for start, end in pairwise(bounds)])
    return [call(thing) for thing in things]


def _processes() -> int:
    """How many may work. Only Linux copies a process with all that it has loaded, and only one without threads is whole
    in the copy."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def _made_together(call: Callable[[T], R], shares: Sequence[Sequence[T]]) -> list[R]:
    first, *others = shares
    with ExitStack() as ends:
        helpers = [ends.enter_context(closing(_Helper(call, share))) for share in others]
        made = [call(thing) for thing in first]
        for helper in helpers:
            made += helper.made()
        return made


class _Helper(Generic[T, R]):
    """A copy of this process, at work on its share. Raises OSError where the system has no room for it."""

    def __init__(self, call: Callable[[T], R], share: Sequence[T]) -> None:
        self._call = call
        self._share = share
        reading, writing = os.pipe()
        self._answer = os.fdopen(reading, "rb")
        try:
            self._process = os.fork()
            if self._process == 0:
                _work(call, share, writing)
        finally:
            os.close(writing)

    def made(self) -> list[R]:
        """What it made; what it ought to have made, where it came to grief."""
        import pickle

        pickled = self._answer.read()
        _, status = os.waitpid(self._process, 0)
        self._process = 0
        if status != 0:
            return [self._call(thing) for thing in self._share]
        made: list[R] = pickle.loads(pickled)  # noqa: S301 - by a copy of this process
        return made

    def close(self) -> None:
        """Stop it, where nobody waits for it any more."""
        self._answer.close()
        if self._process:
            import signal

            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)


def _work(call: Callable[[T], R], share: Sequence[T], pipe: int) -> NoReturn:
    """Be a helper. It ends without a word, and without what else ends with this process: files, exit handlers."""
    import pickle

    status = 1
    try:
        with os.fdopen(pipe, "wb") as answer:
            pickle.dump([call(thing) for thing in share], answer, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)
