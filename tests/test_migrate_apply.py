"""Migrations on their way into a database: in order, once, whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from jetpackc.migrate.apply import NO_TRANSACTION, File, MigrationError, applied_checksums, migrate

A = File("0001_a.sql", "create table a (n int);\n")
B = File("0002_b.sql", "create table b (n int);\n")
C = File("0003_c.sql", "create table c (n int);\n")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def names(connection: psycopg.Connection) -> list[str]:
    return list(applied_checksums(connection))


def refusal(connection: psycopg.Connection, *files: File) -> str:
    with pytest.raises(MigrationError) as caught:
        migrate(connection, files, _nothing)
    diagnostic = caught.value.diagnostic
    assert diagnostic.help
    return f"{diagnostic.rule.code} {diagnostic.message}"


def _nothing(_: str) -> None:
    """Nobody is told."""


def test_pending_files_are_applied_in_order_and_told_one_by_one(connection: psycopg.Connection) -> None:
    told: list[str] = []
    assert migrate(connection, [A, B], told.append) == 2
    assert migrate(connection, [A, B, C], told.append) == 1
    assert migrate(connection, [A, B, C], told.append) == 0
    assert told == names(connection) == ["0001_a.sql", "0002_b.sql", "0003_c.sql"]


def test_a_database_that_was_never_migrated_has_applied_nothing(connection: psycopg.Connection) -> None:
    assert names(connection) == []


def test_a_file_that_fails_leaves_nothing_and_those_before_it_stay(connection: psycopg.Connection) -> None:
    broken = File("0002_b.sql", "create table b (n int);\nselect 1;\nselect nonsense;\n")
    assert refusal(connection, A, broken, C) == 'J508 `0002_b.sql` failed: column "nonsense" does not exist (line 3)'
    assert names(connection) == ["0001_a.sql"]
    assert connection.execute("select to_regclass('b'), to_regclass('c')").fetchone() == (None, None)
    assert migrate(connection, [A, B, C], _nothing) == 2


def test_line_ends_are_no_edit_and_anything_else_is(connection: psycopg.Connection) -> None:
    migrate(connection, [A], _nothing)
    assert migrate(connection, [File(A.name, A.text.replace("\n", "\r\n"))], _nothing) == 0
    assert refusal(connection, File(A.name, A.text + "-- more")).startswith("J504 `0001_a.sql` was edited")


def test_a_late_file_is_refused_and_nothing_is_applied(connection: psycopg.Connection) -> None:
    migrate(connection, [A, C], _nothing)
    assert refusal(connection, A, B, C).startswith("J505 `0002_b.sql` comes before `0003_c.sql`")
    assert names(connection) == ["0001_a.sql", "0003_c.sql"]


def test_a_file_that_is_gone_is_missed(connection: psycopg.Connection) -> None:
    migrate(connection, [A, B], _nothing)
    assert refusal(connection, B, C).startswith("J507 `0001_a.sql` is applied, and its file is gone")


def test_a_file_may_ask_for_no_transaction(connection: psycopg.Connection) -> None:
    plain = File("0002_i.sql", "create index concurrently i on a (n);\n")
    assert "cannot run inside a transaction block" in refusal(connection, A, plain)
    assert migrate(connection, [A, File(plain.name, f"{NO_TRANSACTION}\n{plain.text}")], _nothing) == 1


def test_a_newer_database_is_left_alone(connection: psycopg.Connection) -> None:
    connection.execute("create schema jet; create table jet.meta (version int); insert into jet.meta values (99)")
    assert refusal(connection, A).startswith("J506 the database's schema jet is of version 99")
    assert connection.execute("select to_regclass('a'), to_regclass('jet.migration')").fetchone() == (None, None)


def test_two_at_once_take_turns(database: str) -> None:
    slow = [File(f"000{n}_s.sql", f"create table s{n} (n int); select pg_sleep(0.05);") for n in range(1, 6)]
    counts: list[int] = []

    def run() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            counts.append(migrate(connection, slow, _nothing))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 5]
