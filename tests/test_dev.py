"""`jetpackc dev`, as a process of its own: it runs a project, follows saves, keeps data, and stops whole."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import psycopg
import pytest
from told import Cli

from jetpackc.postgres import Server, project_database

SECONDS = 60.0

SOURCE = """module app
machine job(n: int) is task(max_attempts: 2) {
  state running { run "handlers.work:go" }
}
"""
HANDLER = "async def go(task):\n    print('went', task.params['n'], flush=True)\n"
SEED = "select app.job_create(n => 1);\nselect app.job_create(n => 2, _delay => '100 ms');\n"


@pytest.fixture
def project() -> Iterator[Path]:
    """A project with two tasks to do."""
    with tempfile.TemporaryDirectory(prefix="jetpack-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "workflows.jet").write_text(SOURCE)
        (folder / "handlers").mkdir()
        (folder / "handlers" / "work.py").write_text(HANDLER)
        (folder / "dev.sql").write_text(SEED)
        yield folder


def environment(**more: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "DATABASE_URL"}, **more}


def until_idle(folder: Path, **more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "jetpackc", "dev", str(folder), "--until-idle"]
    told = subprocess.run(
        command, capture_output=True, text=True, env=environment(**more), timeout=SECONDS, check=False
    )
    assert "Traceback" not in told.stdout + told.stderr
    return told.returncode, told.stdout + told.stderr


class Dev:
    """A running `jetpackc dev`, whose output is waited for."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jetpackc", "dev", folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(**more),
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, text: str) -> str:
        """The first line from here on that holds `text`."""
        seen = []
        while True:
            try:
                line = self._lines.get(timeout=SECONDS)
            except Empty:
                pytest.fail(f"`{text}` never came, but: {seen}")
            seen.append(line)
            if text in line:
                return line

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def running() -> Iterator[Callable[..., Dev]]:
    found: list[Dev] = []

    def start(folder: Path, **more: str) -> Dev:
        found.append(Dev(folder, **more))
        return found[-1]

    yield start
    for one in found:
        if one.process.poll() is None:
            one.stop(signal.SIGKILL)


# ---------------------------------------------------------------- until idle


def test_a_project_runs_until_idle_and_lists_what_rests_where(project: Path) -> None:
    code, text = until_idle(project)
    assert code == 0, text
    assert "went 1" in text
    assert text.endswith("  app.job  done 2\n")


def test_a_second_run_keeps_the_data_and_seeds_nothing_again(project: Path) -> None:
    until_idle(project)
    code, text = until_idle(project)
    assert code == 0
    assert "ran dev.sql" not in text
    assert text.endswith("  app.job  done 2\n")


def test_nothing_is_written_beside_the_jetpack_folder(project: Path) -> None:
    before = {path.name for path in project.iterdir()}
    until_idle(project)
    assert {path.name for path in project.iterdir()} == before | {".jetpack"}


def test_a_task_in_a_failure_state_is_listed_and_exits_1(project: Path, database: str) -> None:
    (project / "handlers" / "work.py").write_text("async def go(task): raise ValueError('no')\n")
    code, text = until_idle(project, DATABASE_URL=database)
    assert code == 1
    assert "failed: app.job 1 is in abandoned; see jetpackc history 1" in text
    assert "abandoned 2 (failure)" in text


def test_a_stuck_task_is_listed_and_exits_1(project: Path, database: str) -> None:
    source = "module app\nmachine job(n: int) {\n  initial state ready { on LOCKED_BY_WORKER -> running }\n"
    source += '  state running { run "handlers.work:go"  on SUCCESS -> done  on ERROR -> done }\n'
    source += '  final state done { enter { fail "never" } }\n}\n'
    (project / "workflows.jet").write_text(source)
    code, text = until_idle(project, DATABASE_URL=database)
    assert code == 1
    assert "stuck: app.job 1 in running: never" in text


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("workflows.jet", SOURCE.replace("task(", "tsak("), "did you mean `task`?"),
        ("workflows.jet", SOURCE.replace("work:go", "work:gone"), "has no function `gone`"),
        ("dev.sql", "select app.job_create(m => 1)", "app.job_create"),
        ("dev.sql", "select nonsense", "nonsense"),
    ],
)
def test_a_project_that_cannot_run_says_why_and_exits_1(
    project: Path, database: str, file: str, text: str, says: str
) -> None:
    (project / file).write_text(text)
    code, told = until_idle(project, DATABASE_URL=database)
    assert code == 1
    assert says in told


@pytest.mark.parametrize("words", [[], ["workflows.jet"]])
def test_the_project_is_the_current_folder_or_that_of_the_file(project: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "jetpackc", "dev", *words, "--until-idle"]
    options = {"env": environment(), "cwd": project, "stdout": subprocess.DEVNULL, "timeout": SECONDS}
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload]
    assert (project / ".jetpack" / "postgres" / "PG_VERSION").exists()


