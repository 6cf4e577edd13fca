"""The tables refuse what is no transition, and the functions work whoever calls them, however the session is set."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from queue_client import Db, Sent

MACHINES = """\
module m

event GO
event AT(at: timestamptz, wait: interval, day: date)

machine job(n: int, note: text?) is task(max_attempts: 3) {
  var x: int = 0
  state ready { on GO { increment x } }
  state running { run "x:y" }
}

machine moments(at: timestamptz, wait: interval = 1d) {
  var text_at: text = ""
  var later: timestamptz = now() + 1h
  var seen: timestamptz?
  var day: date?
  initial state a {
    on AT {
      set seen = event.at + event.wait
      set day = event.day
      set text_at = (event.at as text) ++ " " ++ (event.wait as text)
    }
    on GO -> z
  }
  final state z
}

machine enters(n: int) {
  initial state a { enter { spawn root job(n: n) } on GO -> b }
  state b { enter when n > 0 -> a on GO -> a }
}
"""

GUARDED = (
    *("id", "state", "attempts", "depth", "parent", "root", "created_at", "entered_at", "run_at", "n", "note", "x"),
    *(
        "_priority",
        "_seq",
        "_ended",
        "_applied",
        "_token",
        "_was_state",
        "_changed",
        "_hops",
        "_spawns",
        "_stuck",
        "_key",
    ),
)


@pytest.mark.parametrize("column", GUARDED)
def test_an_update_of_a_column_that_transitions_write_is_refused(db: Db, column: str) -> None:
    id = db.create("job", n=1)
    query = sql.SQL("update m.job set {0} = {0} where id = {1}").format(sql.Identifier(column), id).as_string(None)
    with pytest.raises(
        psycopg.errors.InsufficientPrivilege, match=r"a task of m\.job is changed by events only"
    ) as raised:
        db.run(query)
    assert "m.job_send" in (raised.value.diag.message_hint or "")


def test_a_column_beside_the_event_is_refused_too(db: Db) -> None:
    id = db.create("job", n=1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run("update m.job set _event = 'GO', state = 'done' where id = %s", id)
    assert db.state("job", id) == "ready"


COLUMNS = "id, root, state, created_at, entered_at, _at, _actor, _creator, n, x"
VALUES = "1, 1, 'done', now(), now(), now(), 'a', 'a', 1, 0"


def test_an_insert_in_another_state_than_the_initial_one_is_refused(db: Db) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run(f"insert into m.job ({COLUMNS}) values ({VALUES})")
    assert db.value("select count(*) from m.job") == 0


def test_on_conflict_do_update_is_refused(db: Db) -> None:
    id = db.create("job", n=1)
    values = VALUES.replace("1, 1, 'done'", f"{id}, {id}, 'ready'")
    query = f"insert into m.job ({COLUMNS}) values ({values}) on conflict (id) do update set state = 'done'"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run(query)
    assert db.state("job", id) == "ready"


def test_merge_is_refused(db: Db) -> None:
    id = db.create("job", n=1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run(
            f"merge into m.job t using (values ({id})) v (id) on t.id = v.id"
            " when matched then update set state = 'done'"
        )
    assert db.state("job", id) == "ready"


def test_an_unknown_state_cannot_stand_in_the_table(db: Db) -> None:
    definition = db.value("select pg_get_constraintdef(oid) from pg_constraint where conname = 'job_state_check'")
    assert all(state in definition for state in ("ready", "running", "failed", "done", "abandoned"))


# ---------------------------------------------------------------- isolation


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_create_and_send_work_in_every_isolation_level(db: Db, isolation: str) -> None:
    db.begin(isolation)
    id = db.create("job", n=1, _key="k")
    assert db.create("job", n=1, _key="k") == id
    ids = db.create_many("job", [{"n": 1}, {"n": 2, "_key": "l"}])
    assert db.send("job", id, "GO").applied
    assert db.send("job", ids[1], "GO", key="x") == db.send("job", ids[1], "GO", key="x")
    db.commit()
    assert [db.task("job", one).x for one in (id, *ids)] == [1, 0, 1]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_send_that_missed_a_committed_change_is_a_serialization_error(dsn: str, db: Db, isolation: str) -> None:
    id = db.create("job", n=1)
    with Db(dsn) as late:
        late.begin(isolation)
        late.rows("select count(*) from m.job")
        db.claim("job", db.worker())
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.send("job", id, "GO")


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_key_that_was_used_behind_ones_back_is_a_serialization_error(dsn: str, db: Db, isolation: str) -> None:
    with Db(dsn) as late:
        late.begin(isolation)
        late.rows("select count(*) from m.job")
        id = db.create("job", n=1, _key="k")
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.create("job", n=1, _key="k")
        late.rollback()
        assert late.create("job", n=1, _key="k") == id


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_workers_functions_refuse_anything_but_read_committed(db: Db, isolation: str) -> None:
    worker = db.worker()
    for call in (f"m.job_claim({worker}, 1)", f"m.job_resolve({worker}, '[]')"):
        db.begin(isolation)
        with pytest.raises(psycopg.errors.ActiveSqlTransaction, match="READ COMMITTED only") as raised:
            db.rows(f"select * from {call}")
        assert raised.value.sqlstate == "25001"
        assert "read committed" in (raised.value.diag.message_hint or "")
        db.rollback()


# ---------------------------------------------------------------- sessions

SESSIONS = [
    "set timezone = 'Asia/Kathmandu'",
    "set intervalstyle = 'sql_standard'",
    "set intervalstyle = 'iso_8601'",
    "set datestyle = 'SQL, DMY'",
    "set search_path = evil, public",
    "set search_path = ''",
    "set standard_conforming_strings = on; set bytea_output = 'escape'; set extra_float_digits = 0",
    "set enable_nestloop = off; set enable_indexscan = off",
    "set default_transaction_read_only = off; set plan_cache_mode = force_generic_plan",
    "set jit_above_cost = 0",
]


def story(db: Db, reader: Db) -> list[object]:
    """What one session does, and everything of it that must not depend on how that session is set. Read by another."""
    payload = {"at": "2026-03-04T05:06:07+00:00", "wait": "1 day 02:00:00", "day": "2026-03-04"}
    id = db.create_many("moments", [{"at": "2026-03-04T00:00:00", "wait": "36 h"}])[0]
    answers: list[object] = [db.send("moments", id, "AT", payload), db.send("moments", id, "GO")]
    row = reader.task("moments", id)
    answers += [row.at.timestamp(), row.wait, row.seen.timestamp(), row.day, row.text_at]
    answers.append((row.later - row.created_at).total_seconds())
    first = db.create("job", n=1, _delay="1 day", _key="k")
    second = db.create_many("job", [{"n": 2, "_delay": "1 day"}])[0]
    answers += [(reader.task("job", one).run_at - reader.task("job", one).created_at) for one in (first, second)]
    db.shift("24 h")
    worker = db.worker()
    task = db.claim_one("job", worker)
    answers += [task.data, db.error("job", worker, task), reader.path("job", first)]
    task = db.claim_one("job", worker)
    answers += [db.resolve("job", worker, task, "SNOOZE", {"delay": "1 day"})]
    answers += [
        (reader.task("job", task.id).run_at - reader.task("job", task.id).entered_at),
        db.value("select jet.tick()"),
    ]
    answers += [[tuple(r)[2:5] for r in reader.rows("select * from m.job_at('infinity') order by id")]]
    answers += [db.create("enters", n=0) > 0]
    return answers


@pytest.mark.parametrize("settings", SESSIONS)
def test_the_settings_of_a_session_change_nothing(fresh_db: tuple[Db, Db], settings: str) -> None:
    plain, odd = fresh_db
    reader = Db(odd.dsn)
    odd.run("create schema evil")
    odd.run("create function evil.now() returns timestamptz language sql as 'select ''epoch''::timestamptz'")
    odd.run("create function evil.length(text) returns integer language sql as 'select 7'")
    odd.run("create table evil.job (id bigint)")
    odd.run(settings)
    told = story(odd, reader)
    reader.close()
    assert told == story(plain, plain)


def test_a_day_is_24_hours_where_the_clocks_change(db: Db) -> None:
    """Berlin's 29 March 2026 has 23 hours."""
    db.run("set timezone = 'Europe/Berlin'")
    db.run("update jet.clock set shift = timestamptz '2026-03-28 12:00+01' - clock_timestamp()")
    task = db.task("job", db.create("job", n=1, _delay="24 h"))
    assert task.run_at.timestamp() - task.created_at.timestamp() == 86400
    task = db.task("moments", db.create("moments", at="2026-01-01"))
    assert task.wait.total_seconds() == 86400


