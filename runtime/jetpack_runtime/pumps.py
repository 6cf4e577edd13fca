"""Applies the messages that tasks have for each other, of all machines of the database, on a connection of its own.

A machine is pumped when this worker has committed something that may have left messages for it, when a notification
says so, and with each poll. A machine that hears nothing is never asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import psycopg

from . import sql
from .database import Link, brief, broken
from .roster import Roster

LOG = logging.getLogger("jetpack")

BATCH = 500
"""The most tasks that one transaction applies messages to."""

ECHOES = (0.020, 0.100)
"""Seconds to the next looks after one that found nothing: somebody may have held the receiver."""

TROUBLED = 10.0
"""Seconds for which a machine whose pump failed is left alone."""


class Mailbox:
    """Where the pump of one machine stands: when to look next, and how often it found nothing."""

    __slots__ = ("look_at", "misses", "name", "statement")

    def __init__(self, module: str, machine: str) -> None:
        self.name = f"{module}.{machine}"
        self.statement = sql.of(module, machine).pump
        self.look_at = 0.0
        self.misses = 0

    def wake(self) -> None:
        """Look at once."""
        self.look_at, self.misses = 0.0, 0


class Pumper:
    """Pumps while `run` does. `poll` is in seconds, as the worker's. `applied` is called when messages were."""

    def __init__(self, link: Link, roster: Roster, poll: float, applied: Callable[[], None]) -> None:
        self._link = link
        self._applied = applied
        self._roster = roster
        self._poll = poll
        self._boxes: dict[str, Mailbox] = {}
        self._news = asyncio.Event()
        self._pumping = asyncio.Lock()

    def wake(self, name: str) -> None:
        """A machine has messages, says a notification."""
        if box := self._boxes.get(name):
            box.wake()
            self._news.set()

    def dispatched(self, name: str) -> None:
        """Tasks of a machine have made transitions, which may have left messages."""
        for reached in self._roster.reaches.get(name, ()):
            self.wake(reached)

    async def run(self) -> None:
        """Pump until cancelled."""
        while True:
            try:
                await self._round()
            except (psycopg.Error, OSError, TimeoutError) as error:
                await self._link.failed(error)
            await self._sleep()

    async def pump_all(self) -> bool:
        """Apply all there is now. Was there anything?"""
        found = False
        again = True
        while again:
            again = False
            for box in self._known():
                again = await self._try(box) > 0 or again
            found = found or again
        return found

    def _known(self) -> list[Mailbox]:
        names = self._roster.hearing
        self._boxes = {name: self._boxes.get(name) or Mailbox(*name.split(".")) for name in names}
        return list(self._boxes.values())

    async def _round(self) -> None:
        for box in self._known():
            if box.look_at <= monotonic():
                await self._try(box)

    async def _try(self, box: Mailbox) -> int:
        """How many messages were applied. What one machine alone has trouble with does not stop the others."""
        try:
            async with self._pumping:
                await self._link.get()
                rows = await self._link.fetch(box.statement, (BATCH,))
        except psycopg.Error as error:
            if broken(error):
                raise
            LOG.warning("messages of `%s` cannot be applied, trying again: %s", box.name, brief(error))
            box.look_at = monotonic() + TROUBLED
            return 0
        applied = int(rows[0][0])
        if applied:
            box.wake()
            self.dispatched(box.name)
            self._applied()
        else:
            pause = ECHOES[box.misses] if box.misses < len(ECHOES) else self._poll
            box.look_at, box.misses = monotonic() + pause, box.misses + 1
        return applied

    async def _sleep(self) -> None:
        until = min((box.look_at for box in self._boxes.values()), default=monotonic() + self._poll)
        if (seconds := until - monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        self._news.clear()
