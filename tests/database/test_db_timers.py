"""Timers: what sets them and puts them out, what fires them, in which order, and that each fires once."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from queue_client import Db, Json
from sessions import in_thread, waiting

MACHINES = """\
module m

event GO
event BACK
event AGAIN
event PAID(amount: int)

machine cart(patience: interval = 24h, due: timestamptz?) {
  var total: int = 0
  var nudges: int = 0
  initial state open {
    on PAID { set total = event.amount }
    on GO -> away
    on AGAIN reenter
    on BACK -> open
    after patience - 1h when total == 0 { set nudges = nudges + 1 }
    after patience -> expired
    at due -> overdue
  }
  state away { on BACK -> open }
  final state expired, overdue
}

machine ties {
  var seen: text = ""
  initial state a {
    after 1h { set seen = seen ++ "a" }
    at created_at + 1h { set seen = seen ++ "b" }
    after 60m when false { set seen = seen ++ "x" }
    after 30m + 30m { set seen = seen ++ "c" }
    on GO -> z
  }
  final state z
}

machine nested(long: interval = 1h) {
  var wait: interval = 0s
  initial state out {
    enter { set wait = long }
    after wait -> gone
    initial state one { after 10m -> two }
    state two { after 10m -> three  on AGAIN reenter }
    final state three { on BACK -> one }
    on GO -> two
    on AGAIN reenter
  }
  final state gone
}

machine through {
  var at_rest: interval = 1m
  initial state a { on GO -> b  after 1d -> z }
  state b { enter -> c { set at_rest = 5m }  after 1s -> z }
  state c { after at_rest -> z  on BACK -> a }
  final state z
}

machine job {
  initial state ready { on LOCKED_BY_WORKER -> running  after 1h -> late }
  state running { run "x:y"  on SUCCESS -> done  on ERROR -> ready  after 2h -> late }
  final state done, late
}

machine staged {
  initial step charge(max_attempts: 3) {
    run "x:y"
    on SUCCESS   -> rest
    on ABANDONED -> late
    after 3h     -> late
  }
  state rest { on GO -> charge }
  final state late
}

machine poison(bad: bool) {
  initial state a { after 1h -> z { when bad { fail "not today" } } }
  final state z
}

machine caught(stays: bool) {
  var why: text = ""
  var fired: int = 0
  initial state a {
    after 1h { set fired = 1 fail "not today" }
    after 2h { set fired = fired + 10 }
    on ERROR when stays { set why = type ++ ": " ++ message }
    on ERROR -> z { set why = type }
  }
  final state z
}

machine now(soon: interval) {
  initial state a { after soon -> b }
  state b { after 0s -> c }
  state c { on GO -> z }
  final state z
}

machine spawner { initial state a { after 1h -> z { spawn now(soon: 1h) } } final state z }
"""
END = datetime.max


def fire(db: Db, machine: str, max: int = 100, mark: Json = None) -> Json:
    """One sweep; what it answers is the mark of the next."""
    query = f"select {db.name(machine, '_fire')}(%s, %s)"
    return db.value(query, max, None if mark is None else Jsonb(mark))


def fire_all(db: Db, machine: str) -> int:
    """Sweep until nothing is due; how many timers that were."""
    found = 0
    for _ in range(50):
        fired = fire(db, machine)["fired"]
        if not fired:
            return found
        found += fired
    raise AssertionError("timers fire and fire")


def moments(db: Db, machine: str, id: int) -> list[timedelta | None]:
    """How long after the task's last dispatch each timer is due."""
    row = db.task(machine, id)
    assert row._timer_at == min((moment for moment in row._timers or [] if moment), default=None)
    return [moment and moment - row._at for moment in row._timers or []]


H = timedelta(hours=1)
M = timedelta(minutes=1)


def test_a_timer_fires_when_its_time_has_come_and_not_before(db: Db) -> None:
    id = db.create("cart")
    assert moments(db, "cart", id) == [23 * H, 24 * H, None]
    db.shift("22 h 59 min")
    assert fire(db, "cart")["fired"] == 0
    db.shift("1 min")
    assert fire_all(db, "cart") == 1
    assert (db.task("cart", id).nudges, db.state("cart", id)) == (1, "open")
    db.shift("1 h")
    assert fire_all(db, "cart") == 1
    assert db.state("cart", id) == "expired"
    db.shift("100 d")
    assert fire_all(db, "cart") == 0
    assert (db.task("cart", id)._timers, db.task("cart", id)._timer_at) == (None, None)


