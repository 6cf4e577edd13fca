"""Runs all tests of a program, each in a database of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import psycopg
from jetpack_runtime import Client
from jetpack_runtime.clones import Clones
from psycopg import sql

from jetpackc.ir import model as ir
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import News
from jetpackc.source import Source
from jetpackc.testing.database import prepare
from jetpackc.testing.model import FailedError, Failure, Hopped, Outcome, Story
from jetpackc.testing.play import Play, machines_of
from jetpackc.testing.stage import Stage
from jetpackc.waits import of_task


def run_tests(
    program: ir.Program, tests: Sequence[ir.Test], dsn: str, sources: Mapping[str, Source]
) -> Iterator[Outcome]:
    """Run some of a program's tests on a server where `dsn` may create databases. Raises psycopg.Error."""
    clones = Clones(dsn, lambda connection: prepare(connection, program))
    try:
        for test in tests:
            with clones.fresh() as place, psycopg.connect(place, autocommit=True) as connection:
                connection.execute("set jet.actor to 'the test'")
                connection.execute("set timezone to 'UTC'")  # in which a story is told, wherever the server is
                yield _run(program, test, connection, sources)
    finally:
        clones.close()


def _run(program: ir.Program, test: ir.Test, connection: psycopg.Connection, sources: Mapping[str, Source]) -> Outcome:
    began = time.monotonic()
    machines = machines_of(program)
    failure = None
    try:
        Play(test, Stage(connection, machines), News(Kin(program))).run()
    except FailedError as error:
        span = error.diagnostic.span
        written = sources[span.path].text[span.start : span.end] if span else ""
        failure = Failure(error.diagnostic, written, error.actual, _stories(connection, error.about))
    return Outcome(test, time.monotonic() - began, _taken(connection, machines), failure)


def _stories(connection: psycopg.Connection, ids: Sequence[int]) -> list[Story]:
    client = Client(connection)
    tasks = map(client.get, ids)
    return [Story(task, client.history(task.id), of_task(connection, task.machine, task.id)) for task in tasks]


def _taken(connection: psycopg.Connection, machines: Mapping[str, ir.Machine]) -> frozenset[Hopped]:
    """The transitions that tasks have taken."""
    found: set[Hopped] = set()
    for machine in machines:
        module, _, name = machine.partition(".")
        ask = sql.SQL(
            "select distinct coalesce(from_state, ''), coalesce(event, ''), to_state from {} where to_state is not null"
        )
        rows = connection.execute(ask.format(sql.Identifier(module, f"{name}_history"))).fetchall()
        found.update((machine, before, event, after) for before, event, after in rows)
    return frozenset(found)
