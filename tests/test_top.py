"""`jetpackc top`: what it sees, and what it shows of it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from jetpack_runtime import AsyncClient, Client, Task, Worker
from shop import execute, running, within
from told import Cli

from jetpackc.top.looker import Looker, Trail
from jetpackc.top.model import Holder, Horizon, Look, Queue
from jetpackc.top.table import lines, seconds


@pytest.fixture
def session(shop: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shop, autocommit=True) as connection:
        yield connection


async def idle(task: Task) -> str | None:
    """A handler that does nothing."""
    return "r" if task.machine == "shop.pay" else None


def queue(look: Look, machine: str = "shop.job") -> Queue:
    (found,) = (one for one in look.queues if one.machine == machine)
    return found


def test_queues_by_where_their_tasks_are(shop: str, session: psycopg.Connection) -> None:
    async def main() -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            await go.wait()

        async with AsyncClient(shop) as client:
            await client.create_many("shop.job", [{"n": n} for n in range(4)])
            await client.create("shop.job", {"n": 9}, delay="1 hour")
            async with running(Worker(shop, handlers={"shop.job": handler}, concurrency=1, name="w1")):
                await started.wait()
                look = Looker(session).look()
                go.set()
        found = queue(look)
        assert (found.ready, found.running, found.delayed, found.stuck) == (3, 1, 1, 0)
        assert 0 < found.oldest < 60
        (holder,) = look.holders
        assert (holder.name, holder.holds, holder.over, holder.lease) == ("w1", {"shop.job": 1}, False, 30.0)
        assert 0 <= holder.seen < 30

    within(main())


def test_rates_are_those_between_two_looks(shop: str, session: psycopg.Connection) -> None:
    looker = Looker(session)
    with Client(shop) as client:
        client.create_many("shop.job", [{"n": n} for n in range(60)])
        first = looker.look()
        assert queue(first).created == pytest.approx(1.0)  # sixty in the last minute
        assert queue(first).ended == 0
        client.create_many("shop.job", [{"n": n} for n in range(40)])
        within(Worker(shop, handlers={"shop.job": idle}).run(until_idle=True))
        second = looker.look()
        between = (second.at - first.at).total_seconds()
        assert queue(second).created * between == pytest.approx(40)
        assert queue(second).ended * between == pytest.approx(100)
        third = looker.look()
        assert (queue(third).created, queue(third).ended) == (0, 0)
        assert queue(third).p50 is not None


def test_a_task_that_comes_back_ends_once(shop: str, session: psycopg.Connection) -> None:
    """Runs that fail are no ends."""
    looker = Looker(session)

    async def handler(task: Task) -> None:
        if task.attempt < 3:
            raise ValueError

    with Client(shop) as client:
        client.create("shop.job", {"n": 1})
        within(Worker(shop, handlers={"shop.job": handler}).run(until_idle=True))
    assert queue(looker.look()).ended * 60 == pytest.approx(1)


def test_waits_run_from_when_a_task_could_be_claimed(shop: str, session: psycopg.Connection) -> None:
    """By the database's clock: one task waits forty seconds, one is not due for the first thirty of them."""
    tasks = json.dumps([{"n": 1}, {"n": 2, "_delay": "30 s"}])
    session.execute("select count(*) from shop.job_create_many(%s)", [tasks])
    session.execute("update jet.clock set shift = interval '40 s'")
    within(Worker(shop, handlers={"shop.job": idle}).run(until_idle=True))
    found = queue(Looker(session).look())
    assert found.p50 is not None
    assert found.p95 is not None
    assert found.p50 >= 25  # between forty and ten, and what this test took besides
    assert found.p95 - found.p50 == pytest.approx(0.45 * 30, abs=0.001)


def test_a_wait_counts_while_the_task_is_still_at_work(shop: str, session: psycopg.Connection) -> None:
    async def main() -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def handler(task: Task) -> None:
            started.set()
            await go.wait()

        async with AsyncClient(shop) as client:
            await client.create("shop.job", {"n": 1})
        await execute(shop, "update jet.clock set shift = interval '10 s'")
        async with running(Worker(shop, handlers={"shop.job": handler})):
            await started.wait()
            found = queue(Looker(session).look())
            go.set()
        assert found.p95 is not None
        assert found.p95 >= 10

    within(main())


