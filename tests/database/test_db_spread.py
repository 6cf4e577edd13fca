"""A message for a whole subtree goes on below a task that cannot take it."""

from __future__ import annotations

import psycopg
import pytest
from queue_client import Db

MACHINES = """\
module m

event GO
event STOP

machine top {
  initial state open {
    on GO { spawn node(brave: true)  spawn node(brave: false) }
    on STOP { send subtree STOP }
    on LEAVE -> done
  }
  final state done
}

machine node(brave: bool) {
  var errors: int = 0
  initial state open {
    enter { spawn leaf() }
    on STOP { fail "not now" }
    on ERROR when brave { increment errors }
    on LEAVE -> done
  }
  final state done
}

machine leaf {
  initial state open { on STOP -> done }
  final state done
}
"""


def pumped(db: Db) -> bool:
    """Whether what waits was applied."""
    try:
        db.value("select m.node_pump()")
        db.value("select m.leaf_pump()")
    except psycopg.errors.RaiseException:
        return False
    return True


@pytest.fixture
def tree(db: Db) -> tuple[list[int], list[int]]:
    """Two nodes, of which the first takes ERROR, and their leaves; all are told to stop."""
    top = db.create("top")
    db.send("top", top, "GO")
    db.send("top", top, "STOP")
    nodes, leaves = (
        [row.id for row in db.rows(f"select id from m.{machine} order by id")] for machine in ("node", "leaf")
    )
    return nodes, leaves


def test_below_one_whose_error_is_handled(db: Db, tree: tuple[list[int], list[int]]) -> None:
    nodes, leaves = tree
    assert pumped(db)
    assert db.path("node", nodes[0])[1:] == [("ERROR", "open", "open")]
    assert db.task("node", nodes[0]).errors == 1
    assert db.state("leaf", leaves[0]) == "done"
    assert db.value("select count(*) from jet.inbox") == 0


def test_below_one_that_is_stuck_it_waits(db: Db, tree: tuple[list[int], list[int]]) -> None:
    nodes, leaves = tree
    pumped(db)
    assert db.task("node", nodes[1])._stuck["error"] == "not now"
    assert db.state("leaf", leaves[1]) == "open"