# ---------------------------------------------------------------- roles


@pytest.fixture
def app(db: Db, dsn: str) -> Iterator[Db]:
    """The same database as a role that may look, and may call the functions, and nothing else."""
    db.run("drop role if exists jet_app")
    db.run("create role jet_app login")
    db.run("grant usage on schema m, jet to jet_app")
    db.run("grant select on all tables in schema m, jet to jet_app")
    with Db(dsn) as own:
        own.run("set session authorization jet_app")
        yield own
    db.run("drop owned by jet_app")
    db.run("drop role jet_app")


def test_an_app_role_does_everything_through_functions(app: Db) -> None:
    worker = app.worker()
    id = app.create("job", n=1, _key="k")
    app.create_many("job", [{"n": 2, "_key": "l"}, {"n": 3}])
    assert app.send("job", id, "GO") == Sent(True, "ready", None)
    claimed = app.claim("job", worker, 2)
    assert app.resolve("job", worker, claimed.tasks[0], "SUCCESS") == "applied"
    assert app.error("job", worker, claimed.tasks[1]) == "applied"
    assert app.value("select jet.heartbeat(%s)", worker) is True
    app.run("select jet.worker_idle(%s, true)", worker)
    assert app.retry("job", id).applied is False
    assert app.create("enters", n=0) > 0
    assert app.value("select count(*) from m.job") == 4
    assert app.value("select count(*) from m.job_history") > 4
    assert app.value("select count(*) from m.job_at('infinity')") == 4
    assert app.rows("select m.job_lost(%s, array[1::bigint], array[1::bigint])", worker) == [(1,)]
    app.run("select jet.worker_stop(%s)", worker)
    assert app.value("select jet.tick()") == 0
    assert app.hops("job", id)[0].actor == "jet_app"