def test_a_lease_that_ran_out_is_shown_as_long_as_it_holds_tasks(shop: str, session: psycopg.Connection) -> None:
    with Client(shop) as client:
        client.create("shop.job", {"n": 1})
    session.execute("select jet.worker_start('gone', interval '1 ms')")
    session.execute("select jet.worker_start('gone too', interval '1 ms')")
    session.execute("select * from shop.job_claim(1, 1)")
    session.execute("select pg_sleep(0.01)")
    (holder,) = Looker(session).look().holders
    assert (holder.name, holder.over, holder.holds) == ("gone", True, {"shop.job": 1})


def test_pauses_are_shown(shop: str, session: psycopg.Connection) -> None:
    session.execute("select jet.pause('shop.job')")
    session.execute("select jet.pause('shop.pay', 'charging.ready')")
    look = Looker(session).look()
    assert queue(look).paused == ("",)
    assert queue(look, "shop.pay").paused == ("charging.ready",)


def test_the_transaction_that_holds_the_horizon_is_named_without_its_query(
    shop: str, session: psycopg.Connection
) -> None:
    with psycopg.connect(shop, application_name="report") as other:
        other.execute("select 'a secret', pg_current_xact_id()")
        for _ in range(5):
            session.execute("select pg_current_xact_id()")
        with psycopg.connect(shop, application_name="later") as later:
            later.execute("select pg_current_xact_id()")
            horizon = Looker(session).look().horizon
        assert horizon is not None
        assert (horizon.kind, horizon.name, horizon.state) == ("session", "report", "idle in transaction")
        assert horizon.pid == other.info.backend_pid
        assert horizon.age >= 5
        assert horizon.seconds is not None
        assert horizon.query is None
        with psycopg.connect(shop, autocommit=True) as again:
            asked = Looker(again, queries=True).look().horizon
        assert asked is not None
        assert "a secret" in str(asked.query)


def test_a_held_snapshot_holds_the_horizon(shop: str, session: psycopg.Connection) -> None:
    with psycopg.connect(shop, application_name="dump") as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("select 1")
        horizon = Looker(session).look().horizon
    assert horizon is not None
    assert horizon.name == "dump"


def test_sessions_of_others_that_cannot_be_seen_are_counted(shop: str, session: psycopg.Connection) -> None:
    session.execute("drop role if exists looks_on")
    session.execute("create role looks_on login")
    session.execute("grant usage on schema shop, jet to looks_on")
    session.execute("grant select on all tables in schema shop, jet to looks_on")
    with psycopg.connect(shop, autocommit=True) as other:
        other.execute("set session authorization looks_on")
        assert Looker(other).look().hidden >= 1
    session.execute("drop owned by looks_on")
    session.execute("drop role looks_on")


KEPT = """
module shop
machine job(n: int) {
  keep history 1d
  initial state open { on CLOSED -> done }
  final state done
}
"""


