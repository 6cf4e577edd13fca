"""What a sweep of timers reads: what it fires and little more, whatever the statistics say; nothing that is dead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg.types.json import Jsonb
from queue_client import Db, Json, dumps
from test_db_plans import cost

MACHINES = """\
module m

event GO

machine cart(n: int) {
  initial state open { after 1h -> expired  on GO -> done }
  final state expired, done
}
"""
MANY = 20_000
BATCH = 100


def fire(db: Db, mark: Json = None, max: int = BATCH) -> Json:
    return db.value("select m.cart_fire(%s, %s)", max, None if mark is None else Jsonb(mark))


def load(db: Db, many: int = MANY) -> None:
    db.create_many("cart", [{"n": n} for n in range(many)])


def freeze(db: Db) -> None:
    db.run("alter table m.cart set (autovacuum_enabled = off)")
    db.run("alter table m._cart_hops set (autovacuum_enabled = off)")
    db.run("analyze m.cart, m._cart_hops")


def fired_while_empty(db: Db) -> None:
    """Every plan of this session is made, and cached, on empty tables; another one filled them since."""
    freeze(db)
    for _ in range(8):
        load(db, 1)
        db.shift("1 h")
        fire(db)
    with Db(db.dsn) as other:
        load(other)


def full(db: Db) -> None:
    load(db)
    freeze(db)


def half_fired(db: Db) -> None:
    load(db, MANY // 2)
    db.shift("1 h")
    fire(db, max=MANY)
    load(db, MANY // 2)
    freeze(db)


def none_seen_to_wait(db: Db) -> None:
    """The statistics saw nothing but what has fired."""
    load(db, 2_000)
    db.shift("1 h")
    fire(db, max=MANY)
    freeze(db)
    load(db)


SITUATIONS = {found.__name__: found for found in (fired_while_empty, full, half_fired, none_seen_to_wait)}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_sweep_reads_little_more_than_what_it_fires(db: Db, situation: str) -> None:
    SITUATIONS[situation](db)
    mark: list[Json] = [fire(db)]
    idle = cost(db, "cart", lambda: mark.append(fire(db, mark[-1])))
    assert mark[-1]["fired"] == 0
    assert (idle.scans, idle.tuples) <= (0, 5)
    db.shift("1 h")
    for _ in range(3):
        busy = cost(db, "cart", lambda: mark.append(fire(db, mark[-1])))
        assert mark[-1]["fired"] == BATCH
        assert busy.scans == 0
        assert busy.tuples < 10 * BATCH
    tick = cost(db, "cart", lambda: db.value("select jet.tick(%s)", BATCH))
    assert (tick.scans, tick.tuples < 10 * BATCH) == (0, True)


@contextmanager
def held_snapshot(db: Db) -> Iterator[None]:
    """No dead row can be cleared away: somebody reads for long."""
    with Db(db.dsn) as reader:
        reader.begin("repeatable read")
        reader.value("select count(*) from m.cart")
        yield
        reader.rollback()


def pages(db: Db, query: str) -> int:
    """What a query reads."""
    plan = db.value(f"explain (analyze, buffers, format json) {query}")
    return int(plan[0]["Plan"]["Shared Hit Blocks"]) + int(plan[0]["Plan"]["Shared Read Blocks"])


def test_a_sweep_walks_past_nothing_that_is_dead_though_a_snapshot_is_held(db: Db) -> None:
    """With the mark; the first call of all has to walk it."""
    load(db)
    freeze(db)
    with held_snapshot(db):
        db.shift("1 h")
        mark = fire(db, max=MANY)
        assert mark["fired"] == MANY
        for _ in range(3):
            db.shift("2 s")
            mark = fire(db, mark)
        without = pages(db, "select m.cart_fire(100, null)")
        with_mark = pages(db, f"select m.cart_fire(100, '{dumps(mark)}')")
        assert with_mark < 50 < without


def test_timers_that_were_put_out_are_not_walked_until_their_time_comes(db: Db) -> None:
    ids = db.create_many("cart", [{"n": n} for n in range(2_000)])
    freeze(db)
    with held_snapshot(db):
        db.run("select m.cart_send(id, 'GO') from unnest(%s::bigint[]) id", ids)
        fire(db)  # which looks its own names up
        assert pages(db, "select m.cart_fire(100, null)") < 50
