"""`limit` and `fair`: how many may be at work or begin, in all and of one value, and whose turn it is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest
from checking import program
from queue_client import Db

from jetpackc.migrate import lock as locks
from jetpackc.migrate.build import build

MACHINES = """\
module m

machine each(tenant: text, urgency: int = 0) {
  limit 2 per tenant
  priority -urgency
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running {
    run "app:f"
    on SUCCESS     -> done
    on ERROR       -> failed
    on LATER       -> ready in 1h
    on RELEASED    -> ready
    on CANCEL      -> failed
    on CONFUSE when tenant == "odd" { fail "no" }
  }
  final state done
  failure state failed { on RETRY -> ready }
}

machine fragile(tenant: text, divisor: int = 1) {
  limit 2
  limit 2 per tenant
  var share: int = 0
  initial state ready { on LOCKED_BY_WORKER -> running { set share = 10 / divisor } }
  state running { run "app:f"  on SUCCESS, ERROR -> done }
  final state done
}

machine wide {
  limit 3
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running { run "app:f"  on SUCCESS, ERROR -> done }
  final state done
}

machine slow(tenant: bigint?) {
  limit 4 per 1m per tenant
  limit 6 per 1m
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running { run "app:f"  on SUCCESS, ERROR -> done }
  final state done
}