def test_a_program_without_work_is_idle_at_once(project: Path, database: str) -> None:
    (project / "workflows.jet").write_text(
        "module app\nmachine job(n: int) { initial state a { on GO -> b } final state b }\n"
    )
    (project / "dev.sql").write_text("select app.job_create(n => 1);")
    code, text = until_idle(project, DATABASE_URL=database)
    assert code == 0
    assert text.endswith("  app.job  a 1\n")


# ---------------------------------------------------------------- following saves


def test_a_save_is_taken_up_and_keeps_the_data(project: Path, running: Callable[..., Dev]) -> None:
    dev = running(project)
    dev.wait_for("done 2")
    (project / "workflows.jet").write_text(SOURCE.replace("(n: int)", "(n: int, note: text?)"))
    dev.wait_for("saved: running the new version")
    (project / "handlers" / "work.py").write_text(HANDLER.replace("went", "walked"))
    dev.wait_for("saved: running the new version")
    with project_database(project) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select app.job_create(n => 3, note => 'x')")
        dev.wait_for("walked 3")
        dev.wait_for("done 3")
    assert dev.stop() == 0


def test_a_mistake_is_shown_and_the_old_version_goes_on(
    project: Path, running: Callable[..., Dev], database: str
) -> None:
    dev = running(project, DATABASE_URL=database)
    dev.wait_for("done 2")
    (project / "workflows.jet").write_text(SOURCE.replace("task(", "tsak("))
    dev.wait_for("did you mean `task`?")
    (project / "workflows.jet").write_text(SOURCE.replace("job", "work"))
    dev.wait_for("machine `job` of module `app` was removed or renamed")
    dev.wait_for("to begin anew")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("select app.job_create(n => 3)")
        dev.wait_for("went 3")
    (project / "workflows.jet").write_text(SOURCE + "// mended\n")
    dev.wait_for("saved: running the new version")
    assert dev.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_clean_and_takes_the_server_along(project: Path, running: Callable[..., Dev], number: int) -> None:
    dev = running(project)
    dev.wait_for("done 2")
    with project_database(project) as dsn:
        pass
    assert dev.stop(number) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)


def test_nothing_outlives_a_dev_that_is_killed(project: Path, running: Callable[..., Dev]) -> None:
    dev = running(project)
    dev.wait_for("done 2")
    with project_database(project) as dsn, psycopg.connect(dsn) as connection:
        dev.stop(signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select pg_sleep(60)")
    code, text = until_idle(project)
    assert code == 0, text


# ---------------------------------------------------------------- databases


def test_database_url_is_used_and_said(project: Path, database: str) -> None:
    code, text = until_idle(project, DATABASE_URL=database)
    assert code == 0, text
    assert "using the database of DATABASE_URL" in text
    assert not (project / ".jetpack").exists()
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from app.job").fetchone() == (2,)


def test_paused_tasks_are_left_and_told(project: Path, database: str) -> None:
    until_idle(project, DATABASE_URL=database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("select jet.pause('app.job')")
        connection.execute("select app.job_create(n => 3)")
    code, text = until_idle(project, DATABASE_URL=database)
    assert code == 0, text
    assert "left, for they are paused: tasks of `app.job`" in text
    assert text.endswith("  app.job  ready 1, done 2, all paused\n")


def test_a_database_kept_by_migrations_is_left_alone(project: Path, database: str, cli: Cli) -> None:
    assert cli("build", project).code == 0
    assert cli("migrate", "--dir", project / "migrations", "--dsn", database).code == 0
    code, text = until_idle(project, DATABASE_URL=database)
    assert code == 1
    assert "kept by migration files" in text


def test_a_database_kept_by_dev_takes_no_migrations(project: Path, database: str, cli: Cli) -> None:
    assert until_idle(project, DATABASE_URL=database)[0] == 0
    assert cli("build", project).code == 0
    told = cli("migrate", "--dir", project / "migrations", "--dsn", database)
    assert told.code == 1
    assert "kept by `jetpackc dev`" in told.err


def test_an_unreachable_database_exits_4(project: Path, postgres: Server) -> None:
    code, text = until_idle(project, DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert code == 4
    assert "cannot be used" in text


# ---------------------------------------------------------------- on a terminal


def test_on_a_terminal_the_board_is_redrawn_in_place(project: Path, database: str) -> None:
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "jetpackc", "dev", project, "--until-idle"]
    process = subprocess.Popen(
        command, stdout=terminal, stderr=terminal, env=environment(TERM="xterm", DATABASE_URL=database)
    )
    os.close(terminal)
    text = b""
    while True:
        try:
            text += os.read(main, 65536)
        except OSError:  # what Linux says at the end of a terminal
            break
    os.close(main)
    assert process.wait(SECONDS) == 0
    assert b"\x1b[1A\x1b[J" in text
    assert text.endswith(b"  app.job  done 2\r\n")
