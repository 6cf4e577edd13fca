"""How many tasks are in which state, now or at a moment, and what holds them back: once a second, whoever asks."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime

import psycopg
from psycopg import sql

from jetpackc.records import dataclass
from jetpackc.waits import lines, of_machine

SECOND = 1.0
"""Seconds between two questions about a machine, at the least."""
SHARE = 4
"""A question that takes long is repeated the more rarely: it may run a fifth of the time."""
TIMEOUT = "15s"
CONNECT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """`states` with tasks in them and how many; `stuck` of them wait for a person, None for a moment of the past.
    `paused` are queues, an empty name is the whole machine; `waiting` are sentences about what else holds tasks back.
    `error` is why there is no answer."""

    states: dict[str, int] = field(default_factory=dict)
    stuck: int | None = None
    paused: Sequence[str] = ()
    waiting: Sequence[str] = ()
    error: str = ""


@dataclass(slots=True)
class _Turn:
    """The last question about one machine, and when the next may be asked."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    moment: datetime | None = None
    answer: Answer | None = None
    next: float = 0.0


class Counts:
    """Asks a database, on one connection that cannot write, and that is made again when it is lost.

    Safe to use from several threads.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connecting = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._turns: defaultdict[tuple[str, str], _Turn] = defaultdict(_Turn)

    def of(self, machine: tuple[str, str], moment: datetime | None = None) -> Answer:
        """The tasks of a machine, named by schema and table, now or as they stood at a moment.

        The last answer is given again until the next question may be asked; another moment waits for its turn.
        """
        turn = self._turns[machine]
        with turn.lock:
            wait = turn.next - time.monotonic()
            if wait > 0 and turn.answer is not None and turn.moment == moment:
                return turn.answer
            time.sleep(max(wait, 0.0))
            began = time.monotonic()
            turn.moment, turn.answer = moment, self._ask(machine, moment)
            turn.next = time.monotonic() + max(SECOND, SHARE * (time.monotonic() - began))
            return turn.answer

    def close(self) -> None:
        """Give the connection back."""
        with self._connecting:
            self._drop()

    def _ask(self, machine: tuple[str, str], moment: datetime | None) -> Answer:
        with self._connecting:
            try:
                return _counted(self._connected(), machine, moment)
            except psycopg.errors.QueryCanceled:
                return Answer(error=f"counting the tasks took longer than {TIMEOUT}")
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._drop()
                return Answer(error=f"the database cannot be reached: {_first_line(error)}")
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
                return Answer(error=f"the database has no machine {'.'.join(machine)}: apply its migrations")
            except psycopg.Error as error:
                return Answer(error=_first_line(error))

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="jetpackc viz"
            )
            self._connection.execute("set default_transaction_read_only = on")
            self._connection.execute(sql.SQL("set statement_timeout = {}").format(TIMEOUT))
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _counted(connection: psycopg.Connection, machine: tuple[str, str], moment: datetime | None) -> Answer:
    schema, table = machine
    if moment is None:
        ask = sql.SQL("select state, count(*), count(*) filter (where _stuck is not null) from {} group by state")
        rows = connection.execute(ask.format(sql.Identifier(schema, table))).fetchall()
        known = of_machine(connection, schema, table)
        counts = {state: count for state, count, _ in rows}
        return Answer(counts, sum(stuck for _, _, stuck in rows), known.paused, tuple(lines(known)))
    then = sql.SQL("select state, count(*) from {}(%s) group by state").format(sql.Identifier(schema, f"{table}_at"))
    return Answer(dict(connection.execute(then, (moment,)).fetchall()))


def _first_line(error: BaseException) -> str:
    """Without the DETAIL that follows, which may hold values of a row."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
