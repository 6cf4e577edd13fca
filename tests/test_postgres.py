"""The embedded server: made, started, reused, stopped, left behind by nobody."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jetpackc.postgres import PostgresError, Server, find_binaries, has_database, project_database


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that another user may enter: root's server is not root's."""
    with tempfile.TemporaryDirectory(prefix="jetpack-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_project_database_lives_as_long_as_its_context_and_keeps_its_data(reachable: Path) -> None:
    assert not has_database(reachable)
    with project_database(reachable) as dsn, psycopg.connect(dsn) as connection:
        connection.execute("create table kept (n int)")
    assert has_database(reachable)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    with project_database(reachable) as dsn, psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_a_project_behind_a_closed_door_has_a_database_too_and_loses_it_with_its_jetpack_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with project_database(tmp_path) as dsn, psycopg.connect(dsn) as connection:
        connection.execute("create table kept (n int)")
    assert has_database(tmp_path)
    shutil.rmtree(tmp_path / ".jetpack")
    assert not has_database(tmp_path)
    with project_database(tmp_path) as dsn, psycopg.connect(dsn) as connection:
        assert connection.execute("select to_regclass('kept')").fetchone() == (None,)
        [(data,)] = connection.execute("show data_directory").fetchall()
    shutil.rmtree(data)


def test_a_second_user_of_the_project_shares_the_running_server(reachable: Path) -> None:
    with project_database(reachable) as first:
        with project_database(reachable) as second:
            assert first == second
        psycopg.connect(first).close()


def test_there_is_no_tcp_and_the_socket_is_private(reachable: Path) -> None:
    with project_database(reachable) as dsn, psycopg.connect(dsn) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        folder = Path(psycopg.conninfo.conninfo_to_dict(dsn)["host"])
        assert folder.stat().st_mode & 0o777 == 0o700


def test_the_server_stops_when_its_owner_is_killed(reachable: Path) -> None:
    script = (
        "import sys, pathlib; from jetpackc.postgres import project_database\n"
        "with project_database(pathlib.Path(sys.argv[1])) as dsn: print(dsn, flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, reachable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    dsn = owner.stdout.readline().strip()
    with psycopg.connect(dsn) as connection:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
        # The server's last word to its clients, which comes when it shuts down.
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select pg_sleep(60)")


def test_the_database_comes_back_at_once_after_its_owner_was_killed(reachable: Path) -> None:
    script = (
        "import os, sys, pathlib; from jetpackc.postgres import project_database\n"
        "with project_database(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, reachable], check=False)
    with project_database(reachable) as dsn:
        psycopg.connect(dsn).close()


def test_a_pid_file_whose_number_another_program_has_is_forgotten(reachable: Path, postgres: Server) -> None:
    server = Server(reachable / "data", postgres.binaries)
    server.start()
    server.stop()
    (reachable / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    server.start()
    server.stop("immediate")
    assert not server.socket.exists()


def test_a_server_that_cannot_start_says_why(postgres: Server, reachable: Path) -> None:
    broken = Server(reachable / "data", postgres.binaries, {"shared_buffers": "nonsense"})
    with pytest.raises(PostgresError, match="nonsense"):
        broken.start()


def test_missing_programs_are_named_with_ways_out() -> None:
    with pytest.raises(PostgresError, match="Postgres 9") as caught:
        find_binaries(9)
    assert "DATABASE_URL" in caught.value.help


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_keeps_what_was_committed(reachable: Path, postgres: Server, mode: str) -> None:
    server = Server(reachable / "data", postgres.binaries)
    server.start()
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("create table kept (n int)")
        server.restart(mode)  # type: ignore[arg-type]
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)
    finally:
        server.stop("immediate")
