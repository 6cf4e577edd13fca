"""What comes to a task of itself, and would break a `unique`: messages, timers, the news of children. It is refused, as
a sent event is: nothing changes but the history, and what stands behind it goes on."""

from __future__ import annotations

from functools import partial

import pytest
from queue_client import Db, Sent
from sessions import in_thread, waiting

MACHINES = """\
module m

event FREE
event TAKE(as_well: int = 0)
event COUNT
event SPREAD
event GO

/// Live while it is taken, or asks to be.
machine seat(number: int) {
  unique (number)
  var counted: int = 0
  initial state taken { on FREE -> free    on COUNT { increment counted } }
  final state free {
    on TAKE -> taken { increment counted  spawn root witness() }
    on COUNT { increment counted }
  }
}

machine witness { initial state open { on GO -> done }    final state done }

machine teller(at: bigint, times: int[] = [1]) {
  initial state open {
    on GO -> told { spawn root tell(at: at, what: what) for what in times }
    on COUNT { send at TAKE(as_well: 7)  send at COUNT }
    on TAKE { send at TAKE  send at FREE }
  }
  final state told
}

machine tell(at: bigint, what: int) {
  initial state open { enter -> told { send at TAKE } }
  final state told
}

machine cooling(name: text) {
  unique (name) while in (open)
  initial state away { after 1h -> open    after 2h -> given_up    on GO -> open }
  state open { on FREE -> given_up }
  final state given_up
}

machine parent(name: text, sizes: int[]) {
  unique (name) while in (waiting)
  var done: int = 0
  initial state open {
    on GO { spawn child() for size in sizes }
    on CHILD_DONE when done >= 0 -> waiting { increment done }
    on COUNT -> waiting
  }
  state waiting { on FREE -> over    on CHILD_DONE { increment done } }
  final state over
  on SUBTREE_FLUSHED when subtree.count(final) > 99 -> over
}

machine child { initial state open { on GO -> done }    final state done }

machine early(name: text) {
  unique (name) while in (busy, waiting)
  initial state idle { defer TAKE    on GO -> ready }
  state ready { on TAKE -> busy    on FREE -> idle }
  state busy { on FREE -> idle }
  state waiting { on FREE -> idle }
  on COUNT -> waiting
}

machine node(name: text) {
  unique (name) while in (shut)
  initial state open {
    on GO { spawn leaf(name: name) }
    on COUNT { send subtree SPREAD }
    on SPREAD -> shut
    on TAKE -> shut
  }
  state shut { on FREE -> open }
}

machine group(names: text[]) {
  initial state open {
    on GO { spawn node(name: name) for name in names }
    on COUNT { send subtree SPREAD }
    on FREE -> over
  }
  final state over
}

machine leaf(name: text) {
  var hits: int = 0
  initial state open { on SPREAD { increment hits }    on FREE -> over }
  final state over
}
"""

TAKEN = "unique (number): there is another such task"


def pumped(db: Db) -> None:
    for machine in ("seat", "parent", "node", "leaf", "group"):
        while db.value(f"select m.{machine}_pump()"):
            pass


def a_seat_and_another_s(db: Db) -> tuple[int, int]:
    """A seat that is free again, and the one that is taken now."""
    first = db.create("seat", number=1)
    db.send("seat", first, "FREE")
    return first, db.create("seat", number=1)


def test_a_message_is_refused_and_the_next_one_is_applied(db: Db) -> None:
    first, _ = a_seat_and_another_s(db)
    db.send("teller", db.create("teller", at=first), "COUNT")
    assert db.value("select m.seat_pump()") == 2
    assert db.path("seat", first)[2:] == [("refused", "free", None), ("COUNT", "free", "free")]
    refused = db.hops("seat", first)[2]
    assert refused.payload == {"event": "TAKE", "payload": {"as_well": 7}, "reason": TAKEN}
    assert refused.changed is None
    task = db.task("seat", first)
    assert (task.state, task.counted, task._stuck) == ("free", 1, None)
    assert db.value("select count(*) from m.witness") == 0
    assert db.value("select count(*) from jet.inbox") + db.value("select count(*) from jet.parked") == 0


def test_one_that_would_hold_for_a_moment_only_is_refused_too(db: Db) -> None:
    """TAKE and FREE come together: at their end nothing would be broken, but it would have been between them."""
    first, _ = a_seat_and_another_s(db)
    db.send("teller", db.create("teller", at=first), "TAKE")
    assert db.value("select m.seat_pump()") == 2
    assert db.path("seat", first)[2:] == [("refused", "free", None), ("FREE", "free", None)]
    assert db.value("select count(*) from m.witness") == 0


def test_of_two_that_messages_bring_back_at_once_the_first_comes_back(db: Db) -> None:
    seats = [db.create("seat", number=1)]
    db.send("seat", seats[0], "FREE")
    seats.append(db.create("seat", number=1))
    db.send("seat", seats[1], "FREE")
    for seat in reversed(seats):
        db.send("teller", db.create("teller", at=seat), "GO")
    assert db.value("select m.seat_pump()") == 2
    assert [db.state("seat", seat) for seat in seats] == ["taken", "free"]
    assert db.path("seat", seats[1])[-1] == ("refused", "free", None)


