"""The generated functions of one module, as tests call them: through SQL alone, the way psql would."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Jsonb

Json = Any


@dataclass(frozen=True)
class Sent:
    """What a send answers."""

    applied: bool
    state: str
    reason: str | None


@dataclass(frozen=True)
class Claimed:
    """What a claim answers: its tasks, and the mark for the next one."""

    tasks: list[Any]
    mark: Json

    @property
    def ids(self) -> list[int]:
        return [task.id for task in self.tasks]


@dataclass
class Db:
    """One connection in autocommit, and the module's functions on it."""

    dsn: str
    schema: str = "m"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection = psycopg.connect(self.dsn, autocommit=True, **self.options)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Db:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ plain SQL

    def rows(self, query: str, *params: Any) -> list[Any]:
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            cursor.execute(query.encode(), params or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *params: Any) -> Any:
        (row,) = self.rows(query, *params)
        return row

    def value(self, query: str, *params: Any) -> Any:
        return self.one(query, *params)[0]

    def run(self, query: str, *params: Any) -> None:
        self.connection.execute(query.encode(), params or None)

    def begin(self, isolation: str = "read committed") -> None:
        self.run(f"begin isolation level {isolation}")

    def commit(self) -> None:
        self.run("commit")

    def rollback(self) -> None:
        self.run("rollback")

    # ------------------------------------------------------------ the SQL contract

    def name(self, machine: str, suffix: str = "") -> str:
        return sql.Identifier(self.schema, machine + suffix).as_string(None)

    def create(self, machine: str, **params: Any) -> int:
        named = ", ".join(f'"{key}" => %s' for key in params)
        found: int = self.value(f"select {self.name(machine, '_create')}({named})", *params.values())
        return found

    def create_many(self, machine: str, tasks: Json) -> list[int]:
        query = f"select id from {self.name(machine, '_create_many')}(%s) with ordinality as c (id, n) order by n"
        return [row[0] for row in self.rows(query, Jsonb(tasks))]

    def send(self, machine: str, id: int, event: str, payload: Json = None, key: str | None = None) -> Sent:
        query = f"select * from {self.name(machine, '_send')}(%s, %s, %s, %s)"
        return Sent(*self.one(query, id, event, Jsonb(payload or {}), key))

    def worker(self, name: str = "w", lease: str = "30 s") -> int:
        found: int = self.value("select jet.worker_start(%s, %s)", name, lease)
        return found

    def claim(self, machine: str, worker: int, limit: int = 10, mark: Json = None) -> Claimed:
        query = f"select * from {self.name(machine, '_claim')}(%s, %s, %s)"
        rows = self.rows(query, worker, limit, None if mark is None else Jsonb(mark))
        assert rows[-1].id is None
        assert all(row.id is not None and row.mark is None for row in rows[:-1])
        return Claimed(rows[:-1], rows[-1].mark)

    def claim_one(self, machine: str, worker: int) -> Any:
        tasks = self.claim(machine, worker, 1).tasks
        assert len(tasks) == 1, "nothing to claim"
        return tasks[0]

    def resolve_many(self, machine: str, worker: int, outcomes: Iterable[Json]) -> dict[int, str]:
        query = f"select id, result from {self.name(machine, '_resolve')}(%s, %s)"
        return dict(self.rows(query, worker, Jsonb(list(outcomes))))

    def resolve(self, machine: str, worker: int, task: Any, event: str, payload: Json = None, set: Json = None) -> str:
        (result,) = self.resolve_many(machine, worker, [outcome(task, event, payload, set)]).values()
        return result

    def error(self, machine: str, worker: int, task: Any, message: str = "boo") -> str:
        return self.resolve(machine, worker, task, "ERROR", {"type": "E", "message": message, "traceback": ""})

    def retry(self, machine: str, id: int) -> Sent:
        return Sent(*self.one(f"select * from {self.name(machine, '_retry')}(%s)", id))

    # ------------------------------------------------------------ what stands in the tables

    def task(self, machine: str, id: int) -> Any:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(f"select * from {self.name(machine)} where id = %s".encode(), (id,))
            (row,) = cursor.fetchall()
            return _Row(row)

    def state(self, machine: str, id: int) -> str:
        found: str = self.task(machine, id)["state"]
        return found

    def hops(self, machine: str, id: int) -> list[Any]:
        return self.rows(f"select * from {self.name(machine, '_history')} where id = %s order by seq", id)

    def path(self, machine: str, id: int) -> list[tuple[str | None, str | None, str | None]]:
        """The history as (event, from, to)."""
        return [(hop.event, hop.from_state, hop.to_state) for hop in self.hops(machine, id)]

    def shift(self, by: str) -> None:
        """Move the one clock forward."""
        self.run("update jet.clock set shift = shift + %s::interval", by)


def outcome(task: Any, event: str, payload: Json = None, set: Json = None) -> Json:
    return {"id": task.id, "token": task.token, "event": event, "payload": payload, "set": set}


class _Row(dict[str, Any]):
    """A row whose columns are attributes too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def dumps(value: Json) -> str:
    return json.dumps(value)