def test_the_history_says_which_timer_fired_when_it_was_due_and_how_late(db: Db) -> None:
    id = db.create("cart", patience="1 h")
    due = db.task("cart", id)._timers[1]
    db.shift("1 h 5 min")
    fire_all(db, "cart")
    *_, first, last = db.hops("cart", id)
    assert (first.event, first.from_state, first.to_state, first.changed) == (
        "after patience - 1h",
        "open",
        "open",
        {"nudges": 1},
    )
    assert (last.event, last.to_state, last.actor) == ("after patience", "expired", "jet.tick")
    assert datetime.fromisoformat(last.payload["due"]) == due
    assert timedelta(seconds=last.payload["lag"]) == last.at - due >= 5 * M


def test_a_guard_is_read_when_the_timer_fires_and_false_spends_it(db: Db) -> None:
    id = db.create("cart")
    db.send("cart", id, "PAID", {"amount": 3})
    db.shift("23 h")
    assert fire_all(db, "cart") == 1
    assert db.path("cart", id)[-1] == ("after patience - 1h", "open", None)
    db.send("cart", id, "PAID", {"amount": 0})
    assert fire_all(db, "cart") == 0
    assert db.task("cart", id).nudges == 0


def test_a_moment_is_told_by_a_param_and_null_is_no_timer(db: Db) -> None:
    soon = db.value("select jet.now() + interval '1 h'")
    past, none = db.create("cart", due="2020-01-01 00:00Z"), db.create("cart")
    id = db.create("cart", due=soon)
    assert fire_all(db, "cart") == 1
    assert [db.state("cart", one) for one in (past, none, id)] == ["overdue", "open", "open"]
    assert db.hops("cart", past)[-1].payload["lag"] < 60  # it was due when it was set
    assert db.task("cart", id)._timers[2] == soon
    db.shift("1 h")
    assert fire_all(db, "cart") == 1
    assert [db.state("cart", one) for one in (none, id)] == ["open", "overdue"]


def test_leaving_puts_timers_out_and_coming_back_sets_them_anew(db: Db) -> None:
    id = db.create("cart", patience="2 h")
    db.shift("90 min")
    db.send("cart", id, "GO")
    assert db.task("cart", id)._timers is None
    db.shift("5 h")
    assert fire_all(db, "cart") == 0
    db.send("cart", id, "BACK")
    assert moments(db, "cart", id) == [1 * H, 2 * H, None]


def test_going_to_the_state_one_is_in_keeps_timers_and_reenter_sets_them_anew(db: Db) -> None:
    id = db.create("cart", patience="2 h")
    before = db.task("cart", id)._timers
    db.shift("30 min")
    db.send("cart", id, "BACK")
    db.send("cart", id, "PAID", {"amount": 1})
    assert db.send("cart", id, "PAID", {"amount": 1}).applied
    assert db.task("cart", id)._timers == before
    db.send("cart", id, "AGAIN")
    assert moments(db, "cart", id) == [1 * H, 2 * H, None]


def test_of_timers_due_at_once_the_first_in_the_source_fires_first(db: Db) -> None:
    id = db.create("ties")
    db.shift("1 h")
    assert fire_all(db, "ties") == 4
    assert db.task("ties", id).seen == "abc"
    assert [hop.event for hop in db.hops("ties", id)[1:]] == [
        "after 1h",
        "at created_at + 1h",
        "after 1h",
        "after 30m + 30m",
    ]


def test_the_timer_of_a_composite_runs_while_any_state_inside_is_current(db: Db) -> None:
    id = db.create("nested")
    assert moments(db, "nested", id) == [60 * M, 10 * M]
    whole = db.task("nested", id)._timers[0]
    db.shift("10 min")
    assert fire_all(db, "nested") == 1
    assert db.state("nested", id) == "two"
    assert db.task("nested", id)._timers[0] == whole
    assert moments(db, "nested", id)[1] == 10 * M
    db.send("nested", id, "AGAIN")  # of the inner state
    assert db.task("nested", id)._timers[0] == whole
    db.shift("10 min")
    fire_all(db, "nested")
    assert db.state("nested", id) == "three"
    assert db.task("nested", id)._timers is None  # a final state has none
    db.send("nested", id, "BACK")
    assert moments(db, "nested", id) == [60 * M, 10 * M]
    db.send("nested", id, "GO")
    db.shift("1 h")
    fire_all(db, "nested")
    assert db.path("nested", id)[-1] == ("after 10m", "two", "three")


