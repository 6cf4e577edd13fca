"""Several modules in one database: installed one after the other, they share the schema jet and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from corpus import program
from queue_client import Db

from jetpackc.check import compile_sources
from jetpackc.emit import emit
from jetpackc.emit.program import SUPPORT_VERSION
from jetpackc.source import Source

ONE = """\
module one
enum kind { a, b }
event GO
machine job(kind: kind = a) is task(max_attempts: 2) { state running { run "x:y" on GO -> ready } }
"""
TWO = ONE.replace("module one", "module two").replace("a, b", "a, b, c")


def sql(text: str) -> str:
    return "\n\n".join(found.create for found in emit(program(text)) if not found.within)


@pytest.fixture
def both(fresh: Callable[[str], str]) -> Iterator[tuple[Db, Db]]:
    """The two modules, built apart and applied one after the other."""
    dsn = fresh(ONE)
    with psycopg.connect(dsn) as connection:
        connection.execute(sql(TWO).encode())
    with Db(dsn, "one") as one, Db(dsn, "two") as two:
        yield one, two


def test_modules_built_apart_live_side_by_side(both: tuple[Db, Db]) -> None:
    one, two = both
    ids = [one.create("job"), two.create("job", kind="c"), one.create("job")]
    assert len(set(ids)) == 3
    worker = one.worker()
    assert one.claim("job", worker).ids == [ids[0], ids[2]]
    assert two.claim("job", worker).ids == [ids[1]]
    with pytest.raises(psycopg.errors.NoDataFound, match=r"one\.job has no task"):
        one.send("job", ids[1], "GO")
    with pytest.raises(psycopg.errors.CheckViolation):
        one.create("job", kind="c")


def test_a_sweep_spans_the_modules(both: tuple[Db, Db]) -> None:
    one, two = both
    worker = one.worker()
    first, second = one.create("job"), two.create("job")
    one.claim("job", worker)
    two.claim("job", worker)
    one.run("select jet.worker_stop(%s)", worker)
    assert one.value("select jet.tick()") == 2
    assert (one.state("job", first), two.state("job", second)) == ("ready", "ready")


def test_what_is_installed_stands_in_the_tables_of_jet(both: tuple[Db, Db]) -> None:
    one, _ = both
    assert [row.name for row in one.rows("select name from jet.module order by name")] == ["one", "two"]
    manifests = {(row.module, row.name): row.manifest for row in one.rows("select * from jet.machine")}
    assert set(manifests) == {("one", "job"), ("two", "job")}
    manifest = manifests["two", "job"]
    assert manifest["enums"] == {"kind": ["a", "b", "c"]}
    assert manifest["params"] == [{"name": "kind", "type": "enum:kind", "optional": False, "default": True}]
    assert (manifest["initial"], manifest["final"], manifest["failure"]) == ("ready", ["done"], ["abandoned"])
    assert manifest["claimable"] == {"ready": "running"}
    assert set(manifest["work"]["running"]["outcomes"]) == {"SUCCESS", "ERROR", "RELEASED", "SNOOZE", "GO"}
    assert set(manifest["events"]) == {"GO", "RERUN_TASK", "RETRY_TASK", "SNOOZE"}
    assert len({row.hash for row in one.rows("select hash from jet.machine")}) == 2


def test_a_module_can_be_dropped_whole(both: tuple[Db, Db]) -> None:
    one, two = both
    one.run("drop schema one cascade")
    id = two.create("job")
    worker = two.worker()
    assert two.claim("job", worker).ids == [id]
    two.run("select jet.worker_stop(%s)", worker)
    assert two.value("select jet.tick()") == 1


def test_an_older_file_leaves_a_newer_schema_jet_alone(fresh: Callable[[str], str]) -> None:
    dsn = fresh("")
    with psycopg.connect(dsn) as connection:
        connection.execute("create schema jet")
        connection.execute("create table jet.meta as select true as one, 99 as version")
        connection.execute(next(found.create for found in emit(program(ONE)) if found.kind == "support").encode())
        tables = connection.execute("select relname from pg_class where relnamespace = 'jet'::regnamespace")
        assert tables.fetchall() == [("meta",)]


def test_the_first_version_of_the_schema_jet_becomes_this_one(fresh: Callable[[str], str]) -> None:
    support = next(found.create for found in emit(program(ONE)) if found.kind == "support")
    with psycopg.connect(fresh("")) as connection:
        connection.execute(support.partition("-- Version")[0].encode())
        assert connection.execute("select version from jet.meta").fetchone() == (1,)
        connection.execute("select jet.worker_start('w')")
        for _ in range(2):
            connection.execute(support.encode())
            assert connection.execute("select version from jet.meta").fetchone() == (SUPPORT_VERSION,)
        assert connection.execute("select jet.items('[1, null]', 'int')::int[]").fetchone() == ([1, None],)
        assert connection.execute("select count(*) from jet.worker").fetchone() == (1,)


def test_an_installed_database_needs_no_superuser_and_no_extension(fresh: Callable[[str], str]) -> None:
    dsn = fresh("")
    name = dsn.rpartition("dbname=")[2]
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("drop role if exists jet_owner")
        admin.execute("create role jet_owner nosuperuser nocreaterole nocreatedb")
        admin.execute(f"grant create on database {name} to jet_owner".encode())
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("set session authorization jet_owner")
        owner.execute(sql(TWO).encode())
        assert owner.execute("select two.job_create()").fetchone() == (1,)
        assert owner.execute("select jet.tick()").fetchone() == (0,)
    with psycopg.connect(dsn, autocommit=True) as admin:
        assert admin.execute("select count(*) from pg_extension where extname <> 'plpgsql'").fetchone() == (0,)
        admin.execute("drop owned by jet_owner")
        admin.execute("drop role jet_owner")


ZOO = """\
module zoo
enum kind { cat, dog }
machine animal(kind: kind, name: text = "it") { initial state born { on DIED -> gone } final state gone }
"""
APP = """\
module app
import "zoo.jet"
machine keeper(kind: zoo.kind = dog) {
  var last: zoo.kind?
  initial state open {
    on ARRIVED(kind: zoo.kind, name: text) when event.kind != param.kind -> open {
      set last = event.kind
      spawn zoo.animal(kind: event.kind, name: event.name)
    }
    on CLOSED -> closed
  }
  final state closed
}
"""


def test_a_machine_spawns_tasks_of_another_module_and_has_columns_of_its_types(database: str) -> None:
    result = compile_sources([Source("app.jet", APP), Source("zoo.jet", ZOO)])
    assert result.program is not None, result.diagnostics
    text = "\n\n".join(found.create for found in emit(result.program) if not found.within)
    with psycopg.connect(database) as connection:
        connection.execute(text.encode())
    with Db(database, "app") as app, Db(database, "zoo") as zoo:
        keeper = app.create("keeper")
        assert app.value("select kind from app.keeper where id = %s", keeper) == "dog"
        app.send("keeper", keeper, "ARRIVED", {"kind": "cat", "name": "Tom"})
        assert zoo.rows("select kind, name, parent from zoo.animal") == [("cat", "Tom", keeper)]
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="kind"):
            app.send("keeper", keeper, "ARRIVED", {"kind": "cow", "name": "Tom"})
