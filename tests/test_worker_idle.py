"""A worker that runs until nothing is left: it does not leave early, whoever made the last task claimable, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from jetpack_runtime import Client, PlainTask, Task, Worker
from jetpack_runtime.claimer import Claimer, Post
from shop import within

MACHINES = """\
module line

event GO

machine job {
  initial state begin {
    on GO    -> cut
    after 1h -> cut
  }
  step cut   { run "line:work"  on SUCCESS -> drill  on ABANDONED -> failed }
  step drill { run "line:work"  on SUCCESS -> paint  on ABANDONED -> failed }
  step paint { run "line:work"  on SUCCESS -> done   on ABANDONED -> failed }
  final state done
  failure state failed
}
"""

STEPS = ("line.job.cut", "line.job.drill", "line.job.paint")


@pytest.fixture
def line(fresh: Callable[[str], str]) -> Iterator[tuple[str, Client]]:
    dsn = fresh(MACHINES)
    with Client(dsn) as client:
        yield dsn, client


def _begun(client: Client) -> int:
    id = client.create("line.job")
    client.send(id, "GO")
    return id


async def _nothing(task: Task) -> None:
    """Its outcome is told by the worker."""


async def _writes(task: Task) -> None:
    """Its own transaction ends the task."""
    await (await task.connection()).execute(b"select 1")


def _writes_plain(task: PlainTask) -> None:
    task.connection().execute(b"select 1")


@pytest.mark.parametrize("handler", [_nothing, _writes, _writes_plain])
def test_the_next_step_is_waited_for_whoever_ends_the_last(
    line: tuple[str, Client], handler: Callable[[Task], object]
) -> None:
    dsn, client = line
    id = _begun(client)
    within(Worker(dsn, handlers=dict.fromkeys(STEPS, handler)).run(until_idle="now"))
    assert client.get(id).state == "done"


def test_what_a_timer_makes_claimable_is_worked(line: tuple[str, Client]) -> None:
    dsn, client = line
    id = client.create("line.job")
    with psycopg.connect(dsn) as db:
        db.execute("update jet.clock set shift = shift + interval '1 h'")
    within(Worker(dsn, handlers=dict.fromkeys(STEPS, _nothing)).run(until_idle="now"))
    assert client.get(id).state == "done"


def test_what_comes_while_a_claim_is_under_way_is_not_missed(
    line: tuple[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim has read the table, and does not know yet of the task that the worker is told of."""
    dsn, client = line
    late: list[int] = []
    schedule = Claimer._schedule

    def after_the_claim(self: Claimer, post: Post, mark: str, found: int) -> None:
        if not found and not late:
            late.append(_begun(client))
            self.wake("line.job")
        schedule(self, post, mark, found)

    monkeypatch.setattr(Claimer, "_schedule", after_the_claim)
    within(Worker(dsn, handlers=dict.fromkeys(STEPS, _nothing)).run(until_idle="now"))
    assert [client.get(id).state for id in late] == ["done"]


def test_paused_tasks_are_not_waited_for_and_are_told(
    line: tuple[str, Client], caplog: pytest.LogCaptureFixture
) -> None:
    """Without this a run until idle never ends, for what is paused can be claimed as before once it is resumed."""
    dsn, client = line
    first = _begun(client)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("select jet.pause('line.job', 'drill')")
        within(Worker(dsn, handlers=dict.fromkeys(STEPS, _nothing)).run(until_idle=True))
        assert client.get(first).state == "drill.ready"
        assert "left, for they are paused: tasks of `line.job`" in caplog.text
        db.execute("select jet.pause('line.job')")
        second = _begun(client)
        within(Worker(dsn, handlers=dict.fromkeys(STEPS, _nothing)).run(until_idle=True))
        assert client.get(second).state == "cut.ready"
        caplog.clear()
        db.execute("select jet.resume('line.job')")
        within(Worker(dsn, handlers=dict.fromkeys(STEPS, _nothing)).run(until_idle=True))
    assert [client.get(id).state for id in (first, second)] == ["done", "done"]
    assert "paused" not in caplog.text


def test_what_is_at_work_is_waited_for_though_its_machine_was_paused(line: tuple[str, Client]) -> None:
    dsn, client = line
    id = _begun(client)
    with psycopg.connect(dsn, autocommit=True) as db:

        async def pauses(task: Task) -> None:
            """The run goes on while all is paused, and ends before the next step."""
            db.execute("select jet.pause('line.job')")

        within(Worker(dsn, handlers=dict.fromkeys(STEPS, pauses)).run(until_idle=True))
    assert client.get(id).state == "drill.ready"