def test_reenter_of_a_composite_sets_its_timers_anew(db: Db) -> None:
    id = db.create("nested")
    db.shift("5 min")
    db.send("nested", id, "AGAIN")
    assert (db.state("nested", id), moments(db, "nested", id)) == ("one", [60 * M, 10 * M])


def test_a_duration_is_computed_once_where_the_dispatch_comes_to_rest(db: Db) -> None:
    id = db.create("through")
    db.send("through", id, "GO")
    assert (db.state("through", id), moments(db, "through", id)) == ("c", [5 * M])
    db.send("through", id, "BACK")
    assert moments(db, "through", id) == [24 * H]


def test_zero_and_less_fire_at_the_next_sweep_one_hop_each(db: Db) -> None:
    id = db.create("now", soon="-5 min")
    assert moments(db, "now", id) == [timedelta()]
    assert fire(db, "now")["fired"] == 1
    assert db.state("now", id) == "b"
    assert fire(db, "now")["fired"] == 1
    assert db.state("now", id) == "c"
    assert fire_all(db, "now") == 0


def test_create_many_and_spawns_set_timers(db: Db) -> None:
    ids = db.create_many("now", [{"soon": "00:10:00"}, {"soon": "01:00:00", "_key": "k"}])
    assert [moments(db, "now", id) for id in ids] == [[10 * M], [1 * H]]
    db.create("spawner")
    db.shift("1 h")
    fire_all(db, "spawner")
    (child,) = db.rows("select created_at, _timer_at as due from m.now where parent is not null")
    assert child.due - child.created_at == 1 * H


def test_a_claim_puts_the_timers_of_the_queue_out_and_sets_those_of_the_run(db: Db) -> None:
    worker, id = db.worker(), db.create("job")
    assert moments(db, "job", id) == [1 * H]
    task = db.claim_one("job", worker)
    assert moments(db, "job", id) == [2 * H]
    assert db.resolve("job", worker, task, "SUCCESS") == "applied"
    assert (db.state("job", id), db.task("job", id)._timers) == ("done", None)
    assert db.path("job", id)[-2:] == [("LOCKED_BY_WORKER", "ready", "running"), ("SUCCESS", "running", "done")]


def test_a_run_left_by_its_timer_is_its_workers_no_longer(dsn: str, db: Db) -> None:
    worker, id = db.worker(), db.create("job")
    task = db.claim_one("job", worker)
    with Db(dsn) as listener:
        listener.run("listen jet")
        db.shift("2 h")
        assert fire_all(db, "job") == 1
        (news,) = list(listener.connection.notifies(timeout=10, stop_after=1))
    assert news.payload == "m.job lost"
    assert [row[0] for row in db.rows("select m.job_lost(%s, %s, %s)", worker, [id], [task.token])] == [id]
    assert db.resolve("job", worker, task, "SUCCESS") == "lost"
    assert db.state("job", id) == "late"


def test_the_timer_of_a_step_counts_across_its_retries(db: Db) -> None:
    worker, id = db.worker(), db.create("staged")
    due = db.task("staged", id)._timer_at
    task = db.claim_one("staged", worker)
    db.shift("1 h")
    db.error("staged", worker, task)
    task = db.claim_one("staged", worker)
    assert (db.task("staged", id)._timer_at, task.attempt) == (due, 2)
    assert db.resolve("staged", worker, task, "SUCCESS") == "applied"
    assert (db.state("staged", id), db.task("staged", id)._timer_at) == ("rest", None)
    db.send("staged", id, "GO")
    db.claim_one("staged", worker)
    db.shift("3 h")
    assert fire_all(db, "staged") == 1
    assert db.state("staged", id) == "late"


def test_poison_is_stuck_and_holds_up_nobody(db: Db) -> None:
    ids = db.create_many("poison", [{"bad": n == 1} for n in range(3)])
    db.shift("1 h")
    assert fire(db, "poison")["fired"] == 3
    assert [db.state("poison", id) for id in ids] == ["z", "a", "z"]
    stuck = db.task("poison", ids[1])
    assert (stuck._stuck["event"], stuck._stuck["error"], stuck._timer_at) == ("timer", "not today", None)
    assert fire(db, "poison")["fired"] == 0
    # A retry fires it again, and sets it aside again.
    with pytest.raises(psycopg.errors.RaiseException, match="not today"):
        db.retry("poison", ids[1])


