"""SUBTREE_UPDATE comes when states below changed, though counts did not; where nothing changed it does not come."""

from __future__ import annotations

from queue_client import Db

MACHINES = """\
module m

event GO
event SWAP
event TWICE

machine top {
  var seen: int = 0
  initial state open {
    on GO { spawn middle() }
    on SUBTREE_UPDATE { increment seen }
    on TWICE -> done
  }
  final state done
}

machine middle {
  var seen: int = 0
  initial state open {
    enter { spawn child(way: "a")  spawn child(way: "b") }
    on SWAP  { send children SWAP }
    on TWICE { send children SWAP  send children SWAP }
    on SUBTREE_UPDATE when subtree.count(child.a) == 1 { increment seen }
    on GO -> done
  }
  final state done
}

machine child(way: text) {
  initial state first {
    enter when way == "a" -> a
    enter -> b
  }
  state a { on SWAP -> b    on GO -> done }
  state b { on SWAP -> a    on GO -> done }
  final state done
}
"""


def family(db: Db) -> tuple[int, int]:
    """A top and its middle, whose two children are in `a` and `b`; how much each has seen is 0 by now."""
    top = db.create("top")
    db.send("top", top, "GO")
    pumped(db)
    (middle,) = (row.id for row in db.rows("select id from m.middle"))
    return top, middle


def pumped(db: Db) -> None:
    while db.value("select m.child_pump() + m.middle_pump() + m.top_pump()"):
        pass


def seen(db: Db, top: int, middle: int) -> tuple[int, int]:
    return db.task("top", top).seen, db.task("middle", middle).seen


def test_of_two_that_change_places_all_above_hear(db: Db) -> None:
    top, middle = family(db)
    before = seen(db, top, middle)
    counts = db.task("middle", middle)._subtree, db.task("top", top)._subtree
    db.send("middle", middle, "SWAP")
    assert db.value("select m.child_pump()") == 2
    pumped(db)
    assert [row.state for row in db.rows("select state from m.child order by id")] == ["b", "a"]
    assert seen(db, top, middle) == (before[0] + 1, before[1] + 1)
    assert (db.task("middle", middle)._subtree, db.task("top", top)._subtree) == counts


def test_of_what_is_where_it_was_when_it_is_told_nobody_hears(db: Db) -> None:
    top, middle = family(db)
    before = seen(db, top, middle)
    db.send("middle", middle, "TWICE")
    assert db.value("select m.child_pump()") == 4
    pumped(db)
    assert seen(db, top, middle) == before
    assert [row.n for row in db.rows("select count(*) as n from m.child_history group by id")] == [4, 4]
