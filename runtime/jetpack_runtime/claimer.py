"""Claims work: as much as there are free lanes, in turn from each machine.

A claim never takes more than can start at once, so that a killed worker burns no attempts of tasks that it never
began. While claims find work they follow one another; when they do not, the worker looks again after a few short
pauses, tells the database that it is idle, which makes writers notify, and then sleeps until a notification, the next
task that is due, or the next poll.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Literal

import psycopg

from . import sql
from .database import Link, Rows, brief, broken
from .heart import Heart, Lease
from .jobs import Job, Origin, Served, outcome
from .lanes import Lanes
from .outcome import RELEASED
from .pumps import Pumper
from .roster import Roster
from .telemetry import Watch
from .timers import Sweeper

LOG = logging.getLogger("jetpack")

BATCH = 500
"""The most tasks claimed in one statement."""

PAUSES = (0.005, 0.020, 0.100)
"""Seconds to the next looks after one that found nothing: what was being committed meanwhile is there by then. Where
notifications come they tell of that."""

BUSY_POLL = 0.1
"""The longest sleep while writers do not notify."""

ECHO = 0.020
"""The soonest look after an outcome of our own, which may have made a task claimable, in seconds."""

MARK_LIFE = 60.0
"""Seconds after which a machine is looked through from the start again."""

REFRESH = 2.0
"""Seconds between two looks at which machines there are."""

IDLE_AFTER, BUSY_AFTER = 2, 3
"""Rounds in a row without work, or with, after which the database is told so."""


class Post:
    """Where this worker stands with one machine: the mark to claim from, when to look next, when a notification came
    last, and whether something was committed since the last claim was sent, which that claim may not have seen."""

    __slots__ = ("heard", "look_at", "looked", "mark", "mark_until", "misses", "served", "stale")

    def __init__(self, served: Served) -> None:
        self.served = served
        self.mark: str | None = None
        self.mark_until = 0.0
        self.look_at = 0.0
        self.looked = 0.0
        self.misses = 0
        self.heard = 0.0
        self.stale = False

    @property
    def is_empty(self) -> bool:
        """Did the last claim find nothing, and was nothing committed since it was sent, as far as this worker knows."""
        return self.misses > 0 and not self.stale

    def look(self) -> None:
        """Look at once: there is something new."""
        self.look_at, self.misses, self.stale = 0.0, 0, True

    def forget(self) -> None:
        """Look from the start, at once."""
        self.mark = None
        self.look_at = 0.0


class Claimer:
    """`untold` counts the outcomes that the database has not answered for; at `backlog` of them claiming waits.
    `claiming`: a claim is under way, which should not be cut off. `stopping`: it was told to claim no more.
    """

    def __init__(
        self,
        link: Link,
        roster: Roster,
        heart: Heart,
        lanes: Lanes,
        *,
        name: str,
        poll: float,
        untold: Callable[[], int],
        backlog: int,
        sweeper: Sweeper,
        pumper: Pumper,
        watch: Watch | None,
        until_idle: bool | Literal["now"],
    ) -> None:
        self.claiming = False
        self._link = link
        self._roster = roster
        self._heart = heart
        self._lanes = lanes
        self._name = name
        self._poll = poll
        self._untold = untold
        self._backlog = backlog
        self._sweeper = sweeper
        self._pumper = pumper
        self._watch = watch
        self._until_idle = until_idle
        self._posts: dict[str, Post] = {}
        self._turn = 0
        self._quiet_rounds = 0
        self._busy_rounds = 0
        self._said_idle = False
        self._idle_since = 0.0
        self._refresh_at = 0.0
        self.stopping = False
        self._news = asyncio.Event()

    def wake(self, name: str) -> None:
        """A machine has work, says a notification."""
        if post := self._posts.get(name):
            post.heard = monotonic()
            post.look()
            self._news.set()

    def look(self) -> None:
        """Any machine may have work: look at all, now."""
        for post in self._posts.values():
            post.look()
        self._news.set()

    def echo(self, name: str) -> None:
        """Outcomes of ours are in: what they made claimable is found soon, without a notification too."""
        for post in self._posts.values():
            post.stale = True
            pause = ECHO if post.served.name == name else BUSY_POLL
            post.look_at = min(post.look_at, post.looked + pause)
        self._news.set()

    def stop(self) -> None:
        """Claim no more; `run` returns."""
        self.stopping = True
        self._news.set()
        self._lanes.room.set()

    async def run(self) -> None:
        """Claim until stopped, or until nothing is left to do if that was asked for."""
        while not self.stopping:
            try:
                if await self._turn_once():
                    return
            except (psycopg.Error, OSError, TimeoutError) as error:
                await self._recover(error)

    async def _turn_once(self) -> bool:
        """One round over the machines and the pause after it. True when all is done."""
        await self._prepare()
        await self._wait_for_room()
        if self.stopping:
            return True
        found = await self._round()
        if found is not None:
            await self._tell_mood(found)
        if found:
            return False
        if self._until_idle and await self._all_done():
            return True
        await self._sleep()
        return False

    async def _prepare(self) -> None:
        now = monotonic()
        if now >= self._refresh_at:
            self._refresh_at = now + REFRESH
            await self._roster.refresh(self._link)
            self._posts = {name: self._post(served) for name, served in self._roster.served.items()}
        if self._heart.current is None:
            await self._heart.begin(self._link, self._name)
            self._said_idle = False
            self._forget_marks()

    def _post(self, served: Served) -> Post:
        post = self._posts.get(served.name)
        return post if post and post.served is served else Post(served)

    async def _wait_for_room(self) -> None:
        while not self.stopping and (self._lanes.free <= 0 or self._untold() >= self._backlog):
            self._lanes.room.clear()
            await self._lanes.room.wait()

    async def _round(self) -> int | None:
        """Claim from each machine that is due, each its share of the free lanes. None: no machine was due."""
        now = monotonic()
        due = [post for post in self._in_turn() if post.look_at <= now]
        found = 0
        for at, post in enumerate(due):
            free = self._lanes.free
            if free <= 0 or self.stopping:
                break
            self._turn += 1
            found += await self._try(post, max(1, min(free // (len(due) - at), BATCH)))
        return found if due else None

    def _in_turn(self) -> list[Post]:
        """All posts, beginning with the one after the last that was looked at."""
        posts = list(self._posts.values())
        start = self._turn % len(posts) if posts else 0
        return posts[start:] + posts[:start]

    async def _try(self, post: Post, limit: int) -> int:
        """Claim; what one machine alone has trouble with does not stop the others."""
        try:
            return await self._claim(post, limit)
        except psycopg.Error as error:
            if broken(error) or isinstance(error, psycopg.errors.ObjectNotInPrerequisiteState):
                raise
            LOG.warning("claiming tasks of `%s` failed, trying again: %s", post.served.name, brief(error))
            post.mark, post.look_at = None, monotonic() + REFRESH
            self._refresh_at = 0.0
            return 0

    async def _claim(self, post: Post, limit: int) -> int:
        lease = self._heart.current
        if lease is None:  # lost since the round began
            return 0
        now = monotonic()
        if now >= post.mark_until:
            post.mark, post.mark_until = None, now + MARK_LIFE
        await self._link.get()
        self.claiming, post.stale = True, False
        try:
            rows = await self._link.fetch(post.served.sql.claim, (lease.id, limit, post.mark), binary=True)
            wanted = self._watch is not None and self._watch.wants_origins and len(rows) > 1
            origins = await self._origins(post.served, rows) if wanted else {}
        finally:
            self.claiming = False
        found = len(rows) - 1
        self._schedule(post, rows[-1][5], found)
        if found:
            self._take(post, lease, rows, origins)
            self._pumper.dispatched(post.served.name)
        return found

    async def _origins(self, served: Served, rows: Rows) -> dict[int, Origin]:
        """Where claimed tasks come from. They are claimed by now, so trouble here must stop nothing."""
        try:
            found = await self._link.fetch(served.sql.origins, ([row[0] for row in rows[:-1]],))
        except (psycopg.Error, OSError, TimeoutError) as error:
            LOG.debug("the traces of tasks of `%s` are not to be had: %s", served.name, brief(error))
            return {}
        return {id: Origin(created, sent) for id, created, sent in found if created or sent}

    def _take(self, post: Post, lease: Lease, rows: Rows, origins: dict[int, Origin]) -> None:
        """Hand claimed rows to the lanes; those that came too late, or in a state nobody knows, straight back."""
        served, bindings, worker = post.served, post.served.bindings, lease.id
        late = self.stopping or lease is not self._heart.current
        jobs, unknown = [], 0
        for id, token, attempt, state, data, _ in rows[:-1]:
            binding = bindings.get(state)
            if binding is None or late:
                self._lanes.finish(outcome(served, worker, id, token, RELEASED))
                unknown += binding is None
            else:
                jobs.append(Job(served, binding, worker, id, token, attempt, state, data))
        if jobs:
            if self._watch is not None:
                self._watch.claimed(served.name, jobs, origins)
            self._lanes.put(jobs)
        if unknown:
            LOG.warning("machine `%s` has states this worker does not know; handed back: %d", served.name, unknown)
            post.look_at = monotonic() + REFRESH
            self._refresh_at = 0.0

    def _schedule(self, post: Post, mark: str, found: int) -> None:
        now = monotonic()
        post.mark, post.looked = mark, now
        if found:
            post.misses, post.look_at = 0, now
            return
        if post.stale:  # what came while the claim was under way
            post.misses = 0
        elif self._will_hear(post):
            post.misses = len(PAUSES)
        poll = self._poll if self._said_idle else min(self._poll, BUSY_POLL)
        pause = PAUSES[post.misses] if post.misses < len(PAUSES) else poll
        post.misses += 1
        due = _next_due(mark)
        post.look_at = now + (pause if due is None else min(pause, due))

    def _will_hear(self, post: Post) -> bool:
        """Do notifications come, and have all writers that did not know yet that this worker is idle had their time."""
        return self._said_idle and post.heard > self._idle_since + sum(PAUSES)

    async def _tell_mood(self, found: int) -> None:
        """Writers notify only while some worker says that it is idle: notifying slows commits down."""
        self._quiet_rounds = 0 if found else self._quiet_rounds + 1
        self._busy_rounds = self._busy_rounds + 1 if found else 0
        lease = self._heart.current
        if lease is None:
            return
        if not self._said_idle and self._quiet_rounds >= IDLE_AFTER:
            await self._link.fetch(sql.WORKER_IDLE, (lease.id, True))
            self._said_idle, self._idle_since = True, monotonic()
            for post in self._posts.values():
                post.misses = 0
        elif self._said_idle and self._busy_rounds >= BUSY_AFTER:
            await self._link.fetch(sql.WORKER_IDLE, (lease.id, False))
            self._said_idle = False

    async def _sleep(self) -> None:
        now = monotonic()
        until = min((post.look_at for post in self._posts.values()), default=now + self._poll)
        seconds = min(until - now, self._poll)
        if seconds > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()

    async def _all_done(self) -> bool:
        """Nothing in hand, no timer due, nothing claimable now or later. Stuck and paused tasks wait for somebody,
        not for a worker. Who asks for "now" goes by what claims found: what waits, or is held back, does not count."""
        if self._lanes.held or self._untold() or await self._sweeper.fire_due():
            return False
        if await self._pumper.pump_all():
            return False
        if self._until_idle == "now":
            return self._found_nothing()
        machines = [(post.served.machine.module, post.served.machine.name) for post in self._posts.values()]
        if not machines:
            return True
        rows = await self._link.fetch(sql.anything_due(machines), prepare=False)
        if rows[0][0]:
            return False
        if left := await self._link.fetch(sql.paused(machines), prepare=False):
            LOG.warning("left, for they are paused: tasks of %s", ", ".join(f"`{name}`" for (name,) in left))
        return True

    def _found_nothing(self) -> bool:
        """Has each machine been looked at since the last that was committed? Those that have not are next, at once."""
        others = [post for post in self._posts.values() if not post.is_empty]
        for post in others:
            post.look_at = 0.0
        return not others

    async def _recover(self, error: BaseException) -> None:
        """After an error nothing that was known of the database counts. A claim cut off may have taken tasks."""
        self._forget_marks()
        self._refresh_at = 0.0
        self._heart.doubt()
        if isinstance(error, psycopg.errors.ObjectNotInPrerequisiteState):
            LOG.warning("the database does not know this worker any more; registering again")
        else:
            await self._link.failed(error)

    def _forget_marks(self) -> None:
        for post in self._posts.values():
            post.forget()
        self._news.set()


def _next_due(mark: str) -> float | None:
    """Seconds until the machine's next delayed task; the rest of a mark is the database's."""
    due = json.loads(mark).get("next")
    return None if due is None else max(float(due), 0.0)
