"""Arrays, json and defaults on their way: into a task, through its events and spawns, and back out."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from queue_client import Db, Sent

MACHINES = """\
module m

enum tier { free, pro }

event PAID(
  amount: numeric, method: text = "card", tags: text[] = ["new"], note: text? = "none", at: timestamptz = now()
)
event ADDED(xs: int[], tiers: tier[]?, data: json[]?)

machine basket(
  names: text[] = ["a"], prices: numeric[] = [1, 2.5], tiers: tier[] = [free], data: json?, many: json[]?
) {
  var xs: int[] = []
  var method: text?
  var tags: text[] = []
  var note: text?
  var at: timestamptz?
  var kept: tier[]?
  var rest: json[] = []
  var told: json?

  initial state open {
    on ADDED {
      set xs = var.xs ++ event.xs
      set kept = event.tiers
      set rest = event.data ?? []
    }
    on PAID(amount: numeric, method: text, tags: text[], note: text?, at: timestamptz) when amount > 0 {
      set method = event.method
      set tags = event.tags
      set note = event.note
      set at = event.at
    }
    on HAND_DOWN -> done { spawn child(names: names ++ ["z"], waits: [1m, 90s], data: xs as json, many: rest) }
    on KEEP { set told = names as json }
  }
  final state done
}

machine child(names: text[], waits: interval[], data: json, many: json[]) {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "app:work"
    on SUCCESS(rows: int[] = [7], text: text = "none") -> done { set rows = event.rows  set text = event.text }
    on ERROR -> done
    on HALF(of: float = 0.5, wait: interval = 5m) -> done
  }
  var rows: int[] = []
  var text: text = ""
  final state done
}

machine defaults(
  a: int, b: int = a + 1, c: int? = b * 2,
  day: date = "2026-02-03" as date, at: timestamptz = now() + 1h, json: json = [1, null] as json
) {
  unique (b) or return
  var sum: int = a + b + (c ?? 0)
  initial state s { on GO -> t }
  final state t
}

machine makes { initial state s { on GO -> t { spawn defaults(a: 5) } } final state t }

