"""Databases of tests: each begins alike, and none outlives what it was made for."""

from __future__ import annotations

import psycopg
import pytest
from jetpack_runtime.clones import PREFIX, Clones

from jetpackc.postgres import Server


def names(postgres: Server) -> set[str]:
    with psycopg.connect(postgres.dsn()) as connection:
        rows = connection.execute("select datname from pg_database where datname like %s", (f"{PREFIX}%",)).fetchall()
    return {name for (name,) in rows}


def test_a_clone_has_what_was_prepared_and_nothing_else(postgres: Server) -> None:
    clones = Clones(postgres.dsn(), lambda connection: connection.execute("create table t (x int)") and None)
    for _ in range(2):
        with clones.fresh() as dsn, psycopg.connect(dsn) as connection:
            assert connection.execute("insert into t values (1)").rowcount == 1
            assert connection.execute("select count(*) from t").fetchone() == (1,)
    clones.close()
    assert names(postgres) == set()


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(postgres: Server) -> None:
    clones = Clones(postgres.dsn(), lambda _: None)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"create database {PREFIX}0123456789ab_0")
        connection.execute(f"create database {PREFIX}of_mine")
    in_use = names(postgres) - {f"{PREFIX}0123456789ab_0"}
    Clones(postgres.dsn(), lambda _: None).close()
    assert names(postgres) == in_use
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"drop database {PREFIX}of_mine")
    clones.close()


def test_what_cannot_be_prepared_leaves_nothing(postgres: Server) -> None:
    def fail(_: psycopg.Connection) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        Clones(postgres.dsn(), fail)
    assert names(postgres) == set()