@pytest.mark.parametrize(
    "statement",
    [
        "insert into m.job (id) values (1)",
        "update m.job set _event = 'SUCCESS'",
        "delete from m.job",
        "truncate m.job",
        "delete from m._job_hops",
        "update jet.clock set shift = '1 h'",
        "update jet.pulse set beat = 1",
        "delete from jet.worker",
        "update jet.machine set hash = ''",
        "select m._job_add(1, null, null, null, null, null, null, null, null, null, null)",
        "select m._job_insert('[]')",
        "select m._job_settle(1, '', 1, 1, '', null, null)",
        "select m._job_trouble(1, '', null, null, '', '', null)",
        "select jet.sweep(1)",
        "alter table m.job disable trigger all",
        "create table m.mine (id int)",
    ],
)
def test_an_app_role_can_do_nothing_else(app: Db, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.run(statement)


def test_no_internal_function_is_open_to_all(db: Db) -> None:
    found = db.rows(
        "select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = 'm' and p.proname like '\\_%%' and p.prorettype <> 'trigger'::regtype"
        " and has_function_privilege('public', p.oid, 'execute')"
    )
    assert found == []


def test_definer_functions_pin_their_search_path(db: Db) -> None:
    found = db.rows(
        "select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname in ('m', 'jet') and p.prosecdef"
        " and not exists (select from unnest(p.proconfig) c where c like 'search_path=%%pg_temp')"
    )
    assert found == []