machine needs(xs: int[], c: json) { initial state a { on GO -> b } final state b }
"""

ALL = {"names": ["x", None], "prices": [1.5], "tiers": ["pro", "free"], "data": {"a": 1}, "many": [1, None, {"b": []}]}


def as_sql(db: Db) -> int:
    found: int = db.value(
        "select m.basket_create(names => array['x', null], prices => array[1.5],"
        " tiers => array['pro', 'free']::m.tier[],"
        " data => '{\"a\": 1}', many => array['1', 'null', '{\"b\": []}']::jsonb[])"
    )
    return found


@pytest.mark.parametrize("way", ["create", "create_many"])
def test_arrays_and_json_are_params(db: Db, way: str) -> None:
    id = as_sql(db) if way == "create" else db.create_many("basket", [ALL])[0]
    row = db.one("select names, prices, tiers::text[], data from m.basket where id = %s", id)
    assert tuple(row) == (["x", None], [Decimal("1.5")], ["pro", "free"], {"a": 1})


@pytest.mark.parametrize("way", ["create", "create_many"])
def test_arrays_have_defaults(db: Db, way: str) -> None:
    id = db.create("basket") if way == "create" else db.create_many("basket", [{}])[0]
    row = db.one("select names, prices, tiers::text[], data, many, xs from m.basket where id = %s", id)
    assert tuple(row) == (["a"], [1, Decimal("2.5")], ["free"], None, None, [])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"names": "x"}, "task 1 of m.basket: it takes field 'names' as text[], which \"x\" is not"),
        ({"prices": [[1], [2]]}, "task 1 of m.basket: it takes field 'prices' as numeric[], which [[1], [2]] is not"),
        ({"prices": ["y"]}, "task 1 of m.basket: it takes field 'prices' as numeric[], which [\"y\"] is not"),
        ({"tiers": ["x"]}, 'task 1 of m.basket: it takes field \'tiers\' as one of ["free", "pro"], which "x" is not'),
        ({"tiers": "free"}, "task 1 of m.basket: it takes field 'tiers' as tier[], which \"free\" is not"),
    ],
)
def test_an_array_that_is_none_is_refused_by_name(db: Db, task: Any, message: str) -> None:
    with pytest.raises(psycopg.Error) as told:
        db.create_many("basket", [task])
    assert told.value.diag.message_primary == message


def test_what_an_array_takes_stands_in_the_hint(db: Db) -> None:
    with pytest.raises(psycopg.Error) as told:
        db.create_many("needs", [{"xs": "x", "c": 1}])
    assert told.value.diag.message_hint == "its params are: xs: int[], c: json"


def test_an_array_counts_from_one_and_has_one_dimension(db: Db) -> None:
    id = db.value("select m.needs_create(xs => '[0:1]={1,2}', c => '5')")
    assert db.value("select xs::text from m.needs where id = %s", id) == "{1,2}"
    with pytest.raises(psycopg.Error, match="xs is an array of arrays"):
        db.value("select m.needs_create(xs => '{{1},{2}}', c => '5')")


@pytest.mark.parametrize("way", ["create", "create_many"])
def test_a_json_null_is_null(db: Db, way: str) -> None:
    if way == "create":
        id = db.value("select m.basket_create(data => 'null')")
    else:
        (id,) = db.create_many("basket", [{"data": None}])
    assert db.value("select data is null from m.basket where id = %s", id)
    statement = "select m.needs_create(xs => '{}', c => 'null')"
    if way == "create_many":
        statement = """select m.needs_create_many('[{"xs": [], "c": null}]')"""
    with pytest.raises(psycopg.Error, match="needs"):
        db.value(statement)


def test_arrays_are_fields_of_events(db: Db) -> None:
    id = db.create("basket")
    assert db.send("basket", id, "ADDED", {"xs": [1, 2], "tiers": ["pro"], "data": [{"a": 1}, None]}).applied
    db.value("select m.basket_send_added(%s, xs => array[3], data => array['5']::jsonb[])", id)
    row = db.one("select xs, kept is null as kept, rest from m.basket where id = %s", id)
    assert tuple(row) == ([1, 2, 3], True, [5])
    changed = [hop.changed for hop in db.hops("basket", id) if hop.event]
    assert changed[0] == {"xs": [1, 2], "kept": ["pro"], "rest": [{"a": 1}, None]}


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"xs": 5}, "ADDED takes field 'xs' as int[], which 5 is not"),
        ({"xs": [1, "x"]}, "ADDED takes field 'xs' as int[], which [1, \"x\"] is not"),
        ({"xs": None}, "ADDED needs field 'xs' (int[])"),
        (
            {"xs": [], "tiers": ["pro", "gold"]},
            'ADDED takes field \'tiers\' as one of ["free", "pro"], which "gold" is not',
        ),
    ],
)
def test_a_field_that_is_no_such_array_is_refused(db: Db, payload: Any, message: str) -> None:
    id = db.create("basket")
    with pytest.raises(psycopg.Error) as told:
        db.send("basket", id, "ADDED", payload)
    assert told.value.diag.message_primary == message


def test_the_table_at_a_moment_has_the_arrays_of_then(db: Db) -> None:
    id = db.create("basket")
    db.send("basket", id, "ADDED", {"xs": [1], "tiers": ["pro"], "data": [1, None]})
    moment = db.value("select clock_timestamp()")
    db.send("basket", id, "ADDED", {"xs": [2]})
    row = db.one("select xs, kept::text[], rest from m.basket_at(%s) where id = %s", moment, id)
    assert tuple(row) == ([1], ["pro"], [1, None])
    row = db.one("select xs, kept::text[], rest from m.basket_at('infinity') where id = %s", id)
    assert tuple(row) == ([1, 2], None, [])


def test_arrays_and_json_go_to_spawned_tasks_and_to_their_workers(db: Db) -> None:
    id, worker = db.create("basket"), db.worker()
    db.send("basket", id, "ADDED", {"xs": [1, 2], "data": [{"a": 1}, None]})
    db.send("basket", id, "HAND_DOWN")
    task = db.claim_one("child", worker)
    assert task.data["params"] == {"names": ["a", "z"], "waits": [60, 90], "data": [1, 2], "many": [{"a": 1}, None]}
    row = db.one("select waits, many from m.child where id = %s", task.id)
    assert tuple(row) == ([timedelta(seconds=60), timedelta(seconds=90)], [{"a": 1}, None])


@pytest.mark.parametrize(
    ("payload", "rows", "text"),
    [(None, [7], "none"), ({"rows": [1]}, [1], "none"), ({"rows": None, "text": "x"}, [7], "x")],
)
def test_what_a_handler_leaves_out_of_its_outcome_takes_its_default(
    db: Db, payload: Any, rows: list[int], text: str
) -> None:
    (id,) = db.create_many("child", [{"names": [], "waits": [], "data": 1, "many": []}])
    worker = db.worker()
    assert db.resolve("child", worker, db.claim_one("child", worker), "SUCCESS", payload) == "applied"
    task = db.task("child", id)
    assert (task.rows, task.text) == (rows, text)
    assert db.hops("child", id)[-1].payload == {"rows": rows, "text": text}


def test_a_field_that_is_left_out_takes_its_default(db: Db) -> None:
    id = db.create("basket")
    db.send("basket", id, "PAID", {"amount": 5})
    task = db.task("basket", id)
    assert (task.method, task.tags, task.note) == ("card", ["new"], "none")
    assert task["at"] == task["_at"]
    payload = db.hops("basket", id)[-1].payload
    assert payload.pop("at")
    assert payload == {"amount": 5, "method": "card", "tags": ["new"], "note": "none"}


def test_a_field_that_is_null_takes_its_default_and_one_that_is_given_does_not(db: Db) -> None:
    id = db.create("basket")
    db.send("basket", id, "PAID", {"amount": 5, "method": None, "tags": [], "note": "x"})
    task = db.task("basket", id)
    assert (task.method, task.tags, task.note) == ("card", [], "x")


def test_the_typed_function_of_an_event_has_its_defaults(db: Db) -> None:
    id = db.create("basket")
    assert db.value("select (m.basket_send_paid(%s, 5)).applied", id)
    assert db.task("basket", id).method == "card"
    assert db.value("select (m.basket_send_paid(%s, amount => 5, method => 'cash', tags => '{x}')).applied", id)
    task = db.task("basket", id)
    assert (task.method, task.tags) == ("cash", ["x"])


def test_a_field_without_default_is_still_asked_for(db: Db) -> None:
    id = db.create("basket")
    with pytest.raises(psycopg.Error, match="PAID needs field 'amount'"):
        db.send("basket", id, "PAID", {})


def test_json_of_an_array_keeps_its_nulls(db: Db) -> None:
    id = db.create("basket", names=["x", None])
    assert db.send("basket", id, "KEEP") == Sent(True, "open", None)
    assert db.value("select told from m.basket where id = %s", id) == ["x", None]


# ---------------------------------------------------------------- defaults of params


@pytest.mark.parametrize("way", ["create", "create_many", "create_many with a key", "spawn"])
def test_a_default_reads_the_params_before_it_and_the_clock(db: Db, way: str) -> None:
    if way == "create":
        db.create("defaults", a=5)
    elif way == "spawn":
        db.send("makes", db.create("makes"), "GO")
    else:
        db.create_many("defaults", [{"a": 5, **({"_key": "k"} if "key" in way else {})}])
    row = db.one("select b, c, day, at - created_at as later, json, sum from m.defaults")
    assert tuple(row) == (6, 12, date(2026, 2, 3), timedelta(hours=1), [1, None], 23)


@pytest.mark.parametrize("way", ["create", "create_many"])
def test_a_default_reads_what_was_given_and_unique_sees_it(db: Db, way: str) -> None:
    def create(**params: Any) -> int:
        return db.create("defaults", **params) if way == "create" else db.create_many("defaults", [params])[0]

    id = create(a=1, b=7)
    assert tuple(db.one("select b, c, sum from m.defaults where id = %s", id)) == (7, 14, 22)
    assert create(a=6) == id