def test_a_message_that_waits_for_a_create_under_way_is_refused(dsn: str, db: Db) -> None:
    first = db.create("seat", number=1)
    db.send("seat", first, "FREE")
    db.send("teller", db.create("teller", at=first), "GO")

    def pump() -> None:
        with Db(dsn) as own:
            own.value("select m.seat_pump()")

    with Db(dsn) as other:
        other.begin()
        other.create("seat", number=1)
        thread = in_thread(pump)
        while waiting(db) < 1:
            pass
        other.commit()
        thread.join()
    assert db.path("seat", first)[2:] == [("refused", "free", None)]


@pytest.mark.parametrize("taken", [False, True])
def test_a_sent_event_is_refused_in_a_machine_that_takes_messages(db: Db, taken: bool) -> None:
    first, second = a_seat_and_another_s(db)
    if not taken:
        db.send("seat", second, "FREE")
    sent = db.send("seat", first, "TAKE", key="k")
    assert sent == (Sent(False, "free", TAKEN) if taken else Sent(True, "taken", None))
    assert db.send("seat", first, "TAKE", key="k") == sent
    if taken:
        assert db.hops("seat", first)[-1].payload == {"event": "TAKE", "payload": None, "reason": TAKEN}


def test_a_timer_is_refused_and_has_fired(db: Db) -> None:
    first, second = db.create("cooling", name="a"), db.create("cooling", name="a")
    db.shift("1h")
    assert db.value("select m.cooling_fire() ->> 'fired'") == "2"
    assert [db.state("cooling", id) for id in (first, second)] == ["open", "away"]
    (refused,) = db.hops("cooling", second)[1:]
    assert (refused.event, refused.to_state) == ("refused", None)
    assert refused.payload["event"] == "after 1h"
    assert refused.payload["reason"] == "unique (name) while in (open): there is another such task"
    assert set(refused.payload["payload"]) == {"due", "lag"}
    db.send("cooling", first, "FREE")
    assert db.value("select m.cooling_fire() ->> 'fired'") == "0"
    db.shift("1h")
    assert db.value("select m.cooling_fire() ->> 'fired'") == "1"
    assert db.state("cooling", second) == "given_up"


def test_the_end_of_a_child_is_refused_and_counted(db: Db) -> None:
    one, two = (db.create("parent", name="a", sizes=[1, 2]) for _ in range(2))
    db.send("parent", one, "COUNT")
    db.send("parent", two, "GO")
    for child in db.rows("select id from m.child"):
        db.send("child", child.id, "GO")
    pumped(db)
    assert db.path("parent", two)[2:] == [("refused", "open", None)] * 2
    assert db.hops("parent", two)[-1].payload["event"] == "CHILD_DONE"
    assert db.hops("parent", two)[-1].payload["payload"]["state"] == "done"
    assert db.task("parent", two)._subtree == {"+m.child": 2}


def test_what_was_kept_for_later_is_refused_when_it_comes(db: Db) -> None:
    one, two = (db.create("early", name="a") for _ in range(2))
    db.send("early", two, "TAKE")
    db.send("early", one, "COUNT")
    assert db.send("early", two, "GO") == Sent(True, "ready", None)
    assert db.path("early", two)[1:] == [("TAKE", "idle", None), ("GO", "idle", "ready"), ("refused", "ready", None)]


def test_a_message_for_a_subtree_goes_on_below_one_that_refuses_it(db: Db) -> None:
    group = db.create("group", names=["a", "a"])
    db.send("group", group, "GO")
    nodes = [row.id for row in db.rows("select id from m.node order by id")]
    for node in nodes:
        db.send("node", node, "GO")
    db.send("group", group, "COUNT")
    pumped(db)
    assert [db.state("node", node) for node in nodes] == ["shut", "open"]
    assert [row.hits for row in db.rows("select hits from m.leaf")] == [1, 1]


def test_sixteen_messages_for_sixteen_tasks_with_one_place(dsn: str, db: Db) -> None:
    """Pumps that run at once: one task comes back, all others are refused, none is stuck."""
    seats = []
    for _ in range(16):
        seats.append(db.create("seat", number=1))
        db.send("seat", seats[-1], "FREE")
    for seat in seats:
        db.send("teller", db.create("teller", at=seat), "GO")

    def pump() -> None:
        with Db(dsn) as own:
            for _ in range(8):
                own.value("select m.seat_pump(3)")

    for thread in [in_thread(partial(pump)) for _ in range(4)]:
        thread.join()
    states = [db.state("seat", seat) for seat in seats]
    assert (states.count("taken"), states.count("free")) == (1, 15)
    assert db.value("select count(*) from m.seat_history where event = 'refused'") == 15
    assert db.value("select count(*) from m.seat where _stuck is not null") == 0
