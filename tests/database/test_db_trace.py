"""Contexts of traces: kept for who brings some, and no others."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from queue_client import Db

MACHINES = """
module shop

machine job(n: int) {
  unique (n) or return
  initial state open { on CLOSED -> done }
  final state done
}
"""
ONE, OTHER = '{"traceparent": "one"}', '{"traceparent": "other"}'
MAKE = "select jet.trace_created(array(select shop.job_create_many(%s)), %s)"


def traces(db: Db) -> list[Any]:
    return db.rows(
        "select task, created ->> 'traceparent' as created, sent ->> 'traceparent' as sent from jet.trace order by task"
    )


def test_ids_come_back_in_the_order_of_the_tasks_each_as_often_as_it_was_given(db: Db) -> None:
    (first,) = db.rows(MAKE, '[{"n": 5}]', ONE)
    rows = db.rows(MAKE, '[{"n": 9}, {"n": 5}, {"n": 7}, {"n": 9}]', OTHER)
    found = db.rows("select id from shop.job order by n")
    five, seven, nine = (id for (id,) in found)
    assert rows == [(nine,), (five,), (seven,), (nine,)]
    assert first == (five,)


def test_a_task_that_was_there_keeps_the_context_of_its_creation(db: Db) -> None:
    ((id,),) = db.rows(MAKE, '[{"n": 5}]', ONE)
    db.rows(MAKE, '[{"n": 5}]', OTHER)
    assert traces(db) == [(id, "one", None)]


def test_the_context_of_the_last_event_stands_beside_it(db: Db) -> None:
    ((id,),) = db.rows(MAKE, '[{"n": 5}]', ONE)
    db.rows("select jet.trace_sent(%s, %s)", id, ONE)
    db.rows("select jet.trace_sent(%s, %s)", id, OTHER)
    assert traces(db) == [(id, "one", "other")]


def test_an_event_to_a_task_that_nobody_traced_has_a_context_too(db: Db) -> None:
    db.rows("select jet.trace_sent(7, %s)", ONE)
    assert traces(db) == [(7, None, "one")]


def test_contexts_are_forgotten_after_thirty_days_the_oldest_first(db: Db) -> None:
    db.rows(MAKE, '[{"n": 1}, {"n": 2}]', ONE)
    db.run("update jet.trace set at = at - interval '29 d' where task = 1")
    db.run("update jet.trace set at = at - interval '31 d' where task = 2")
    db.rows("select jet.tick()")
    assert [task for task, *_ in traces(db)] == [1]


def test_one_that_is_locked_is_passed_by(dsn: str, db: Db) -> None:
    db.rows(MAKE, '[{"n": 1}, {"n": 2}]', ONE)
    db.run("update jet.trace set at = at - interval '31 d'")
    with psycopg.connect(dsn) as other:
        other.execute("select from jet.trace where task = 1 for update")
        db.run("set lock_timeout = '5s'")
        db.rows("select jet.tick()")
        assert [task for task, *_ in traces(db)] == [1]


def test_a_role_that_may_call_functions_traces_and_writes_no_table(dsn: str, db: Db) -> None:
    db.run("drop role if exists traces_calls")
    db.run("create role traces_calls")
    db.run("grant usage on schema shop, jet to traces_calls")
    db.run("set role traces_calls")
    db.rows(MAKE, '[{"n": 1}]', ONE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run("insert into jet.trace (task, at) values (1, now())")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run("select jet.forget_traces()")
    db.run("reset role")
    db.run("drop owned by traces_calls")
    db.run("drop role traces_calls")
