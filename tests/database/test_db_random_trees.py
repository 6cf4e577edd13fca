"""What random trees of tasks found where Postgres and the reference interpreter did not agree: each once more."""

from __future__ import annotations

from queue_client import Db

MACHINES = """\
module m

event EARLY

machine rests(n: int) {
  var k: int = 0
  initial state waiting {
    enter { set k = 5 }
    on SUBTREE_FLUSHED when n == 1 { set k = k + 1 }
    on GO -> again
  }
  state again {
    enter { increment k }
    on SUBTREE_FLUSHED { set k = k + 3 }
    on GO -> done
  }
  final state done
}

machine busy {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "x:y"
    defer EARLY
    on SUCCESS -> done
    on ERROR -> failed
  }
  final state done { on EARLY -> done }
  failure state failed
}

event ASK(to: bigint)
event TOLD
event BAD
event PLUS

machine relay {
  initial state open { on ASK { send event.to TOLD }  on STOP -> done }
  final state done
}

machine asker {
  var heard: int = 0
  initial state open {
    on GO(relay: bigint, to: bigint) { send event.relay ASK(to: event.to) }
    on TELL(to: bigint, bad: bool) { when event.bad { send event.to BAD } else { send event.to PLUS } }
    on TOLD { increment heard }
    on STOP -> done
  }
  final state done
}

machine counter {
  var n: int = 0
  var log: text = ""
  initial state open {
    on BAD { fail "no luck" }
    on PLUS { set log = log ++ "o" }
    on CANCEL -> calm
    on NUDGE { increment n }
  }
  state calm { on PLUS { set log = log ++ "c" increment n }  on STOP -> done }
  final state done
}

machine leaf {
  initial state open { on STOP -> done }
  final state done
}

machine listener {
  var told: int = 0
  initial state open { on GO { spawn leaf() }  on CHILD_DONE { increment told }  on STOP -> done }
  final state done
}

machine tally {
  initial state open { on GO { spawn leaf() }  on SEE when children.count(done) == 1 -> seen }
  final state seen
}
"""


def pump(db: Db, *machines: str) -> None:
    for machine in machines:
        db.value(f"select {db.name(machine, '_pump')}()")


def test_a_task_that_rests_when_it_is_made_tells_the_event_and_what_it_set(db: Db) -> None:
    id = db.create("rests", n=1)
    assert [(hop.event, hop.changed) for hop in db.hops("rests", id)] == [(None, None), ("SUBTREE_FLUSHED", {"k": 6})]


def test_what_is_set_when_nothing_is_left_below_stands_in_that_hop_and_not_the_one_before(db: Db) -> None:
    id = db.create("rests", n=2)
    db.send("rests", id, "GO")
    hops = [(hop.event, hop.changed) for hop in db.hops("rests", id)]
    assert hops[1:] == [("GO", {"k": 6}), ("SUBTREE_FLUSHED", {"k": 9})]


def test_an_outcome_is_not_put_off_though_its_state_defers_that_event(db: Db) -> None:
    id = db.create("busy")
    worker = db.worker()
    assert db.resolve("busy", worker, db.claim_one("busy", worker), "EARLY") == "failed"
    assert db.state("busy", id) == "failed"


def test_what_several_messages_make_a_task_send_goes_out_in_the_name_of_each_ones_sender(db: Db) -> None:
    relay = db.create("relay")
    asked = [db.create("asker") for _ in range(3)]
    for number, id in enumerate(asked):
        db.run("select set_config('jet.actor', %s, false)", f"actor {number}")
        db.send("asker", id, "GO", {"relay": relay, "to": id})
    pump(db, "relay")
    waiting = db.rows("select receiver, actor, at from jet.inbox where event = 'TOLD' order by seq")
    assert [(one.receiver, one.actor) for one in waiting] == [(id, f"actor {n}") for n, id in enumerate(asked)]
    assert [one.at for one in waiting] == [hop.at for hop in db.hops("relay", relay)[-3:]]


def test_an_event_that_moves_a_stuck_task_on_gives_back_what_came_meanwhile(db: Db) -> None:
    counter, asker = db.create("counter"), db.create("asker")
    for bad in (True, False, False):
        db.send("asker", asker, "TELL", {"to": counter, "bad": bad})
        pump(db, "counter")
    assert db.value("select count(*) from jet.parked") == 2
    db.send("counter", counter, "NUDGE")
    assert db.value("select count(*) from jet.parked") == 2
    db.send("asker", asker, "TELL", {"to": counter, "bad": False})
    assert db.send("counter", counter, "CANCEL").state == "calm"
    pump(db, "counter")
    assert (db.task("counter", counter).log, db.task("counter", counter).n) == ("ccc", 4)
    waiting = db.value("select (select count(*) from jet.inbox) + (select count(*) from jet.parked)")
    assert waiting == 0


def test_a_child_that_ends_is_no_event_to_a_parent_that_only_counts_it(db: Db) -> None:
    for parent in ("listener", "tally"):
        db.send(parent, db.create(parent), "GO")
    for leaf in db.rows(f"select id from {db.name('leaf')}"):
        db.send("leaf", leaf.id, "STOP")
    pump(db, "listener", "tally")
    assert db.value(f"select told from {db.name('listener')}") == 1
    id = db.value(f"select id from {db.name('tally')}")
    assert db.send("tally", id, "SEE").state == "seen"
    assert [hop.event for hop in db.hops("tally", id)] == [None, "GO", "SEE"]