def test_a_timer_that_fails_is_an_error_where_the_state_takes_it_and_fires_no_more(db: Db) -> None:
    leaves, stays = db.create("caught", stays=False), db.create("caught", stays=True)
    db.shift("1 h")
    fire_all(db, "caught")
    assert (db.state("caught", leaves), db.task("caught", leaves).why) == ("z", "transition")
    assert (db.state("caught", stays), db.task("caught", stays).why) == ("a", "transition: not today")
    assert [hop.event for hop in db.hops("caught", stays)] == [None, "ERROR", "spent"]
    db.shift("1 h")
    fire_all(db, "caught")
    assert db.task("caught", stays).fired == 10


def test_a_stuck_task_has_its_timers_back_when_it_is_free(db: Db) -> None:
    id = db.create("poison", bad=True)
    db.shift("1 h")
    fire(db, "poison")
    mark = settled(db, "poison")
    db.run("select m.poison_retry(id) from m.poison where false")
    db.begin()
    db.run("update m.poison set _event = 'unstuck', _at = jet.now(), _actor = 'x' where id = %s", id)
    db.commit()
    # Behind a mark that has gone past its moment it is found all the same.
    assert fire(db, "poison", mark=mark)["fired"] == 1


def settled(db: Db, machine: str, mark: Json = None) -> Json:
    """A mark that has gone as far as it can."""
    for _ in range(3):
        db.shift("2 s")
        mark = fire(db, machine, mark=mark)
    return mark


def test_the_earliest_fire_first_in_batches_and_each_once(db: Db) -> None:
    db.create_many("now", [{"soon": f"{(n * 7919) % 10_000 + 1} s"} for n in range(10_000)])
    db.shift("3 h")
    mark: Json = None
    for batch in range(1, 21):
        mark = fire(db, "now", 500, mark)
        fired = db.rows("select extract(epoch from soon)::int from m.now where state = 'b' order by 1")
        assert (mark["fired"], [row[0] for row in fired]) == (500, [*range(1, 500 * batch + 1)])


def test_two_sweepers_at_once_fire_each_timer_once(dsn: str, db: Db) -> None:
    db.create_many("cart", [{"patience": "01:00:00"}] * 3_000)
    db.shift("2 h")
    fired: list[int] = []

    def sweep() -> None:
        with Db(dsn) as mine:
            mark: Json = None
            while (mark := fire(mine, "cart", 50, mark))["fired"] or mark["next"] < 1:
                fired.append(mark["fired"])

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(fired) == 6_000
    query = (
        "select event, count(*), count(distinct id) as tasks from m.cart_history"
        " where event like 'after%' group by 1 order by 1"
    )
    assert db.rows(query) == [("after patience", 3_000, 3_000), ("after patience - 1h", 3_000, 3_000)]


def test_a_sweeper_that_is_killed_loses_nothing(dsn: str, db: Db) -> None:
    ids = db.create_many("poison", [{"bad": False}] * 10)
    db.shift("1 h")
    with Db(dsn) as doomed:
        doomed.begin()
        assert fire(doomed, "poison")["fired"] == 10
        assert fire(db, "poison")["fired"] == 0
        db.run("select pg_terminate_backend(%s)", doomed.connection.info.backend_pid)
        while fire(db, "poison")["fired"] == 0:
            pass
    assert {db.state("poison", id) for id in ids} == {"z"}
    assert all(len(db.hops("poison", id)) == 2 for id in ids)


def test_what_is_locked_is_skipped_and_taken_by_the_next_sweep(dsn: str, db: Db) -> None:
    first, second = db.create("poison", bad=False), db.create("poison", bad=False)
    db.shift("1 h")
    with Db(dsn) as other:
        other.begin()
        other.rows("select from m.poison where id = %s for update", first)
        mark = fire(db, "poison")
        assert (mark["fired"], mark["next"]) == (1, 0)
        mark = settled(db, "poison", mark)
        assert mark["next"] == pytest.approx(0.1)
        other.rollback()
    assert db.state("poison", second) == "z"
    assert fire(db, "poison", mark=mark)["fired"] == 1
    assert db.state("poison", first) == "z"


