"""Behind the mark, at the same time: writers slow between the clock and their write, and a really busy queue."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from queue_client import Db, Json, outcome
from sessions import in_thread, replace_in, waiting

MACHINES = """\
module m

machine job(n: int = 0) is task(max_attempts: 3) { state running { run "x:y" } }
"""


@contextmanager
def held_behind_the_clock(db: Db, dsn: str, function: str) -> Iterator[Callable[[], None]]:
    """Let a function stop right behind its reading of the clock, however short that moment is, until it may go on."""
    clock = "v_now := jet.now();"
    replace_in(db, function, clock, f"{clock} perform pg_advisory_xact_lock(1);")
    with Db(dsn) as gate:
        gate.run("select pg_advisory_lock(1)")
        yield lambda: gate.run("select pg_advisory_unlock(1)")


WRITERS: dict[str, tuple[str, Callable[[Db, int, Any], object]]] = {
    "create": ("m._job_add", lambda db, worker, task: db.create("job")),
    "create with a key": ("m._job_add", lambda db, worker, task: db.create("job", _key="k")),
    "create_many": ("m._job_insert", lambda db, worker, task: db.create_many("job", [{"n": 1}])),
    "resolve": ("m.job_resolve", lambda db, worker, task: db.error("job", worker, task)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_slow_between_clock_and_write_is_not_left_behind_the_mark(dsn: str, db: Db, name: str) -> None:
    function, write = WRITERS[name]
    mine, other = db.worker(), db.worker()
    db.create("job")
    task = db.claim_one("job", other)
    mark = claims_until_the_mark_settles(db, mine, None)
    with Db(dsn) as writer, held_behind_the_clock(db, dsn, function) as go_on:
        thread = in_thread(lambda: write(writer, other, task))
        while not waiting(db):
            pass
        replace_in(db, function, " perform pg_advisory_xact_lock(1);", "")
        mark = claims_until_the_mark_settles(db, mine, mark)
        go_on()
        thread.join()
    left = db.rows("select id from m.job where state = 'ready'")
    assert len(left) == 1
    assert db.claim("job", mine, 100, mark).ids == [left[0].id]


def test_a_create_that_waited_for_its_key_is_not_left_behind_the_mark(dsn: str, db: Db) -> None:
    worker = db.worker()
    with Db(dsn) as first, Db(dsn) as second:
        first.begin()
        first.create("job", _key="k")
        thread = in_thread(lambda: second.create("job", _key="k"))
        while not waiting(db):
            pass
        mark = claims_until_the_mark_settles(db, worker, None)
        first.rollback()
        thread.join()
    (left,) = db.rows("select id from m.job where state = 'ready'")
    assert db.claim("job", worker, 100, mark).ids == [left.id]


def claims_until_the_mark_settles(db: Db, worker: int, mark: Json) -> Json:
    """Claim a few times, each time something new, so that the mark goes as far as it can."""
    for _ in range(5):
        db.create("job")
        mark = db.claim("job", worker, 100, mark).mark
    return mark


# ---------------------------------------------------------------- for real, at once


# Hops that do not follow from the one before, or stand twice.
BROKEN_PATHS = """
select * from (
  select h.*, lag(seq) over w as before, lag(coalesce(to_state, from_state)) over w as stood
  from m.job_history h window w as (partition by id order by seq, at)) x
where seq > 1 and (before is null or seq <> before + 1 or from_state is distinct from stood)
"""


def test_workers_that_never_drop_their_marks_drain_a_busy_queue(dsn: str) -> None:
    total = 400
    stop = threading.Event()
    failed: list[BaseException] = []

    def guarded(body: Callable[[random.Random], None], seed: int) -> threading.Thread:
        def run() -> None:
            try:
                body(random.Random(seed))
            except BaseException as error:
                failed.append(error)
                stop.set()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def create(chance: random.Random) -> None:
        with Db(dsn) as db:
            made = 0
            while made < total and not stop.is_set():
                db.begin()
                batch = chance.randint(1, 8)
                for _ in range(batch):
                    db.create("job", _priority=chance.choice((0, 0, 1)))
                    if chance.random() < 0.2:
                        db.run("select pg_sleep(0.002)")
                keeps = chance.random() < 0.9
                db.commit() if keeps else db.rollback()
                made += batch if keeps else 0

    def work(chance: random.Random) -> None:
        with Db(dsn) as db:
            worker, mark = db.worker(), None
            while not stop.is_set():
                claimed = db.claim("job", worker, chance.randint(1, 6), mark)
                mark = claimed.mark
                events = (("SUCCESS", None), ("SUCCESS", None), ("ERROR", {"type": "E"}), ("RELEASED", None))
                if claimed.tasks:
                    db.resolve_many("job", worker, [outcome(task, *chance.choice(events)) for task in claimed.tasks])

    with Db(dsn) as db:
        creators = [guarded(create, seed) for seed in (1, 2, 3)]
        workers = [guarded(work, seed) for seed in (4, 5)]
        for thread in creators:
            thread.join()
        deadline = db.value("select clock_timestamp() + interval '10 s'")
        while not stop.is_set() and db.value("select exists (select from m.job where not _ended)"):
            assert db.value("select clock_timestamp() < %s", deadline), db.rows(
                "select id, state, run_at, attempts from m.job where not _ended"
            )
        stop.set()
        for thread in workers:
            thread.join()
        assert failed == []
        assert db.rows(BROKEN_PATHS) == []
        assert db.value("select count(*) from m.job where _ended") >= 3 * total
