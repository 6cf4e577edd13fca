"""Trees under several sessions at once: a parent that waits is woken exactly once, nothing deadlocks, nothing is
applied twice or not at all though sessions are killed at any point. The long runs are in `bench/trees.py`."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import psycopg
from queue_client import Db

MACHINES = """\
module m

event GO
event HIT
event UNDO
event GROW(n: int)

machine parent(items: int[]) {
  var fired: int = 0
  var seen: int = 0
  initial state open {
    on GO -> waiting { spawn child() for i in items }
  }
  state waiting {
    on CHILD_DONE { increment seen }
    on SUBTREE_FLUSHED -> done { increment fired }
  }
  final state done
}

machine child {
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running { run "x:y" on SUCCESS -> done on ERROR -> lost }
  final state done
  failure state lost
}

machine counter {
  var hits: int = 0
  initial state open { on HIT { increment hits } on GO -> closed }
  final state closed
}

machine striker(at: bigint) {
  initial state open { on GO -> done { send at HIT } }
  final state done
}

machine node {
  var undone: int = 0
  initial state open {
    on GROW when depth < 4 { spawn self() for i in [1, 2] }
    on UNDO { increment undone  send children UNDO }
    on GO -> closed { send siblings UNDO  send parent HIT }
    on HIT { send root UNDO }
    on SUBTREE_UPDATE { set undone = undone + subtree.count(closed) * 0 }
    on SUBTREE_FLUSHED when depth > 99 -> closed
  }
  final state closed { on UNDO -> open }
}
"""


def together(*calls: Callable[[], None]) -> list[BaseException]:
    """Run each in a thread; what they raised."""
    errors: list[BaseException] = []

    def guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def pump(db: Db, *machines: str) -> int:
    found = 0
    while done := sum(db.value(f"select m.{machine}_pump()") for machine in machines):
        found += done
    return found


def deadlocks(db: Db) -> int:
    db.run("select pg_stat_clear_snapshot()")
    return int(db.value("select deadlocks from pg_stat_database where datname = current_database()"))


def test_many_children_that_finish_at_once_fire_their_parent_once(db: Db, dsn: str) -> None:
    for _ in range(10):
        id = db.create("parent", items=list(range(60)))
        db.send("parent", id, "GO")

        def finish() -> None:
            with Db(dsn) as own:
                worker = own.worker()
                while tasks := own.claim("child", worker, 7).tasks:
                    own.resolve_many(
                        "child",
                        worker,
                        [{"id": task.id, "token": task.token, "event": "SUCCESS"} for task in tasks],
                    )
                    own.value("select m.parent_pump()")

        assert together(*[finish] * 4) == []
        pump(db, "parent")
        task = db.task("parent", id)
        assert (task.state, task.fired, task.seen) == ("done", 1, 60)
    assert deadlocks(db) == 0


def test_random_trees_do_not_deadlock_and_leave_nothing_behind(db: Db, dsn: str) -> None:
    roots = [db.create("node") for _ in range(2)]
    for root in roots:
        db.send("node", root, "GROW", {"n": 1})

    def roam(seed: int) -> None:
        dice = random.Random(seed)
        with Db(dsn) as own:
            for _ in range(60):
                ids = [row.id for row in own.rows("select id from m.node")]
                event = dice.choice(["GROW", "UNDO", "GO", "GO", "HIT"])
                own.send("node", dice.choice(ids), event, {"n": 1} if event == "GROW" else None)
                if dice.random() < 0.5:
                    own.value("select m.node_pump(%s)", dice.randint(1, 20))

    assert together(*[lambda seed=seed: roam(seed) for seed in range(6)]) == []
    pump(db, "node")
    assert (db.value("select count(*) from jet.inbox"), db.value("select count(*) from jet.parked")) == (0, 0)
    assert deadlocks(db) == 0
    counted = """
      with recursive below (top, id, state) as (
        select p.id, c.id, c.state from m.node p join m.node c on c.parent = p.id
        union all select b.top, c.id, c.state from below b join m.node c on c.parent = b.id)
      select count(*) from m.node n where
        coalesce((n._subtree ->> 'm.node open')::integer, 0)
          <> (select count(*) from below b where b.top = n.id and b.state = 'open')
        or coalesce((n._subtree ->> '+m.node closed')::integer, 0)
          <> (select count(*) from below b where b.top = n.id and b.state = 'closed')
    """
    assert db.value(counted) == 0


def test_each_message_is_applied_once_though_pumps_are_killed(db: Db, dsn: str) -> None:
    targets = [db.create("counter") for _ in range(5)]
    strikers = db.create_many("striker", [{"at": targets[n % 5]} for n in range(300)])
    done = threading.Event()

    def strike() -> None:
        with Db(dsn) as own:
            for id in strikers:
                own.send("striker", id, "GO")
        done.set()

    def pump_until_killed(seed: int) -> None:
        dice = random.Random(seed)
        while not done.is_set():
            try:
                with Db(dsn, options={"application_name": "pump"}) as own:
                    while not done.is_set():
                        own.value("select m.counter_pump(%s)", dice.randint(1, 5))
            except psycopg.OperationalError:
                continue

    def kill() -> None:
        with Db(dsn) as own:
            while not done.wait(0.01):
                own.run(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pump'"
                    " order by random() limit 1"
                )

    assert together(strike, kill, lambda: pump_until_killed(1), lambda: pump_until_killed(2)) == []
    pump(db, "counter")
    assert [db.task("counter", id).hits for id in targets] == [60] * 5
    assert db.value("select count(*) from m.counter_history where event = 'HIT'") == 300


def test_messages_of_one_task_to_another_come_in_their_order(db: Db, dsn: str) -> None:
    root = db.create("node")
    db.send("node", root, "GROW", {"n": 1})
    child = db.value("select id from m.node where parent = %s order by id limit 1", root)
    db.send("node", child, "GO")
    order = db.rows("select event from jet.inbox where receiver = %s order by seq", root)
    assert [row.event for row in order] == ["UNDO", "HIT", "news"]


def test_a_receiver_that_is_locked_is_passed_by(db: Db, dsn: str) -> None:
    one, other = db.create("counter"), db.create("counter")
    for at in (one, other):
        db.send("striker", db.create("striker", at=at), "GO")
    with Db(dsn) as holder:
        holder.begin()
        holder.run("select from m.counter where id = %s for update", one)
        assert db.value("select m.counter_pump()") == 1
        holder.rollback()
    assert (db.task("counter", one).hits, db.task("counter", other).hits) == (0, 1)
    assert db.value("select m.counter_pump()") == 1


def test_what_came_while_it_was_locked_is_read_with_the_rest(db: Db, dsn: str) -> None:
    """The pump reads a task's messages only after it has the lock."""
    id = db.create("counter")
    db.send("striker", db.create("striker", at=id), "GO")
    db.send("striker", db.create("striker", at=id), "GO")
    assert db.value("select m.counter_pump()") == 2
    assert db.task("counter", id).hits == 2
    assert db.value("select count(*) from m._counter_hops where id = %s", id) == 2