def test_of_much_history_that_is_removed_in_part_a_look_says_so(
    fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """New history may come into places that the removed has freed, and not be where a look reads."""
    with psycopg.connect(fresh(KEPT), autocommit=True) as connection:
        connection.execute("select shop.job_send(id, 'CLOSED') from shop.job_create_many(%s) as id", [many(400)])
        whole = queue(Looker(connection).look())
        assert (whole.partial, whole.ended * 60) == (False, pytest.approx(400))
        monkeypatch.setattr("jetpackc.top.looker.PAGES", 1)
        assert queue(Looker(connection).look()).partial


def test_what_is_too_much_for_a_look_is_a_rate_of_less_time(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute("select count(*) from shop.job_create_many(%s)", [many(90)])
        connection.execute("update jet.clock set shift = interval '10 s'")
        connection.execute("select count(*) from shop.job_create_many(%s)", [many(10)])
        connection.execute("update jet.clock set shift = interval '20 s'")
        monkeypatch.setattr("jetpackc.top.looker.FIRST", 10)
        found = queue(Looker(connection).look())
        assert 10 / 60 < found.created <= 1.0  # ten in ten seconds, and what this test took
        assert not found.partial


def many(count: int) -> str:
    return json.dumps([{"n": n} for n in range(count)])


def test_it_cannot_write(shop: str, session: psycopg.Connection) -> None:
    Looker(session)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("delete from jet.worker")


def test_a_look_begins_where_the_last_minute_began() -> None:
    trail = Trail()
    moment = [datetime(2026, 1, 1, 12, minute, second, tzinfo=UTC) for minute in range(3) for second in (0, 30)]
    assert [trail.begin(at, pages) for at, pages in zip(moment, (10, 20, 30, 40, 50, 60), strict=True)] == [
        *(0, 0),  # nothing is known of a minute ago
        *(10, 20, 30, 40),
    ]


# ---------------------------------------------------------------- the table


def look(**changes: object) -> Look:
    base = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "queues": (
            Queue("shop.job", 12_000, 3, 0, 1, 75.0, 120.4, 9.96, 0.012, 1.5, False, ("charging",)),
            Queue("shop.pay", 0, 0, 0, 0, 0.0, 0.0, 0.0, None, None, False, ()),
        ),
        "holders": (
            Holder(1, "host:1", 300.0, 2.0, 30.0, False, False, {"shop.job": 3}),
            Holder(2, "host:2", 7200.0, 40.0, 30.0, False, True, {}),
        ),
        "horizon": Horizon("session", 99, "ada", "psql", "idle in transaction", 345_678, 720.0, None),
        "hidden": 0,
    }
    return Look(**(base | changes))  # type: ignore[arg-type]


def drawn(one: Look) -> list[str]:
    return lines(one, strong=str, dim=str, fault=lambda text: f"!{text}!")


def test_the_table() -> None:
    assert drawn(look()) == [
        "MACHINE    ready  running  delayed  stuck  oldest  in/s  out/s    p50    p95",
        "shop.job  12,000        3        0      1   1 min   120   10.0  12 ms  1.5 s  !paused: charging!",
        "shop.pay       0        0        0      0       -     0      0      -      -",
        "",
        "WORKER  holds   since    seen   lease",
        "host:1      3   5 min   2.0 s  30.0 s  shop.job 3",
        "host:2      0     2 h  40.0 s  30.0 s  !run out!",
        "",
        "!the horizon is held back for 12 min, 345,678 transactions, by session `psql` of ada"
        " (idle in transaction, pid 99)!",
    ]


def test_what_is_only_a_moment_old_holds_nothing_back() -> None:
    short = Horizon("session", 99, "ada", "psql", "active", 1, 0.2, None)
    assert drawn(look(horizon=short))[-1] == "nobody holds the horizon back"


def test_a_query_that_was_asked_for_is_a_line_of_its_own() -> None:
    asked = Horizon("session", 99, "ada", "psql", "active", 1, 10.0, "select\n  1")
    assert drawn(look(horizon=asked))[-1] == "  select 1"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0004, "0 ms"), (0.9994, "999 ms"), (59.94, "59.9 s"), (90, "2 min"), (7200, "2 h"), (864_000, "10 d")],
)
def test_lengths_of_time(value: float, text: str) -> None:
    assert seconds(value) == text


# ---------------------------------------------------------------- the command


def test_the_command_prints_once_where_stdout_is_no_terminal(shop: str, cli: Cli) -> None:
    told = cli("top", "--dsn", shop, "job")
    assert told.code == 0
    assert re.search(r"^shop\.job +0 ", told.out, re.MULTILINE)
    assert "shop.pay" not in told.out
    assert "\x1b" not in told.out


def test_the_command_speaks_json(shop: str, cli: Cli) -> None:
    data = json.loads(cli("top", "--dsn", shop, "--json").out)
    assert [one["machine"] for one in data["queues"]] == ["shop.job", "shop.pay"]
    assert data["holders"] == []
    assert data["hidden"] == 0


def test_a_machine_that_is_not_there_is_a_mistake(shop: str, cli: Cli) -> None:
    told = cli("top", "--dsn", shop, "jop")
    assert told.code == 2
    assert "did you mean `job`?" in told.err


def test_on_a_terminal_it_goes_on_until_it_is_interrupted(shop: str, tmp_path: Path) -> None:
    """Through an outage, too; the last look stays on the screen."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "jetpackc", "top", "--dsn", f"{shop} application_name=looker", "--interval", "0.1"]
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdout=its, stderr=its, stdin=its, env=env, cwd=tmp_path)
    os.close(its)
    screen = Screen(ours)
    screen.until(lambda text: text.count("shop.job") >= 2)
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'looker'"
    within(execute(shop, kill))
    screen.until(lambda text: "cannot be used" in text)
    seen = len(screen.text)
    screen.until(lambda text: "shop.job" in text[seen:])
    process.send_signal(signal.SIGINT)
    screen.until(lambda text: "\x1b[?1049l" in text)
    assert process.wait(timeout=30) == 0
    os.close(ours)
    assert "\x1b[3" not in screen.text  # no colour


class Screen:
    """What a terminal was sent."""

    def __init__(self, file: int) -> None:
        self._file = file
        self.text = ""

    def until(self, holds: Callable[[str], bool]) -> None:
        while not holds(self.text):
            self.text += os.read(self._file, 65_536).decode()
