"""`jetpackc viz`: who is answered and with what, and what the database is asked. Its page: browser/browser_viz.py."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from told import Cli, Told
from visible import viz

from jetpackc.viz import Counts

SHOP = """
module shop
machine checkout(order_id: bigint) {
  initial state cart { on PAID -> paid }
  state paid { on SENT -> done }
  final state done
}
"""
CHECKOUT = ("shop", "checkout")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "workflows.jet").write_text(SHOP)
    return tmp_path


def asked(port: int, path: str, method: str = "GET", host: str = "localhost") -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def now(port: int, query: str = "") -> Any:
    return json.loads(asked(port, f"/api/now?{query}")[2])


# ---------------------------------------------------------------- who is answered


def test_only_this_machines_own_names_are_answered(project: Path) -> None:
    with viz(project) as port:
        answers = {
            host: asked(port, "/api/charts", host=host)[0] for host in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST")
        }
        assert set(answers.values()) == {200}
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""):
            assert asked(port, "/api/charts", host=host)[0] == 421


def test_nothing_but_get_and_head_is_taken(project: Path) -> None:
    with viz(project) as port:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert asked(port, "/api/charts", method)[0] == 405
        status, headers, body = asked(port, "/", "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["Content-Length"]) > 0
        assert asked(port, "/../pyproject.toml")[0] == 404


def test_every_answer_forbids_all_that_is_not_ours(project: Path) -> None:
    with viz(project) as port:
        for path in ("/", "/page.js", "/chart.css", "/api/charts", "/nothing"):
            headers = asked(port, path)[1]
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org", "localhost"])
def test_an_address_that_others_can_reach_is_refused(cli: Cli, project: Path, host: str) -> None:
    told = cli("viz", "--host", host)
    assert told.code == 2
    assert f"`{host}` can be reached by others" in told.err


def test_a_port_that_is_taken_is_told(cli: Cli, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = cli("viz", "--port", port)
    help = "another viz may be running; choose one with --port"
    assert told == Told(1, "", f"error: port {port} is taken\n  = help: {help}\n")


def test_a_connection_string_that_cannot_be_read_is_not_repeated(cli: Cli, project: Path) -> None:
    told = cli("viz", "--dsn", "postgres;password=secret")
    assert told.code == 4
    assert "secret" not in told.err


# ---------------------------------------------------------------- charts


def test_charts_follow_the_file_and_mistakes_are_shown(project: Path) -> None:
    with viz(project) as port:
        before = json.loads(asked(port, "/api/charts")[2])
        assert [machine["name"] for machine in before["machines"]] == ["shop.checkout"]
        assert (before["version"], before["mistakes"], before["database"]) == (1, "", False)
        (project / "workflows.jet").write_text(SHOP.replace("-> done", "-> doen"))
        assert now(port) == {"version": 2}
        broken = json.loads(asked(port, "/api/charts")[2])
        assert "J101" in broken["mistakes"]
        assert broken["machines"] == before["machines"]
        (project / "workflows.jet").write_text(SHOP.replace("done", "delivered"))
        mended = json.loads(asked(port, "/api/charts")[2])
        assert (mended["version"], mended["mistakes"]) == (3, "")
        assert "delivered" in mended["machines"][0]["svg"]
        (project / "workflows.jet").unlink()
        assert "workflows.jet" in json.loads(asked(port, "/api/charts")[2])["mistakes"]


# ---------------------------------------------------------------- counts


def test_counts_now_and_then(project: Path, fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    with psycopg.connect(dsn, autocommit=True) as connection, viz(project, "--dsn", dsn) as port:
        one, _ = (connection.execute("select shop.checkout_create(%s)", (n,)).fetchone()[0] for n in (1, 2))
        (then,) = connection.execute("select clock_timestamp()::text from pg_sleep(0.01)").fetchone()
        connection.execute("select shop.checkout_send(%s, 'PAID')", (one,))
        found = now(port, "machine=shop.checkout")
        counted = {"states": {"cart": 1, "paid": 1}, "stuck": 0}
        assert found == {"version": 1, **counted, "paused": [], "waiting": [], "error": ""}
        moment = then.replace(" ", "T").replace("+", "%2B")
        assert now(port, f"machine=shop.checkout&at={moment}")["states"] == {"cart": 2}
        assert now(port, "machine=shop.checkout&at=2001-01-01T00:00:00Z")["states"] == {}


HELD = """
module shop
event LATE
machine job(n: int) {
  limit 1
  defer LATE
  initial state ready { on LOCKED_BY_WORKER -> running }
  state running { run "a:b"  on SUCCESS, ERROR -> over }
  state over { on LATE -> done }
  final state done
}
"""


def test_what_holds_tasks_back_is_told_as_of_now(project: Path, fresh: Callable[[str], str]) -> None:
    (project / "workflows.jet").write_text(HELD)
    dsn = fresh(HELD)
    with psycopg.connect(dsn, autocommit=True) as connection, viz(project, "--dsn", dsn) as port:
        connection.execute("select shop.job_send(shop.job_create(1), 'LATE')")
        connection.execute("select jet.pause('shop.job', 'running')")
        found = now(port, "machine=shop.job")
        assert (found["paused"], found["waiting"]) == (["ready"], ["1 event deferred", "limit 1: 0 at work"])
        then = now(port, "machine=shop.job&at=2001-01-01T00:00:00Z")
        assert (then["paused"], then["waiting"], then["error"]) == ([], [], "")


def test_what_cannot_be_asked_is_said(project: Path, fresh: Callable[[str], str]) -> None:
    with viz(project, "--dsn", fresh()) as port:
        assert now(port, "machine=shop.checkout")["error"] == (
            "the database has no machine shop.checkout: apply its migrations"
        )
        assert asked(port, "/api/now?machine=shop.nothing")[0] == 404
        for moment in ("yesterday", "2026-03-01T12:00:00", "2026-99-01T12:00:00Z"):
            assert asked(port, f"/api/now?machine=shop.checkout&at={moment}")[0] == 400


def test_a_machine_is_asked_once_a_second_whoever_asks(fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    counts = Counts(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        began = time.monotonic()
        first = counts.of(CHECKOUT)
        connection.execute("select shop.checkout_create(1)")
        while counts.of(CHECKOUT) == first:
            assert time.monotonic() - began < 10
        assert time.monotonic() - began >= 1
        assert counts.of(CHECKOUT).states == {"cart": 1}
    counts.close()


def test_its_connection_cannot_write(fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    counts = Counts(dsn)
    counts.of(CHECKOUT)
    assert counts._connection
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        counts._connection.execute("select shop.checkout_create(1)")
    counts.close()


def test_a_lost_database_is_told_and_found_again(fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    counts = Counts(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert counts.of(CHECKOUT).error == ""
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'jetpackc viz'"
        )
        other = ("shop", "other")  # its turn is now
        assert counts.of(other).error.startswith("the database cannot be reached: ")
        assert counts.of(("shop", "another")).error.startswith("the database has no machine")
        connection.execute("select shop.checkout_create(1)")
    counts.close()
    unreachable = Counts("postgresql://nobody@127.0.0.1:1/nothing")
    assert unreachable.of(CHECKOUT).error.startswith("the database cannot be reached: ")


def test_a_hostile_name_is_only_a_name(fresh: Callable[[str], str]) -> None:
    counts = Counts(fresh(SHOP))
    assert counts.of(('shop"; drop schema shop; --', "checkout")).error.startswith("the database has no machine")
    assert counts.of(CHECKOUT).error == ""
    counts.close()
