"""Tests of a program with its real handlers, in virtual time. With pytest, `jetpack_pytest` gives a Sandbox a test.

def test_a_paid_order_is_shipped(jetpack):
    id = jetpack.client.create("shop.order", {"number": 7})
    jetpack.client.send(id, "PAID", {"amount": 5})
    jetpack.run_until_idle()
    assert jetpack.client.get(id).state == "done"
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from . import sql as runtime_sql
from .client import Client
from .errors import JetpackError, UnknownMachine, did_you_mean
from .handlers import Handler, given, machine_of
from .manifest import read
from .timeline import timeline
from .worker import Worker

ROUNDS = 1_000
"""How often work may make other work at one moment. More is a circle."""

MOST_TASKS = 20
"""Tasks of which `story` tells."""


class EndlessWorkError(JetpackError):
    """Work makes work, without end, at one moment."""


class Sandbox:
    """A database for one test: a client, a clock that `advance` moves, a worker that runs when it is told to.

    `dsn` must be of a database that nobody else works, and whose owner this is.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.client = Client(dsn)
        self.connection = psycopg.connect(dsn, autocommit=True)
        self._stubs: dict[str, Handler] = {}

    # ------------------------------------------------------------ handlers

    def stub(self, work: str, *answers: Any) -> None:
        """What the handler of `module.machine.state` answers, in place of the one that `run` names: one answer a run,
        the last again and again. An exception is raised, any other value returned. A single function takes the
        handler's place altogether. Raises UnknownMachine, HandlerError for a work that no machine has."""
        self._need(work)
        if len(answers) == 1 and callable(answers[0]) and not isinstance(answers[0], type):
            self._stubs[work] = answers[0]
            return
        rest = list(answers) or [None]

        async def answer(_: object) -> Any:
            found = rest.pop(0) if len(rest) > 1 else rest[0]
            if isinstance(found, BaseException):
                raise found
            return found

        self._stubs[work] = answer

    def _need(self, work: str) -> None:
        name = machine_of(work)
        machines = {f"{row[0]}.{row[1]}": row for row in self.connection.execute(runtime_sql.MANIFESTS)}
        if name not in machines:
            raise UnknownMachine(f"the program has no machine `{name}`", did_you_mean(name, machines))
        given(read(*machines[name]), {work: ""})

    # ------------------------------------------------------------ time

    def now(self) -> datetime:
        """The database's clock."""
        found: datetime = self._ask(sql.SQL("select jet.now()"))
        return found

    def advance(self, length: timedelta) -> None:
        """Let time go by, and do on the way what falls due, in its order. Raises what `run_until_idle` raises."""
        end = self.now() + length
        self.run_until_idle()
        while (moment := self._next()) is not None and moment <= end:
            self._move(moment)
            self.run_until_idle()
        self._move(end)
        self.run_until_idle()

    def _next(self) -> datetime | None:
        """When something falls due next: a timer, or a task that waits."""
        modules = self.connection.execute(runtime_sql.DUES).fetchall()
        found = [self._ask(runtime_sql.next_due(name)) for (name,) in modules]
        return min((moment for moment in found if moment is not None), default=None)

    def _move(self, moment: datetime) -> None:
        self.connection.execute(
            "update jet.clock set shift = shift + greatest(%s - jet.now(), interval '0 s')", (moment,)
        )

    # ------------------------------------------------------------ work

    def run_until_idle(self) -> None:
        """Run handlers, in this process, until no task is due at this moment. Left are those that are delayed (see
        `advance`), and those that a limit or a pause holds back.

        Raises HandlerError where a handler that is needed can be neither imported nor is stubbed, EndlessWorkError.
        """
        for _ in range(ROUNDS):
            while self._ask(sql.SQL("select jet.tick(1000)")):
                pass
            due = [name for name in self._machines() if self._ask(_DUE.format(sql.Identifier(*name)))]
            before = self._hops(due)
            self._work([".".join(name) for name in due])
            if self._hops(due) == before:
                return
        message = f"after {ROUNDS} rounds there is still work at this moment"
        raise EndlessWorkError(message, "let it wait before it goes round again: `-> s in 1m`")

    def _hops(self, machines: Sequence[tuple[str, str]]) -> int:
        """How much has happened to tasks of these machines."""
        return sum(self._ask(_HOPS.format(sql.Identifier(*name))) for name in machines)

    def _work(self, machines: Sequence[str]) -> None:
        handlers = {work: one for work, one in self._stubs.items() if machine_of(work) in machines}
        worker = Worker(
            self.dsn, handlers=handlers, machines=machines, concurrency=1, grace=0, poll=0.05, name="the test"
        )
        # In a thread, for the test itself may run in an event loop.
        with ThreadPoolExecutor(1, thread_name_prefix="jetpack sandbox") as pool:
            pool.submit(lambda: asyncio.run(worker.run(until_idle="now"))).result()

    # ------------------------------------------------------------ what happened

    def story(self) -> str:
        """What happened to all tasks, the first of them where there are many."""
        found = []
        for name in self._machines():
            rows = self.connection.execute(_IDS.format(sql.Identifier(*name)), (MOST_TASKS,)).fetchall()
            found += [id for (id,) in rows]
        told = sorted(found)[:MOST_TASKS]
        lines = [line for id in told for line in timeline(self.client.get(id), self.client.history(id))]
        return "\n".join(lines) or "no tasks"

    def _machines(self) -> list[tuple[str, str]]:
        return self.connection.execute("select module, name from jet.machine order by module, name").fetchall()

    def _ask(self, statement: bytes | sql.SQL | sql.Composed) -> Any:
        row = self.connection.execute(statement).fetchone()
        return row and row[0]

    def close(self) -> None:
        """Close its connections."""
        self.client.close()
        self.connection.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


_DUE = sql.SQL("select exists(select from {} where run_at <= jet.now() and _stuck is null)")
_HOPS = sql.SQL("select coalesce(sum(_seq), 0) from {}")
_IDS = sql.SQL("select id from {} order by id limit %s")
