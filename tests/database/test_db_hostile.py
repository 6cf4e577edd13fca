"""Names that SQL reserves or that generated code uses itself, and texts that break careless quoting: all of it installs
and comes back as it went in."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from queue_client import Db, Sent

NASTY = 'it\'s 100% $jet$ $body$ :name ${x} ? \\ -- /* "q" */ \n\t !0041 \u00e9\u4e16\U0001f600'
ESCAPED = NASTY.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
DOC = "100% of \"it\": 'x', $jet$ :name ${x} ? \\ -- /* */ '; drop table x; --"

MACHINES = f"""\
/// {DOC}
module user

/// {DOC}
enum order {{ select, from, table, user, group, collation }}

event SELECT(from: text, user: order?, v_now: int, payload: text?)
event GROUP
event END

/// {DOC}
machine table(
  select: int, from: text = "{ESCAPED}",
  v_now: int = 1, v_ids: int = 2, v_row: int = 3, v_id: int = 4, v_count: int = 5, v_found: int = 6, v_misfit: int = 7,
  v_try: int = 8, ordinality: int = 9, table_add: int = 10, user_table: int = 11,
  a: text = "a", c: text = "c", e: text = "e", h: text = "h", i: text = "i", k: text = "k",
  n: text = "n", o: text = "o", s: text = "s", t: text = "t", w: text = "w", x: text = "x",
  me: text = "me", name: text = "name", value: text = "v",
  user: order = user, group: order = group,
) {{
  unique (select, user) or return
  var end: text = "%s"
  var begin: order = collation
  var new: int = 1
  var old: int = 2
  var found: bool = true
  var v_event: text = "x"
  var v_to: text?
  var v_changed: int = 3
  var data: text = "d"
  var token: text = "t"
  var event: text = "e"
  var payload: text = "p"
  var v_error: int = 1
  var v_stuck: int = 1
  var v_fields: int = 1
  var v_worker: int = 1
  var v_token: int = 1
  var v_actor: int = 1
  var v_limit: int = 1
  var v_marks: int = 1
  var v_priority: int = 1
  var v_sent: int = 1
  initial state do {{
    on SELECT, END when v_error + v_stuck + v_fields + v_worker + v_token + v_actor + v_limit > 1000 -> loop {{
      set v_marks = v_priority + v_sent
    }}
    on SELECT -> if {{
      set end = event.from ++ "%" ++ from
      set begin = event.user ?? order.select
      set new = new + v_now
      set old = new
      set v_event = "{ESCAPED}"
      set v_to = "k"
      set v_changed = v_changed + 1
      set event = "e2"
      set payload = "p2"
      set found = not found
      set token = "{ESCAPED}"
      spawn select(from: end, where: begin, nasty: v_event)
    }}
    on GROUP {{ fail "{ESCAPED}" ++ end }}
    on END -> loop
  }}
  state if {{ on LOCKED_BY_WORKER -> while {{ increment attempts }} on GROUP -> loop on END -> loop }}
  state while {{
    run "select.from:where"
    timeout 5m
    on SUCCESS(data: text) when event.data == "poison" {{ fail "no" }}
    on SUCCESS(data: text) -> loop {{ set data = event.data }}
    on ERROR when message == "poison" {{ fail "no" }}
    on ERROR -> loop
  }}
  final state loop
}}

machine select(from: text, where: order, nasty: text) {{
  initial state case {{ enter {{ spawn root analyze(all: nasty) }} on END -> z }}
  final state z
}}

