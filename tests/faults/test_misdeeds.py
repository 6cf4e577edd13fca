"""What a handler does wrong is its own task's matter: it is told, and all others go on, in the same worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from crooks import DEEDS, RAISED, RETURNED
from evidence import gather
from invariants import broken, unfinished
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from jetpackc.check import compile_sources
from jetpackc.source import Source

MACHINES = """\
module c

/// `kind`: what its handler does.
machine crook(kind: text, at: timestamptz?, every: interval?, amount: numeric?, extra: json?) is task(max_attempts: 2) {
  var value: int?
  state running {
    run "crooks:work"
    timeout 20s
    on SUCCESS(value: int) -> done { set value = event.value }
  }
}
machine plain(kind: text) is task(max_attempts: 2) {
  var value: int?
  state running {
    run "crooks:plain"
    on SUCCESS(value: int) -> done { set value = event.value }
  }
}
"""
POISON: Mapping[str, Mapping[str, str]] = {
    "moment": {"at": "infinity"},
    "far": {"at": "200000-01-01"},
    "interval": {"every": "178000000 years"},
    "digits": {"amount": "9" * 10_000},
}
"""Params that Postgres holds and Python does not."""
SECONDS = 180.0


@pytest.fixture
def worked(fresh: Callable[[str], str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A database full of crooks, and of good ones before, between and behind, all worked by one process."""
    dsn = fresh(MACHINES)
    bad = [{"kind": kind} for kind in (*RAISED, *RETURNED, *DEEDS)]
    good = [{"kind": f"good {n}"} for n in range(len(bad))]
    tasks = [task for pair in zip(bad, good, strict=True) for task in pair]
    with psycopg.connect(dsn, autocommit=True) as connection:
        poison = [{"kind": kind, **params} for kind, params in POISON.items()]
        connection.execute("select c.crook_create_many(%s)", (Jsonb([*poison, *tasks]),))
        plain = [*RAISED, *RETURNED, "fork", *(f"good {n}" for n in range(20))]
        connection.execute("select c.plain_create_many(%s)", (Jsonb([{"kind": kind} for kind in plain]),))
    script = Path(__file__).with_name("crooks.py")
    process = subprocess.Popen([sys.executable, script, dsn], stderr=subprocess.PIPE, text=True)
    yield dsn, process
    process.kill()
    process.communicate()


def rows(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn, row_factory=namedtuple_row) as connection:
        return connection.execute(query.encode()).fetchall()


def test_misdeeds_are_told_and_all_others_go_on(worked: tuple[str, subprocess.Popen[str]]) -> None:
    dsn, process = worked
    left = "select count(*) from (select _ended from c.crook union all select _ended from c.plain) t where not _ended"
    deadline = monotonic() + SECONDS
    while rows(dsn, left)[0].count:
        states = "select kind, state, attempts from c.crook where not _ended"
        assert process.poll() is None
        assert monotonic() < deadline, rows(dsn, states)
        sleep(0.05)  # the database alone can tell
    process.terminate()
    _, log = process.communicate(timeout=30)

    program = compile_sources([Source("c.jet", MACHINES)]).program
    assert program is not None
    evidence = gather(dsn, program)
    assert broken(evidence, program) + unfinished(evidence, program) == []
    for row in (*evidence.rows["c.crook"].values(), *evidence.rows["c.plain"].values()):
        kind = row["kind"]
        lost = kind in RAISED or kind in RETURNED or kind in POISON
        assert row["state"] == ("abandoned" if lost else "done"), row
        assert row["value"] == (row["id"] if not lost else None)
    _check_errors(dsn)
    assert "the event loop has been held up" in log
    assert "crooks.py" in log
    assert "in block" in log
    assert "and the child came back from it; the child ends" in log
    assert _children_of(dsn) == []


def _check_errors(dsn: str) -> None:
    """Every misdeed stands in its task's history, by its name."""
    told = rows(
        dsn,
        "select t.kind, h.payload ->> 'type' as type, h.payload ->> 'message' as message from c.crook t"
        " join c.crook_history h on h.id = t.id where h.event = 'ERROR' or h.event = 'LEASE_EXPIRED' order by h.seq",
    )
    types = {kind: {row.type for row in told if row.kind == kind} for kind in {row.kind for row in told}}
    for kind, error in RAISED.items():
        assert types[kind] == {type(error).__name__}
    for kind in RETURNED:
        assert types[kind] == {"payload"}, kind
    for kind in POISON:
        assert types[kind] <= {"BadValue", "ValueError"}, kind
    assert types["commit"] == {"JetpackError"}
    assert types["suicide"] == {"CancelledError"}
    assert types["broken"] == {"InFailedSqlTransaction"}


def _children_of(dsn: str) -> list[str]:
    """Processes that a handler left behind."""
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in found if f"crooks.py {dsn}" in line and "<defunct>" not in line]
