"""The checker itself: it finds nothing in what the engine wrote, and each lie that is written into it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from evidence import gather
from invariants import broken, unfinished

from jetpackc.check import compile_sources
from jetpackc.source import Source

MACHINES = """\
module m
event GO
machine parent(n: int) {
  var ends: int = 0
  initial state open {
    on GO -> waiting { spawn child(n: i) for i in [1, 2, 3] }
  }
  state waiting {
    on CHILD_DONE { increment ends }
    on SUBTREE_FLUSHED when children.count(done) == 3 -> done
    on SUBTREE_FLUSHED -> bad
    after 1h -> bad
  }
  final state done
  failure state bad
}
machine child(n: int) is task(max_attempts: 2) { state running { run "x:y" } }
machine stepped {
  initial state a { after 0s -> work }
  step work(max_attempts: 2, backoff: 0s..0s) { run "x:z" on SUCCESS -> done on ABANDONED -> bad }
  final state done
  failure state bad
}
"""
HISTORY = [
    "select m.parent_create(n => 1)",
    "select m.parent_send(1, 'GO')",
    "select m.stepped_create()",
    "select m.stepped_fire()",
    "select jet.worker_start('w')",
    "select * from m.child_claim(1, 2)",
    'select m.child_resolve(1, \'[{"id": 2, "token": 2, "event": "SUCCESS"}]\')',
    'select m.child_resolve(1, \'[{"id": 3, "token": 2, "event": "ERROR"}]\')',
    'select m.child_resolve(1, \'[{"id": 3, "token": 2, "event": "SUCCESS"}]\')',
    "select * from m.child_claim(1, 2)",
    'select m.child_resolve(1, \'[{"id": 3, "token": 5, "event": "SUCCESS"}]\')',
    "select m.parent_pump()",
    "select * from m.stepped_claim(1, 2)",
    'select m.stepped_resolve(1, \'[{"id": 5, "token": 3, "event": "ERROR"}]\')',
    "select * from m.stepped_claim(1, 2)",
]


@pytest.fixture
def played(fresh: Callable[[str], str]) -> str:
    dsn = fresh(MACHINES)
    with psycopg.connect(dsn, autocommit=True) as db:
        for step in HISTORY:
            db.execute(step.encode())
    return dsn


def look(dsn: str) -> list[str]:
    program = compile_sources([Source("m.jet", MACHINES)]).program
    assert program is not None
    return broken(gather(dsn, program), program)


def test_what_the_engine_wrote_holds(played: str) -> None:
    assert look(played) == []


def test_a_database_that_is_not_done_says_so(played: str) -> None:
    program = compile_sources([Source("m.jet", MACHINES)]).program
    assert program is not None
    left = unfinished(gather(played, program), program)
    assert "m.child 4: it rests in running" in left
    assert "m.stepped 5: it rests in work.running" in left


LIES = {
    "update m._child_hops set seq = seq + 1 where id = 2": "hops are numbered",
    "update m._child_hops set to_state = 'abandoned' where id = 2": "leads from running to abandoned by SUCCESS",
    "update m._child_hops set token = 9 where id = 2": "came with token 9; the claim was 2",
    "update m._child_hops set token = null where id = 2": "SUCCESS) came without a token",
    "update m._child_hops set actor = 'somebody' where id = 2": "is by somebody, the claim was by w",
    "delete from m._child_hops where id = 2": "hop 1 creates it in done",
    "delete from m._parent_hops where id = 1 and seq = 3": "hops are numbered",
    "insert into m._child_hops select * from m._child_hops where id = 2": "hops are numbered",
    "update m._child_hops set at = at - interval '1 h' where id = 2": "is before the one before it",
    "update m._child_hops set attempts = 2 where id = 2": "found attempts 2, not [1]",
    "update m.child set state = 'abandoned' where id = 2": "its row says abandoned, its history done",
    "update m.child set attempts = 7 where id = 2": "its attempts are 7, not [1]",
    "update m.child set _worker = 1, _token = 2 where id = 2": "worker 1 holds it in done",
    "update m.child set _worker = null, _token = null where id = 4": "nobody works it in running",
    "update m.child set _ended = false where id = 2": "alive in done",
    "update m.child set run_at = now() where id = 2": "its run_at is",
    "update m.child set _at = _at + interval '1 s' where id = 2": "its last hop of",
    "update m.parent set _children = '{\"+m.child done\": 3}'": "it counts children",
    "update m.parent set _subtree = null": "it counts descendants",
    "insert into m._parent_hops select (jsonb_populate_record(h, '{\"seq\": 5}')).*"
    " from m._parent_hops h where seq = 4": "heard of",
    "delete from m.child where id = 2": "it has a history and no row",
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_found(played: str, lie: str) -> None:
    with psycopg.connect(played, autocommit=True) as db:
        db.execute("set session_replication_role = replica")
        assert db.execute(lie.encode()).rowcount
    assert any(LIES[lie] in what for what in look(played)), look(played)