machine analyze(all: text) {{
  initial state ready {{ on LOCKED_BY_WORKER -> running }}
  state running {{ run "x:y" on SUCCESS -> z on ERROR -> z }}
  final state z
}}
"""


@pytest.fixture
def user(db: Db) -> Db:
    db.schema = "user"
    return db


def rows(db: Db, table: str) -> list[dict[str, Any]]:
    with db.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f'select * from "user"."{table}" order by id'.encode()).fetchall()


def test_texts_come_back_as_they_went_in(user: Db) -> None:
    for id in (user.create("table", select=1), *user.create_many("table", [{"select": 2}])):
        task = user.task("table", id)
        assert (task["from"], task["end"], task["begin"], task.user, task.group) == (
            NASTY,
            "%s",
            "collation",
            "user",
            "group",
        )
        assert [task[name] for name in ("v_now", "v_ids", "v_row", "v_id", "v_count", "user_table")] == [
            1,
            2,
            3,
            4,
            5,
            11,
        ]
        assert [task[name] for name in "acehiknostwx"] == list("acehiknostwx")


def test_reserved_words_and_our_own_names_are_names_like_any_other(user: Db) -> None:
    id = user.create("table", select=1)
    assert user.create("table", select=1) == id
    assert user.create_many("table", [{"select": 2, "user": "from"}, {"select": 1}])[1] == id
    payload = {"from": NASTY, "v_now": 4, "payload": NASTY}
    assert user.send("table", id, "SELECT", payload) == Sent(True, "if", None)
    task = user.task("table", id)
    assert (task["end"], task["begin"], task.new, task.old) == (f"{NASTY}%{NASTY}", "select", 5, 5)
    assert (task.v_event, task.token, task.v_to, task.v_changed, task.found) == (NASTY, NASTY, "k", 4, False)
    assert user.hops("table", id)[-1].payload == payload
    (child,), (free,) = rows(user, "select"), rows(user, "analyze")
    assert (child["from"], child["where"], child["nasty"], child["parent"]) == (task["end"], "select", NASTY, id)
    assert (free["all"], free["parent"]) == (NASTY, None)


def test_work_goes_through_such_names_too(user: Db) -> None:
    id = user.create("table", select=1)
    user.send("table", id, "SELECT", {"from": "f", "v_now": 1})
    worker = user.worker(NASTY)
    task = user.claim_one("table", worker)
    assert (task.handler, task.data["params"]["from"], task.data["vars"]["v_event"]) == (
        "select.from:where",
        NASTY,
        NASTY,
    )
    changes = {"end": NASTY, "new": 7, "payload": "", "v_to": None}
    assert user.resolve("table", worker, task, "SUCCESS", {"data": NASTY}, changes) == "applied"
    row = user.task("table", id)
    assert (row.state, row.data, row["end"], row.new, row.payload, row.v_to) == ("loop", NASTY, NASTY, 7, "", None)
    assert user.hops("table", id)[-1].actor == NASTY
    with user.connection.cursor(row_factory=dict_row) as cursor:
        past = cursor.execute(b"""select * from "user".table_at('infinity') where id = %s""", (id,)).fetchone()
    assert past is not None
    assert {name: row[name] for name in past} == past


def test_poison_and_lost_leases_go_through_such_names_too(user: Db) -> None:
    ids = [user.create("table", select=n) for n in range(3)]
    worker = user.worker()
    for id in ids:
        user.send("table", id, "SELECT", {"from": "f", "v_now": 1})
    first, second, third = user.claim("table", worker).tasks
    assert user.resolve("table", worker, first, "SUCCESS", {"data": "poison"}) == "failed"
    assert user.resolve("table", worker, second, "ERROR", {"message": "poison"}) == "stuck"
    with pytest.raises(psycopg.errors.RaiseException, match="no"):
        user.retry("table", second.id)
    user.run("select jet.worker_stop(%s)", worker)
    assert user.value("select jet.tick()") == 1
    assert user.state("table", third.id) == "loop"
    assert user.resolve("table", worker, third, "SUCCESS", {"data": "x"}) == "lost"


def test_an_error_message_is_the_users_own_text(user: Db) -> None:
    id = user.create("table", select=1)
    with pytest.raises(psycopg.errors.RaiseException) as raised:
        user.send("table", id, "GROUP")
    assert raised.value.diag.message_primary == NASTY + "%s"


def test_docs_are_comments_in_the_database(user: Db) -> None:
    assert user.value("""select obj_description('"user"."table"'::regclass)""") == DOC
    assert user.value("""select obj_description('"user"'::regnamespace, 'pg_namespace')""") == DOC


def test_typed_functions_take_reserved_names(user: Db) -> None:
    id = user.create("table", select=1)
    query = (
        """select * from "user".table_send_select(%s, "from" => 'a', v_now => 1, "user" => 'group', payload => 'x')"""
    )
    assert Sent(*user.one(query, id)) == Sent(True, "if", None)
    assert user.task("table", id)["begin"] == "group"
    assert user.value("""select ("user".table_send_end(%s)).state""", id) == "loop"