machine turns(tenant: text, urgency: int = 0) {
  fair by tenant
  priority -urgency
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running { run "app:f"  on SUCCESS, ERROR -> done }
  final state done
}
"""


def many(db: Db, machine: str, **counts: int) -> dict[str, list[int]]:
    """So many tasks of each tenant."""
    return {
        tenant: db.create_many(machine, [{"tenant": tenant} for _ in range(count)]) for tenant, count in counts.items()
    }


def tenants(db: Db, machine: str, ids: list[int]) -> list[str]:
    found = dict(db.rows(f"select id, tenant from m.{machine}"))
    return [found[id] for id in ids]


def at_work(db: Db, machine: str) -> int:
    return int(db.value(f"select count(*) from m.{machine} where state = 'running'"))


# ---------------------------------------------------------------- how many at work


def test_of_one_value_no_more_are_at_work_than_the_limit_says(db: Db) -> None:
    many(db, "each", a=5, b=1, c=3)
    worker = db.worker()
    found = db.claim("each", worker)
    assert sorted(tenants(db, "each", found.ids)) == ["a", "a", "b", "c", "c"]
    assert db.claim("each", worker, 10, found.mark).ids == []


def test_each_end_makes_room_for_one(db: Db) -> None:
    ids = many(db, "each", a=6)["a"]
    worker = db.worker()
    first, second = db.claim("each", worker).tasks
    db.resolve("each", worker, first, "SUCCESS")
    (third,) = db.claim("each", worker).tasks
    db.error("each", worker, second)
    (fourth,) = db.claim("each", worker).tasks
    assert [first.id, second.id, third.id, fourth.id] == ids[:4]
    db.resolve_many("each", worker, [{"id": t.id, "token": t.token, "event": "SUCCESS"} for t in (third, fourth)])
    assert len(db.claim("each", worker).tasks) == 2


def ends(db: Db, worker: int, task: object) -> dict[str, Callable[[], object]]:
    return {
        "sent away": lambda: db.send("each", task.id, "CANCEL"),  # type: ignore[attr-defined]
        "handed back": lambda: db.resolve("each", worker, task, "RELEASED"),
        "later": lambda: db.resolve("each", worker, task, "LATER"),
        "worker gone": lambda: (db.run("select jet.worker_stop(%s)", worker), db.run("select jet.tick()")),
    }


@pytest.mark.parametrize("end", ["sent away", "handed back", "later", "worker gone"])
def test_whatever_ends_a_lease_gives_its_place_back_once(db: Db, end: str) -> None:
    many(db, "each", a=5)
    gone, worker = db.worker(), db.worker()
    first = db.claim_one("each", gone)
    assert len(db.claim("each", worker).tasks) == 1
    ends(db, gone, first)[end]()
    assert len(db.claim("each", worker).tasks) == 1
    assert db.claim("each", worker).ids == []
    assert at_work(db, "each") == 2
    assert db.resolve("each", gone, first, "SUCCESS") != "applied"
    assert db.claim("each", worker).ids == []


def test_a_stuck_task_holds_no_place(db: Db) -> None:
    worker = db.worker()
    ids = db.create_many("fragile", [{"tenant": "a", "divisor": n} for n in (0, 1, 1, 1)])
    found = db.claim("fragile", worker)
    assert db.task("fragile", ids[0])._stuck is not None
    assert found.ids == ids[1:2]
    found = db.claim("fragile", worker)
    assert found.ids == ids[2:3]
    assert db.claim("fragile", worker).ids == []


def test_the_limit_of_the_whole_machine_is_kept_beside_that_of_one_value(db: Db) -> None:
    many(db, "fragile", a=2, b=2)
    worker = db.worker()
    assert len(db.claim("fragile", worker).tasks) == 2
    assert db.claim("fragile", worker).ids == []


def test_a_machine_wide_limit(db: Db) -> None:
    ids = [db.create("wide") for _ in range(7)]
    worker = db.worker()
    found = db.claim("wide", worker, 2)
    assert found.ids == ids[:2]
    found = db.claim("wide", worker, 5, found.mark)
    assert found.ids == ids[2:3]
    assert found.mark["next"] == 0.1
    db.resolve("wide", worker, found.tasks[0], "SUCCESS")
    found = db.claim("wide", worker, 5, found.mark)
    assert found.ids == ids[3:4]


def test_a_rolled_back_claim_takes_no_place(db: Db) -> None:
    many(db, "each", a=3)
    worker = db.worker()
    db.begin()
    assert len(db.claim("each", worker).tasks) == 2
    db.rollback()
    assert len(db.claim("each", worker).tasks) == 2


def test_a_lane_that_another_claim_has_open_is_left_to_it(dsn: str, db: Db) -> None:
    many(db, "each", a=5, b=9)
    with Db(dsn) as other:
        for _ in range(2):
            other.begin()
            taken = other.claim("each", other.worker(), 1)
            assert tenants(other, "each", taken.ids) == ["a"]
            found = db.claim("each", db.worker(), 10)
            assert set(tenants(db, "each", found.ids)) <= {"b"}
            other.rollback()
            for task in found.tasks:
                db.send("each", task.id, "CANCEL")


def test_workers_at_once_never_go_over(dsn: str, db: Db) -> None:
    """Eight of them claim and finish tasks of five tenants; after every claim somebody counts."""
    many(db, "each", a=120, b=20, c=20, d=1, e=1)
    most = "select max(n) from (select count(*) as n from m.each where state = 'running' group by tenant) c"
    seen: list[int] = []
    failed: list[Exception] = []

    def work() -> None:
        with Db(dsn) as own:
            worker, mark = own.worker(), None
            try:
                while own.value("select exists (select from m.each where state <> 'done')"):
                    found = own.claim("each", worker, 3, mark)
                    mark = found.mark
                    seen.append(own.value(most) or 0)
                    for task in found.tasks:
                        own.resolve("each", worker, task, "SUCCESS")
            except psycopg.Error as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert max(seen) == 2
    assert db.value("select count(*) from m.each where state = 'done'") == 162
    left = """select l.running - coalesce((select sum(f.n) from m._each_freed f where f.lane = l.lane), 0)
        from m._each_lanes l where l.lane <> ''"""
    assert [row[0] for row in db.rows(left)] == [0] * 5


# ---------------------------------------------------------------- how many within a time


def test_a_rate_is_kept_in_every_window(db: Db) -> None:
    db.create_many("slow", [{"tenant": 1} for _ in range(20)])
    worker = db.worker()
    begun: list[int] = []
    for _ in range(16):
        found = db.claim("slow", worker, 3)
        begun.append(len(found.tasks))
        for task in found.tasks:
            db.resolve("slow", worker, task, "SUCCESS")
        db.shift("15 s")
    assert all(sum(begun[at : at + 4]) <= 4 for at in range(len(begun)))
    assert sum(begun) >= 12


def test_rates_of_values_and_of_the_machine(db: Db) -> None:
    db.create_many("slow", [{"tenant": tenant} for tenant in (1, 1, 1, 1, 1, None, None, None, None, None)])
    worker = db.worker()
    found = db.claim("slow", worker, 10)
    counts = db.rows("select tenant, count(*) from m.slow where state = 'running' group by tenant")
    assert len(found.tasks) == 6
    assert max(row[1] for row in counts) <= 4
    assert db.claim("slow", worker, 10).ids == []
    db.shift("70 s")
    assert len(db.claim("slow", worker, 10).tasks) == 4


# ---------------------------------------------------------------- whose turn it is


def test_one_with_many_does_not_hold_up_those_with_few(db: Db) -> None:
    ids = many(db, "turns", big=500, small=1, tiny=1)
    found = db.claim("turns", db.worker(), 16)
    assert {*ids["small"], *ids["tiny"]} <= set(found.ids)
    assert len(found.ids) == 16


def test_turns_go_on_where_the_last_claim_of_the_worker_ended(db: Db) -> None:
    many(db, "turns", a=9, b=9, c=9)
    worker, mark, seen = db.worker(), None, []
    for _ in range(6):
        found = db.claim("turns", worker, 1, mark)
        mark = found.mark
        seen += tenants(db, "turns", found.ids)
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_priority_goes_before_turns_and_time_after(db: Db) -> None:
    plain = many(db, "turns", a=3, b=2)
    urgent = db.create("turns", tenant="a", urgency=1)
    worker = db.worker()
    assert db.claim("turns", worker, 1).ids == [urgent]
    found = db.claim("turns", worker, 10)
    assert [id for id in found.ids if id in plain["a"]] == plain["a"]
    assert len(found.ids) == 5


def test_what_is_due_later_is_told(db: Db) -> None:
    db.create("turns", tenant="a", _delay="1 min")
    db.create("each", tenant="a", _delay="1 min")
    worker = db.worker()
    for machine in ("turns", "each"):
        found = db.claim(machine, worker)
        assert found.ids == []
        assert 59 < found.mark["next"] <= 60
    db.shift("61 s")
    assert len(db.claim("turns", worker).ids) == len(db.claim("each", worker).ids) == 1


# ---------------------------------------------------------------- change


def test_limits_that_come_and_go_count_what_is_at_work(fresh: Callable[[str], str]) -> None:
    limited = "module m\n" + MACHINES[MACHINES.index("machine each") : MACHINES.index("machine fragile")]
    free = limited.replace("  limit 2 per tenant\n", "")
    wide = limited.replace("limit 2 per tenant", "limit 4")
    lock, scripts = None, []
    for text in (free, limited, wide, free):
        made = build(program(text), lock, first_number=1, version="1", sources=["w.jet"])
        lock = locks.loads(made.lock)
        scripts.append("\n".join(made.migrations.values()))
    with Db(fresh(free)) as db:
        many(db, "each", a=9, b=9)
        worker = db.worker()
        assert len(db.claim("each", worker, 3).ids) == 3
        db.run(scripts[1])
        assert set(tenants(db, "each", db.claim("each", worker).ids)) == {"b"}
        assert at_work(db, "each") == 5
        db.run(scripts[2])
        assert db.claim("each", worker).ids == []
        db.run("select jet.worker_stop(%s)", worker)
        db.run("select jet.tick()")
        worker = db.worker()
        assert len(db.claim("each", worker).ids) == 4
        db.run(scripts[3])
        assert len(db.claim("each", worker, 3).ids) == 3


def test_what_a_limit_keeps_back_costs_later_claims_nothing(db: Db) -> None:
    """Blocks that a claim of another tenant's task reads, behind few that wait for room and behind many."""
    worker = db.worker()

    def blocks() -> int:
        db.run("analyze m.each")
        many(db, "each", small=1)
        query = "explain (analyze, buffers, format json) select * from m.each_claim(%s, 1)"
        found = db.value(query, worker)[0]["Plan"]
        (task,) = db.rows("select id, _token as token from m.each where tenant = 'small' and state = 'running'")
        db.resolve("each", worker, task, "SUCCESS")
        return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])

    many(db, "each", big=20)
    assert len(db.claim("each", worker, 10).ids) == 2
    blocks()
    few = blocks()
    many(db, "each", big=5000)
    assert blocks() < 2 * few
