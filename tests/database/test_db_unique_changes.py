"""A `unique` that comes, changes or goes reaches a database with live tasks."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from checking import program
from queue_client import Db

from jetpackc.migrate import lock as locks
from jetpackc.migrate.build import build

BASE = """\
module m

machine job(queue: text) {
  initial state waiting { on GO -> busy }
  state busy { on REST -> resting }
  state resting { on GO -> busy    on CANCEL -> z }
  final state z
}
"""
BUSY = BASE.replace("{\n", "{\n  unique (queue) while in (busy)\n", 1)
BOTH = BUSY.replace("(busy)", "(busy, resting)")


def migrations(texts: list[str]) -> list[list[str]]:
    lock, found = None, []
    for text in texts:
        made = build(program(text), lock, first_number=1, version="1", sources=["w.jet"])
        lock = locks.loads(made.lock)
        found.append(list(made.migrations.values()))
    return found


def test_it_comes_changes_and_goes(fresh: Callable[[str], str]) -> None:
    _, comes, changes, goes = migrations([BASE, BUSY, BOTH, BASE])
    with Db(fresh(BASE)) as db:
        first, second = db.create("job", queue="q"), db.create("job", queue="q")
        db.send("job", first, "GO")
        for script in comes:
            db.run(script)
        assert db.send("job", second, "GO").reason == "unique (queue) while in (busy): there is another such task"
        db.send("job", first, "REST")
        for script in changes:
            db.run(script)
        assert not db.send("job", second, "GO").applied
        for script in goes:
            db.run(script)
        assert db.send("job", second, "GO").applied


def test_where_tasks_break_it_already_the_migration_fails_whole(fresh: Callable[[str], str]) -> None:
    _, comes = migrations([BASE, BUSY])
    with Db(fresh(BASE)) as db:
        for _ in range(2):
            db.send("job", db.create("job", queue="q"), "GO")
        db.begin()
        with pytest.raises(psycopg.errors.UniqueViolation):
            db.run("\n".join(comes))
        db.rollback()
        assert db.send("job", db.create("job", queue="q"), "GO").applied