def test_an_event_that_comes_first_puts_the_timer_out(dsn: str, db: Db) -> None:
    id = db.create("cart", patience="1 h")
    db.shift("2 h")
    with Db(dsn) as other:
        other.begin()
        other.send("cart", id, "GO")
        thread = in_thread(lambda: fire(db, "cart"))
        thread.join()
        other.commit()
    assert (db.state("cart", id), fire_all(db, "cart")) == ("away", 0)


def test_a_writer_slow_between_clock_and_commit_is_not_left_behind_the_mark(dsn: str, db: Db) -> None:
    mark = settled(db, "now")
    with Db(dsn) as slow:
        slow.begin()
        slow.create("now", soon="0 s")
        mark = settled(db, "now", mark)
        slow.commit()
    assert fire(db, "now", mark=mark)["fired"] == 1


def test_the_answer_says_when_to_look_again(db: Db) -> None:
    assert fire(db, "now")["next"] == 10
    db.create("now", soon="4 s")
    assert 3 < fire(db, "now")["next"] <= 4
    db.create("now", soon="0 s")
    assert fire(db, "now")["next"] == 0


def test_a_tick_fires_timers_without_any_worker(db: Db) -> None:
    id = db.create("cart")
    db.shift("25 h")
    while db.value("select jet.tick()"):
        pass
    assert db.state("cart", id) == "expired"


def test_a_heartbeat_fires_timers_too(db: Db) -> None:
    id, worker = db.create("poison", bad=False), db.worker()
    db.shift("1 h")
    assert db.value("select jet.heartbeat(%s)", worker)
    assert db.state("poison", id) == "z"


def test_a_timer_that_comes_due_soon_wakes_who_sleeps(db: Db) -> None:
    worker = db.worker()
    db.run("select jet.worker_idle(%s, true)", worker)
    db.run("listen jet")
    db.create("now", soon="1 h")
    db.create("now", soon="5 s")
    assert [news.payload for news in db.connection.notifies(timeout=0.1)] == ["m.now"]


def test_the_next_thing_due_in_a_module_is_told(db: Db) -> None:
    moment = db.value("select jet.now()")
    assert db.value("select m._due(%s)", moment) is None
    id = db.create("now", soon="3 h")
    assert db.value("select m._due(%s)", moment) == db.task("now", id)._timer_at
    assert db.value("select m._due(%s)", db.task("now", id)._timer_at) is None
    held = db.create("staged", _delay="2 h")
    assert db.value("select m._due(%s)", moment) == db.task("staged", held).run_at


def test_a_moment_cannot_be_written_by_hand(db: Db) -> None:
    id = db.create("cart")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run("update m.cart set _timer_at = null where id = %s", id)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.run(
            "insert into m.cart"
            " (id, root, created_at, entered_at, _at, patience, total, nudges, _actor, _creator, _timer_at)"
            " values (1000, 1000, now(), now(), now(), '1 h', 0, 0, 'x', 'x', now())"
        )


def test_m_at_tells_the_table_before_and_after_a_firing(db: Db) -> None:
    id = db.create("cart", patience="1 h")
    db.shift("2 h")
    before = db.value("select jet.now()")
    fire_all(db, "cart")
    assert db.value("select state from m.cart_at(%s) where id = %s", before, id) == "open"
    assert db.value("select state from m.cart_at('infinity') where id = %s", id) == "expired"


def test_a_machine_without_timers_has_nothing_of_them(fresh: Any) -> None:
    text = MACHINES[: MACHINES.index("machine cart")] + 'machine job is task { state running { run "x:y" } }\n'
    with Db(fresh(text)) as plain:
        assert not plain.rows("select from pg_attribute where attrelid = 'm.job'::regclass and attname like '%timer%'")
        assert not plain.rows("select from pg_proc where proname like '%fire' and pronamespace = 'm'::regnamespace")


def test_claims_of_a_machine_with_timers_are_those_of_one_without(db: Db, fresh: Any) -> None:
    plain = (
        MACHINES[MACHINES.index("machine staged") :].split("\n\n", maxsplit=1)[0].replace("after 3h     -> late", "")
    )
    with Db(fresh(f"module m\n\nevent GO\n\n{plain}")) as other:
        for function in ("m.staged_claim", "m.staged_resolve"):
            query = "select prosrc from pg_proc where oid = %s::regproc"
            assert db.value(query, function) == other.value(query, function)
    assert not waiting(db)
