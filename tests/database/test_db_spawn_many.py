"""`spawn … for`, `spawn self`, `spawn … as`, on a server."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db
from sessions import in_thread, waiting

MACHINES = """\
module m

enum size { small, large }

machine trip(numbers: int[], notes: json[] = [], level: int = 0) {
  var seen: bigint?
  initial state planning {
    on GO -> booking {
      spawn room(n: x, of: length(numbers)) for x in numbers
      spawn note(data: n) for n in notes
      when level < 3 { spawn self(numbers: [level], level: level + 1) }
    }
    on LATER { spawn job(n: x) in 1h for x in numbers }
    on KEEP {
      spawn hotel(city: "Oslo", size: large) as first
      spawn hotel(city: "Rome", size: large) as second
      set seen = first
    }
  }
  state booking { on GO -> done }
  final state done
}

machine eager(city: text) {
  initial state open { enter { spawn hotel(city: city) as hotel } on GO -> closed }
  final state closed
}

machine room(n: int, of: int) { initial state open { on GO -> closed } final state closed }
machine note(data: json?) { initial state open { on GO -> closed } final state closed }
machine job(n: int) is task { state running { run "x:y" } }

machine hotel(city: text, size: size = small) {
  var nights: int? = 1
  unique (city, nights) or return
  initial state open { on GO -> closed }
  final state closed
}
"""


def test_a_task_an_element_in_the_order_of_the_array(db: Db) -> None:
    id = db.create("trip", numbers=[3, 1, 2])
    db.send("trip", id, "GO")
    rooms = db.rows("select n, of, parent, root, depth from m.room order by id")
    assert [tuple(room) for room in rooms] == [(n, 3, id, id, 1) for n in (3, 1, 2)]


def test_no_task_of_an_empty_array(db: Db) -> None:
    id = db.create("trip", numbers=[])
    db.send("trip", id, "GO")
    assert db.value("select count(*) from m.room") == 0


def test_an_element_may_be_json_or_null(db: Db) -> None:
    (id,) = db.create_many("trip", [{"numbers": [], "notes": [{"a": [1]}, None, 7]}])
    db.send("trip", id, "GO")
    assert [row.data for row in db.rows("select data from m.note order by id")] == [{"a": [1]}, None, 7]


def test_a_null_for_a_param_that_takes_none_undoes_the_dispatch(db: Db) -> None:
    id = db.create("trip", numbers=[1, None])
    with pytest.raises(psycopg.Error, match=r"m\.room"):
        db.send("trip", id, "GO")
    assert (db.state("trip", id), db.value("select count(*) from m.room")) == ("planning", 0)


def test_each_waits_as_long_as_the_spawn_says(db: Db) -> None:
    id = db.create("trip", numbers=[1, 2])
    db.send("trip", id, "LATER")
    waits = db.rows("select extract(epoch from run_at - created_at)::integer as wait from m.job")
    assert [row.wait for row in waits] == [3600, 3600]


def test_self_is_of_the_same_machine_and_one_deeper(db: Db) -> None:
    id = db.create("trip", numbers=[])
    for level in range(4):
        db.send("trip", db.value("select id from m.trip where depth = %s", level), "GO")
    trips = db.rows("select root, depth, level from m.trip order by id")
    assert [tuple(trip) for trip in trips] == [(id, level, level) for level in range(4)]


def test_as_keeps_the_id_of_the_child(db: Db) -> None:
    id = db.create("trip", numbers=[])
    db.send("trip", id, "KEEP")
    trip = db.one("select * from m.trip where id = %s", id)
    cities = {row.id: row.city for row in db.rows("select id, city from m.hotel")}
    assert {trip.first: "Oslo", trip.second: "Rome"} == cities
    assert trip.seen == trip.first
    assert db.hops("trip", id)[-1].changed == {"first": trip.first, "second": trip.second, "seen": trip.first}


def test_as_keeps_the_id_of_the_live_one_that_unique_finds(db: Db) -> None:
    there = db.create("hotel", city="Oslo")
    id = db.create("trip", numbers=[])
    db.send("trip", id, "KEEP")
    trip = db.one("select * from m.trip where id = %s", id)
    assert (trip.first, trip.seen) == (there, there)
    assert db.value("select count(*) from m.hotel") == 2
    db.send("hotel", there, "GO")
    db.send("trip", id, "KEEP")
    new = db.one("select * from m.trip where id = %s", id)
    assert new.first not in {there, trip.second}
    assert new.second == trip.second


def test_as_works_when_a_task_begins(db: Db) -> None:
    ids = [db.create("eager", city=city) for city in ("Oslo", "Oslo", "Rome")]
    kept = [db.value("select hotel from m.eager where id = %s", id) for id in ids]
    assert kept[0] == kept[1] != kept[2]
    assert {row.id for row in db.rows("select id from m.hotel")} == set(kept)


def test_as_makes_many_in_one_statement(db: Db) -> None:
    db.create_many("eager", [{"city": f"c{n}"} for n in range(500)])
    wrong = "select count(*) from m.eager e left join m.hotel h on h.id = e.hotel where h.city is distinct from e.city"
    assert (db.value(wrong), db.value("select count(*) from m.hotel")) == (0, 500)


def test_one_that_came_between_is_said(db: Db, dsn: str) -> None:
    id = db.create("trip", numbers=[])
    errors: list[Exception] = []

    def keep() -> None:
        with Db(dsn) as other:
            try:
                other.send("trip", id, "KEEP")
            except psycopg.Error as error:
                errors.append(error)

    with Db(dsn) as watcher:
        db.begin()
        db.create("hotel", city="Oslo")
        thread = in_thread(keep)
        while not waiting(watcher):
            pass
        db.commit()
        thread.join()
    assert [type(error) for error in errors] == [psycopg.errors.UniqueViolation]
    assert "came between" in str(errors[0])
    assert db.send("trip", id, "KEEP").applied
    assert db.value("select count(*) from m.hotel") == 2
