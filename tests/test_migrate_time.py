"""Schedules and retention that come, change and go in a database that lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from checking import program

from jetpackc.migrate import lock as locks
from jetpackc.migrate.build import Build, build

ORDER = """module shop
{schedules}
machine order(n: int) {{
{keeps}
  initial state open {{ on GO -> done }}
  final state done
}}
"""


def text(schedules: str = "", keeps: str = "") -> str:
    return ORDER.format(schedules=schedules, keeps=keeps)


def built(text: str, old: str | None) -> Build:
    before = locks.loads(built(old, None).lock) if old is not None else None
    return build(program(text), before, first_number=1, version="1.2.3", sources=["workflows.jet"])


class Living:
    """A database that follows a program."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self._now: str | None = None

    def become(self, text: str) -> str:
        """Migrate; gives what was applied."""
        scripts = list(built(text, self._now).migrations.values())
        for script in scripts:
            self.connection.execute(script.encode())
        self._now = text
        return "\n".join(scripts)

    def rows(self, query: str) -> list[Any]:
        return self.connection.execute(query.encode()).fetchall()


@pytest.fixture
def db(database: str) -> Iterator[Living]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Living(connection)


def test_a_schedule_comes_changes_and_goes(db: Living) -> None:
    db.become(text())
    hourly = "schedule often every 1h spawn order(n: 1)"
    assert "adds schedule shop.often" in db.become(text(hourly))
    db.rows("select jet.tick()")
    assert db.rows("select count(*) from jet.slot") == [(48,)]
    changed = db.become(text(hourly.replace("1h", "30m")))
    assert "changes schedule shop.often" in changed
    assert "create or replace function shop._fire_slots" not in changed
    assert db.rows("select count(*) from jet.slot") == [(0,)]
    db.rows("select jet.tick()")
    assert db.rows("select count(*) from jet.slot") == [(96,)]
    assert "removes schedule shop.often" in db.become(text())
    assert db.rows("select count(*) from jet.slot") == [(0,)]
    assert db.rows("select count(*) from jet.schedule") == [(0,)]
    assert db.rows("select jet.tick()") == [(0,)]


def test_what_a_schedule_spawns_changes_without_its_slots(db: Living) -> None:
    db.become(text("schedule often every 1h spawn order(n: 1)"))
    db.rows("select jet.tick()")
    db.become(text("schedule often every 1h missed all spawn order(n: 2)"))
    assert db.rows("select count(*) from jet.slot") == [(48,)]
    db.rows("update jet.clock set shift = interval '1 h' returning 1")
    db.rows("select jet.tick()")
    assert db.rows("select n from shop.order") == [(2,)]


def test_retention_comes_to_tasks_that_ended_long_ago(db: Living) -> None:
    db.become(text())
    db.rows("select shop.order_create(n => 1), shop.order_create(n => 2)")
    db.rows("select shop.order_send(1, 'GO')")
    db.rows("update jet.clock set shift = interval '40 d' returning 1")
    db.become(text(keeps="  keep done 30d\n  keep history 90d"))
    assert db.rows("select jet.tick()") == [(1,)]
    assert db.rows("select id from shop.order") == [(2,)]
    db.rows("select shop.order_send(2, 'GO')")
    db.become(text(keeps="  keep done 10d"))
    db.rows("update jet.clock set shift = interval '51 d' returning 1")
    assert db.rows("select jet.tick()") == [(1,)]
    db.become(text())
    assert db.rows("select count(*) from jet.retention") == [(0,)]
    db.rows("select shop.order_create(n => 3)")
    assert db.rows("select jet.tick()") == [(0,)]
