"""Which machines this worker works: those it knows, in the version it expects, whose handlers can be found.

What the database holds may change under a running worker, by a migration: the roster is read again every few seconds.
A machine that is not known, or has another hash than expected, is left alone with one line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from . import sql
from .database import Link
from .errors import HandlerError, UnknownMachine, did_you_mean
from .handlers import Handlers, bind, machine_of
from .jobs import Served
from .manifest import Machine, read

LOG = logging.getLogger("jetpack")


class Roster:
    """`served` holds the machines to work, by name, `timed` the names of all in the database that have timers,
    `hearing` of those that take messages, `reaches` says of those that leave some for which.

    `machines` are the names this worker was told to work, `handlers` the functions bound to them; with neither, every
    machine of the database whose `run` functions can be imported. `expected` gives hashes by name.
    """

    def __init__(
        self, handlers: Handlers | None, machines: Iterable[str] | None, expected: Mapping[str, str] | None
    ) -> None:
        self._handlers: Handlers = handlers or {}
        told = {machine_of(key) for key in self._handlers} | set(machines or ())
        self._told = told if handlers is not None or machines is not None else None
        self._expected = expected or {}
        self._hashes: dict[str, str] = {}
        self.served: dict[str, Served] = {}
        self.timed: list[str] = []
        self.hearing: list[str] = []
        self.reaches: dict[str, tuple[str, ...]] = {}

    async def start(self, link: Link) -> None:
        """Read the machines for the first time.

        Raises UnknownMachine for one the worker was told to work and that is not there, HandlerError for a handler of
        such a machine that cannot be found.
        """
        found = await self._load(link)
        for name in sorted(self._told or ()):
            if name not in found:
                hint = did_you_mean(name, found) or "apply its migration first: `jetpackc migrate`"
                raise UnknownMachine(f"the database has no machine `{name}`", hint)
        for machine in found.values():
            self._take(machine, strict=self._told is not None)

    async def refresh(self, link: Link) -> bool:
        """Read again what a migration may have changed. True if it did."""
        rows = await link.fetch(sql.MACHINES)
        hashes = {f"{module}.{name}": hash for module, name, hash in rows}
        if hashes == self._hashes:
            return False
        changed = {name for name, hash in hashes.items() if self._hashes.get(name) != hash}
        for name in self._hashes.keys() - hashes.keys():
            self._hashes.pop(name)
            if self.served.pop(name, None):
                LOG.warning("machine `%s` is gone from the database", name)
        for name, machine in (await self._load(link)).items():
            if name in changed:
                self._take(machine, strict=False)
        return True

    async def _load(self, link: Link) -> dict[str, Machine]:
        rows = await link.fetch(sql.MANIFESTS)
        machines = [read(*row) for row in rows]
        self.timed = [machine.qualified for machine in machines if machine.timers]
        self.hearing = [machine.qualified for machine in machines if machine.hears]
        self.reaches = {machine.qualified: machine.reaches for machine in machines if machine.reaches}
        return {machine.qualified: machine for machine in machines}

    def _take(self, machine: Machine, *, strict: bool) -> None:
        name = machine.qualified
        again = name in self._hashes
        self._hashes[name] = machine.hash
        self.served.pop(name, None)
        if self._told is not None and name not in self._told:
            LOG.info("machine `%s` is in the database and not among those of this worker: left alone", name)
        elif self._expected.get(name, machine.hash) != machine.hash:
            LOG.warning(
                "machine `%s` in the database is another version (%.12s) than this worker's (%.12s): left alone",
                *(name, machine.hash, self._expected[name]),
            )
        elif machine.claimable:
            self._serve(machine, strict=strict, again=again)

    def _serve(self, machine: Machine, *, strict: bool, again: bool) -> None:
        try:
            self.served[machine.qualified] = Served(machine, bind(machine, self._handlers))
        except HandlerError as error:
            if strict:
                raise
            LOG.warning("%s: left alone", error)
        else:
            if again:
                LOG.info("machine `%s` has changed: working its new version", machine.qualified)
