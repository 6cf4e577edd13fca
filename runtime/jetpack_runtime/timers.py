"""Fires timers that are due, of all machines of the database, on a connection of its own.

A machine's sweep says when to look again. Between its answers a notification, or the next poll, brings what was set
meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import psycopg

from . import sql
from .database import Link, brief, broken
from .roster import Roster

LOG = logging.getLogger("jetpack")

BATCH = 100
"""The most timers fired in one transaction."""

MARK_LIFE = 60.0
"""Seconds after which a machine is looked through from the start again."""

TROUBLED = 10.0
"""Seconds for which a machine whose sweep failed is left alone."""


class Clock:
    """Where the sweep of one machine stands: its mark, and when to look next."""

    __slots__ = ("look_at", "mark", "mark_until", "name", "statement")

    def __init__(self, module: str, machine: str) -> None:
        self.name = f"{module}.{machine}"
        self.statement = sql.of(module, machine).fire
        self.mark: str | None = None
        self.mark_until = 0.0
        self.look_at = 0.0


class Sweeper:
    """Sweeps while `run` does. `poll` is in seconds, as the worker's. `fired` is called with a machine's name after a
    sweep that found something."""

    def __init__(self, link: Link, roster: Roster, poll: float, fired: Callable[[str], None]) -> None:
        self._link = link
        self._fired = fired
        self._roster = roster
        self._poll = poll
        self._clocks: dict[str, Clock] = {}
        self._news = asyncio.Event()
        self._sweeping = asyncio.Lock()

    def wake(self, name: str) -> None:
        """A machine has something new, says a notification."""
        if clock := self._clocks.get(name):
            clock.look_at = 0.0
            self._news.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self._round()
            except (psycopg.Error, OSError, TimeoutError) as error:
                for clock in self._clocks.values():
                    clock.mark = None
                await self._link.failed(error)
            await self._sleep()

    async def fire_due(self) -> bool:
        """Fire all there is now. Was there anything?"""
        found = False
        for clock in self._known():
            while await self._try(clock):
                found = True
        return found

    def _known(self) -> list[Clock]:
        names = self._roster.timed
        self._clocks = {name: self._clocks.get(name) or Clock(*name.split(".")) for name in names}
        return list(self._clocks.values())

    async def _round(self) -> None:
        """One batch of each machine that is due."""
        for clock in self._known():
            if clock.look_at <= monotonic():
                await self._try(clock)

    async def _try(self, clock: Clock) -> int:
        """How many were fired. What one machine alone has trouble with does not stop the others."""
        try:
            return await self._fire(clock)
        except psycopg.Error as error:
            if broken(error):
                raise
            LOG.warning("timers of `%s` cannot be fired, trying again: %s", clock.name, brief(error))
            clock.mark, clock.look_at = None, monotonic() + TROUBLED
            return 0

    async def _fire(self, clock: Clock) -> int:
        async with self._sweeping:
            if monotonic() >= clock.mark_until:
                clock.mark, clock.mark_until = None, monotonic() + MARK_LIFE
            await self._link.get()
            rows = await self._link.fetch(clock.statement, (BATCH, clock.mark))
        clock.mark = rows[0][0]
        answer = json.loads(rows[0][0])
        clock.look_at = monotonic() + min(float(answer["next"]), self._poll)
        if answer["fired"]:
            self._fired(clock.name)
        return int(answer["fired"])

    async def _sleep(self) -> None:
        until = min((clock.look_at for clock in self._clocks.values()), default=monotonic() + self._poll)
        if (seconds := until - monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        self._news.clear()
