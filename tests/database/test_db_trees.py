"""Tasks that talk: messages, counts of children, results, events that wait. On a server, pumped by hand."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db

MACHINES = """\
module m

event GO
event READY(n: int, note: text = "-")
event UNDO
event BAD
event TELL(to: bigint?)

machine order(n: int) {
  var seen: int = 0
  var notes: text = ""
  var ended: text = ""
  var last: json?
  initial state open {
    on GO -> waiting { spawn parcel(n: i) for i in [1, 2, 3] }
    on UNDO -> failed
  }
  state waiting {
    on READY { set seen = seen + event.n set notes = notes ++ event.note }
    on CHILD_DONE {
      set ended = ended ++ event.machine ++ ":" ++ event.state ++ " "
      set last = event.result
    }
    on SUBTREE_FLUSHED when subtree.some(failure) -> failed
    on SUBTREE_FLUSHED when children.count(done) == 3 -> done { set last = children.results }
    on UNDO { send children UNDO }
    on BAD { fail "no luck" }
  }
  final state done { on GO -> waiting { spawn parcel(n: 9) } }
  failure state failed
}

machine parcel(n: int) {
  var undone: int = 0
  initial state open {
    on GO -> done { send parent READY(n: n) spawn label(n: n) }
    on UNDO { increment undone }
    on TELL { send event.to UNDO  send siblings UNDO }
    on BAD { send parent BAD }
    on FAIL -> lost
  }
  final state done { return n * 10  on GO -> open }
  failure state lost
}

machine label(n: int) {
  initial state open { on GO -> done { send root READY(n: 100, note: "label") } }
  final state done
}

machine round(rooms: int[]) {
  var left: int = 0
  initial state open { on GO -> waiting { spawn room(n: n) for n in rooms spawn room(n: 0) as hall } }
  state waiting { on SUBTREE_FLUSHED -> done { set left = subtree.count(done) } }
  final state done
}

machine room(n: int) {
  unique (n) or return
  initial state open { on GO -> done }
  final state done
}

machine careful {
  var log: text = ""
  initial state closed {
    defer READY, UNDO
    on GO -> ajar
  }
  state ajar {
    on READY { set log = log ++ "r" ++ (event.n as text) }
    on GO -> open
    defer UNDO
  }
  state open { on UNDO -> done { set log = log ++ "u" } on READY { set log = log ++ "R" ++ (event.n as text) } }
  final state done
}

machine eager {
  initial state waiting { enter { spawn label(n: 1) when false { spawn label(n: 2) } } on SUBTREE_FLUSHED -> done }
  final state done
}

machine lonely(n: int) {
  initial state waiting { on SUBTREE_FLUSHED when n == 1 -> done  on GO -> again }
  state again { on SUBTREE_FLUSHED -> done enter { when n > 2 { spawn label(n: 1) } } }
  final state done
}

machine deep(level: int) {
  var updates: int = 0
  initial state open {
    on GO -> waiting { when level > 0 { spawn self(level: level - 1) spawn self(level: level - 1) } }
  }
  state waiting {
    on SUBTREE_UPDATE { increment updates }
    on SUBTREE_FLUSHED -> done
    on UNDO -> lost { send subtree UNDO }
  }
  final state done
  failure state lost
}
"""


def pump(db: Db, *machines: str) -> int:
    """Pump until nothing is left; how many messages that were."""
    found = 0
    while True:
        done = sum(db.value(f"select m.{machine}_pump()") for machine in machines)
        if not done:
            return found
        found += done


def waiting(db: Db) -> int:
    return int(db.value("select count(*) from jet.inbox"))


def order(db: Db) -> tuple[int, list[int]]:
    id = db.create("order", n=1)
    db.send("order", id, "GO")
    return id, [row.id for row in db.rows("select id from m.parcel where parent = %s order by id", id)]


def test_a_message_waits_until_it_is_pumped_and_is_applied_once(db: Db) -> None:
    id, parcels = order(db)
    db.send("parcel", parcels[0], "GO")
    assert (db.task("order", id).seen, waiting(db)) == (0, 2)
    assert pump(db, "order") == 2
    task = db.task("order", id)
    assert (task.seen, task.notes, task.ended, waiting(db)) == (1, "-", "parcel:done ", 0)
    assert task.last == 10
    assert [(hop.event, hop.to_state) for hop in db.hops("order", id)] == [
        (None, "open"),
        ("GO", "waiting"),
        ("READY", "waiting"),
        ("CHILD_DONE", "waiting"),
    ]


def test_the_parent_hears_of_all_its_descendants_once_none_is_unfinished(db: Db) -> None:
    id, parcels = order(db)
    for parcel in parcels:
        db.send("parcel", parcel, "GO")
    pump(db, "order", "parcel")
    assert db.state("order", id) == "waiting"
    for label in db.rows("select id from m.label"):
        db.send("label", label.id, "GO")
    pump(db, "order", "parcel")
    task = db.task("order", id)
    assert (task.state, task.seen, task.last) == ("done", 306, [10, 20, 30])
    assert task._subtree == {"+m.label": 3, "+m.parcel done": 3}
    assert [hop.event for hop in db.hops("order", id)].count("SUBTREE_FLUSHED") == 1


def test_a_failure_below_is_told_apart(db: Db) -> None:
    id, parcels = order(db)
    for parcel in parcels:
        db.send("parcel", parcel, "FAIL")
    pump(db, "order", "parcel")
    assert db.state("order", id) == "failed"


def test_a_final_state_that_is_left_counts_as_unfinished_again(db: Db) -> None:
    id, parcels = order(db)
    db.send("parcel", parcels[0], "FAIL")
    db.send("parcel", parcels[1], "GO")
    db.send("parcel", parcels[1], "GO")
    pump(db, "order", "parcel")
    assert db.task("order", id)._subtree == {"m.parcel": 2, "-m.parcel": 1, "m.label": 1}
    assert db.task("parcel", parcels[1])._result is None


def test_children_and_siblings_get_what_is_for_them(db: Db) -> None:
    id, parcels = order(db)
    db.send("order", id, "UNDO")
    pump(db, "order", "parcel")
    assert [db.task("parcel", parcel).undone for parcel in parcels] == [1, 1, 1]
    db.send("parcel", parcels[1], "TELL", {"to": parcels[0]})
    pump(db, "order", "parcel")
    assert [db.task("parcel", parcel).undone for parcel in parcels] == [3, 1, 2]
    db.send("parcel", parcels[1], "TELL")
    pump(db, "order", "parcel")
    assert [db.task("parcel", parcel).undone for parcel in parcels] == [4, 1, 3]


def test_a_message_to_a_task_that_is_not_there_is_kept_with_the_reason(db: Db) -> None:
    _, parcels = order(db)
    db.send("parcel", parcels[1], "TELL", {"to": 4711})
    pump(db, "order", "parcel")
    row = db.one("select * from jet.parked")
    assert (row.receiver, row.event, row.sender, row.reason) == (4711, "UNDO", parcels[1], "no task that takes it")


def test_a_message_that_a_state_does_not_take_is_ignored(db: Db) -> None:
    id, parcels = order(db)
    db.send("parcel", parcels[0], "FAIL")
    db.send("order", id, "UNDO")
    pump(db, "order", "parcel")
    assert [(hop.event, hop.to_state) for hop in db.hops("parcel", parcels[0])][-1] == ("UNDO", None)


def test_a_message_that_fails_leaves_its_task_stuck_and_the_others_go_on(db: Db) -> None:
    (one, first), (other, second) = order(db), order(db)
    db.send("parcel", first[0], "BAD")
    db.send("parcel", first[1], "GO")
    db.send("parcel", second[1], "GO")
    pump(db, "order", "parcel")
    assert (db.task("order", other).seen, db.task("order", one).seen) == (2, 0)
    stuck = db.task("order", one)._stuck
    assert (stuck["event"], stuck["error"]) == ("BAD", "no luck")
    assert (waiting(db), db.value("select count(*) from jet.parked")) == (0, 2)
    with pytest.raises(psycopg.errors.RaiseException):
        db.retry("order", one)


def test_what_came_while_it_was_stuck_follows_when_it_is_taken_up_again(db: Db) -> None:
    id, parcels = order(db)
    db.send("parcel", parcels[0], "BAD")
    db.send("parcel", parcels[1], "GO")
    pump(db, "order", "parcel")
    stuck = '{"event": "READY", "payload": {"n": 5}}'
    for event, payload in (("unstuck", None), ("stuck", stuck)):
        db.run('update m."order" set _event = %s, _payload = %s, _at = jet.now() where id = %s', event, payload, id)
    assert db.retry("order", id).applied
    pump(db, "order", "parcel")
    assert (db.task("order", id).seen, waiting(db), db.value("select count(*) from jet.parked")) == (7, 0, 0)


def test_deferred_events_come_again_in_order_when_the_state_has_changed(db: Db) -> None:
    id = db.create("careful")
    sent = [db.send("careful", id, "READY", {"n": n}) for n in (1, 2)]
    assert {(one.applied, one.reason) for one in sent} == {(False, "state closed keeps READY for later")}
    db.send("careful", id, "UNDO")
    assert db.send("careful", id, "GO").state == "ajar"
    assert db.task("careful", id).log == "r1r2"
    answer = db.send("careful", id, "GO")
    assert (answer.applied, answer.state, db.task("careful", id).log) == (True, "done", "r1r2u")
    assert [(hop.event, hop.from_state, hop.to_state) for hop in db.hops("careful", id)][4:] == [
        ("GO", "closed", "ajar"),
        ("READY", "ajar", "ajar"),
        ("READY", "ajar", "ajar"),
        ("UNDO", "ajar", None),
        ("GO", "ajar", "open"),
        ("UNDO", "open", "done"),
    ]
    assert [hop.seq for hop in db.hops("careful", id)] == list(range(1, 11))


def test_nothing_below_counts_as_flushed(db: Db) -> None:
    assert db.state("lonely", db.create("lonely", n=1)) == "done"
    id = db.create("lonely", n=2)
    assert db.state("lonely", id) == "waiting"
    assert (db.send("lonely", id, "GO").state, db.send("lonely", id, "GO").applied) == ("done", False)
    id = db.create("lonely", n=3)
    assert db.send("lonely", id, "GO").state == "again"


def test_a_task_that_makes_children_when_it_begins_is_not_flushed_yet(db: Db) -> None:
    id = db.create("eager")
    assert db.state("eager", id) == "waiting"
    db.send("label", db.value("select id from m.label"), "GO")
    pump(db, "eager")
    assert db.state("eager", id) == "done"


def test_news_go_up_level_by_level(db: Db) -> None:
    root = db.create("deep", level=3)
    for level in range(4):
        for row in db.rows("select id from m.deep where depth = %s", level):
            db.send("deep", row.id, "GO")
    assert db.value("select count(*) from m.deep where state = 'done'") == 8
    pump(db, "deep")
    assert db.rows("select distinct state from m.deep") == [("done",)]
    assert db.task("deep", root)._subtree == {"+m.deep done": 14}
    assert [hop.event for hop in db.hops("deep", root)].count("SUBTREE_FLUSHED") == 1


def test_a_message_to_the_subtree_reaches_all_of_it(db: Db) -> None:
    root = db.create("deep", level=2)
    for level in range(2):
        for row in db.rows("select id from m.deep where depth = %s", level):
            db.send("deep", row.id, "GO")
    for row in db.rows("select id from m.deep where depth = 2"):
        db.run("select m.deep_send(%s, 'UNDO')", row.id)
    db.send("deep", root, "UNDO")
    pump(db, "deep")
    assert {row.state for row in db.rows("select state from m.deep where depth < 2")} == {"lost"}
    assert (
        db.value("select count(*) from m.deep_history where event = 'UNDO'") == 4 + 1 + 2 + 8
    )  # a grandchild hears it from its root and from its parent


def test_every_update_is_told_once_for_what_comes_together(db: Db) -> None:
    root = db.create("deep", level=1)
    db.send("deep", root, "GO")
    for row in db.rows("select id from m.deep where depth = 1"):
        db.send("deep", row.id, "GO")
    pump(db, "deep")
    assert db.task("deep", root).updates == 1


def test_a_tick_applies_messages_one_machine_a_call(db: Db) -> None:
    id, parcels = order(db)
    for parcel in parcels:
        db.send("parcel", parcel, "GO")
    while db.value("select jet.tick()"):
        pass
    assert (db.task("order", id).seen, waiting(db)) == (6, 0)


def test_one_that_is_there_already_is_no_child_and_is_not_counted(db: Db) -> None:
    there = [db.create("room", n=n) for n in (0, 1)]
    id = db.create("round", rooms=[1, 2, 3])
    db.send("round", id, "GO")
    assert (db.task("round", id)._subtree, db.task("round", id).hall) == ({"m.room": 2}, there[0])
    for row in db.rows("select id from m.room where parent = %s", id):
        db.send("room", row.id, "GO")
    pump(db, "round")
    assert (db.state("round", id), db.task("round", id).left) == ("done", 2)


def test_a_task_whose_children_are_all_there_already_waits_for_none(db: Db) -> None:
    for n in (0, 1):
        db.create("room", n=n)
    id = db.create("round", rooms=[1])
    assert db.send("round", id, "GO").state == "done"
