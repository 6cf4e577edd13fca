"""The pytest plugin: tests of a user's program, with its real handlers, in virtual time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from installing import compile_to_sql

from jetpackc.postgres import Server

PROGRAM = """module shop
event PAID(amount: numeric)
machine order(number: int) {
  var total: numeric = 0
  var receipt: text?
  initial state cart { on PAID -> charging { set total = amount } }
  step charging(max_attempts: 3, backoff: 1h..2h) {
    run "shop.payments:charge"
    on SUCCESS(receipt: text) -> booking { set receipt = event.receipt }
    on ABANDONED              -> refused
  }
  step booking {
    run "shop.parcels:book"
    on SUCCESS   -> done
    on ABANDONED -> refused
  }
  final state done
  failure state refused
}
machine call(number: int) is task {
  limit 1 per 1h
  state running { run "shop.payments:charge" }
}
machine trip {
  initial state open {
    enter { spawn leg() as one }
    on ASK    { send one ASK }
    on ANSWER -> done
  }
  final state done
}
machine leg {
  initial state here { on ASK -> working }
  step working {
    run "shop.payments:charge"
    on SUCCESS   -> told
    on ABANDONED -> told
  }
  final state told { enter { send parent ANSWER } }
}
"""
HANDLERS = {
    "payments": "async def charge(task):\n    return f'receipt of {task.params[\"number\"]}'\n",
    "parcels": "def book(task):\n"
    "    task.connection().execute('insert into parcel (number) values (%s)', (task.params['number'],))\n",
}
TABLES = "create table parcel (number int primary key);\n"
HEAD = """import asyncio
from datetime import timedelta


def paid(jetpack):
    id = jetpack.client.create("shop.order", {"number": 7})
    jetpack.client.send(id, "PAID", {"amount": 5})
    return id


"""

RunPytest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project."""
    (tmp_path / "workflows.jet").write_text(PROGRAM)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    for name, text in HANDLERS.items():
        (tmp_path / "shop" / f"{name}.py").write_text(text)
    (tmp_path / "tables.sql").write_text(TABLES)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\njetpack_sql = tables.sql\n")
    return tmp_path


@pytest.fixture
def run(project: Path, postgres: Server) -> RunPytest:
    """Runs tests in the project as its user would."""

    def call(tests: str, own_server: bool = False) -> subprocess.CompletedProcess[str]:
        (project / "test_shop.py").write_text(HEAD + tests)
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
        server = [] if own_server else ["--jetpack-dsn", postgres.dsn()]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "jetpack_pytest", "-q", *server],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_a_stub_of_what_is_not_there_is_told_at_once(run: RunPytest) -> None:
    told = run(
        "import pytest\nfrom jetpack_runtime import HandlerError, UnknownMachine\n\n\n"
        "def test_slips(jetpack):\n"
        "    with pytest.raises(HandlerError, match='no state `chargin` that a handler works') as slip:\n"
        "        jetpack.stub('shop.order.chargin', None)\n"
        "    assert 'charging' in slip.value.hint\n"
        "    with pytest.raises(UnknownMachine, match='no machine `shop.ordre`') as slip:\n"
        "        jetpack.stub('shop.ordre.charging', None)\n"
        "    assert 'shop.order' in slip.value.hint\n"
    )
    assert "1 passed" in told.stdout


def test_a_test_has_its_database_its_time_and_its_stubs(run: RunPytest) -> None:
    told = run(
        "def test_paid(jetpack):\n"
        "    id = paid(jetpack)\n"
        "    jetpack.run_until_idle()\n"
        "    task = jetpack.client.get(id)\n"
        "    assert (task.state, task.vars['receipt']) == ('done', 'receipt of 7')\n"
        "    assert jetpack.connection.execute('select number from parcel').fetchall() == [(7,)]\n\n\n"
        "def test_nothing_is_left(jetpack):\n"
        "    assert jetpack.connection.execute('select count(*) from parcel').fetchone() == (0,)\n"
        "    assert jetpack.story() == 'no tasks'\n"
        "\n\n"
        "def test_retries(jetpack):\n"
        "    jetpack.stub('shop.order.charging', RuntimeError('down'), RuntimeError('down'), {'receipt': 'r'})\n"
        "    id = paid(jetpack)\n"
        "    began = jetpack.now()\n"
        "    jetpack.run_until_idle()\n"
        "    assert jetpack.client.get(id).state == 'charging.ready'\n"
        "    jetpack.advance(timedelta(minutes=29))\n"
        "    assert jetpack.client.get(id).attempts == 1\n"
        "    jetpack.advance(timedelta(hours=4))\n"
        "    assert jetpack.client.get(id).state == 'done'\n"
        "    assert jetpack.now() - began >= timedelta(hours=4, minutes=29)\n"
        "    moments = [hop.at - began for hop in jetpack.client.history(id) if hop.event == 'ERROR']\n"
        "    assert moments[1] - moments[0] >= timedelta(minutes=30)\n"
        "\n\n"
        "def test_held_back(jetpack):\n"
        "    jetpack.stub('shop.call.running', None)\n"
        "    one, two = (jetpack.client.create('shop.call', {'number': number}) for number in (1, 2))\n"
        "    jetpack.run_until_idle()\n"
        "    assert [jetpack.client.get(id).state for id in (one, two)] == ['done', 'ready']\n"
        "    jetpack.advance(timedelta(hours=2))\n"
        "    assert jetpack.client.get(two).state == 'done'\n"
        "\n\n"
        "def test_messages_and_pauses(jetpack):\n"
        "    jetpack.stub('shop.leg.working', None)\n"
        "    jetpack.connection.execute(\"select jet.pause('shop.leg')\")\n"
        "    id = jetpack.client.create('shop.trip')\n"
        "    jetpack.client.send(id, 'ASK')\n"
        "    jetpack.advance(timedelta(hours=1))\n"
        "    assert jetpack.client.get(id).state == 'open'\n"
        "    jetpack.connection.execute(\"select jet.resume('shop.leg')\")\n"
        "    jetpack.run_until_idle()\n"
        "    assert jetpack.client.get(id).state == 'done'\n"
        "\n\n"
        "def test_stubbed(jetpack):\n"
        "    seen = []\n\n"
        "    def charge(task):\n"
        "        seen.append(task.params['number'])\n"
        "        return 'r'\n\n"
        "    jetpack.stub('shop.order.charging', charge)\n\n"
        "    async def story():\n"
        "        id = paid(jetpack)\n"
        "        jetpack.run_until_idle()\n"
        "        return jetpack.client.get(id).state\n\n"
        "    assert asyncio.run(story()) == 'done'\n"
        "    assert seen == [7]\n"
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "6 passed" in told.stdout


def test_a_failure_shows_what_happened_to_the_tasks(run: RunPytest, project: Path) -> None:
    (project / "shop" / "parcels.py").unlink()
    told = run(
        "def test_fails(jetpack):\n"
        "    jetpack.stub('shop.order.charging', RuntimeError('card declined'))\n"
        "    id = paid(jetpack)\n"
        "    jetpack.run_until_idle()\n"
        "    assert jetpack.client.get(id).state == 'done'\n\n\n"
        "def test_cannot_run(jetpack):\n"
        "    paid(jetpack)\n"
        "    jetpack.run_until_idle()\n"
    )
    assert (told.returncode, "2 failed" in told.stdout) == (1, True), told.stdout
    assert "what happened to the tasks" in told.stdout
    assert "shop.order 1 is in charging.ready" in told.stdout
    assert "card declined" in told.stdout
    assert "looked for `shop.parcels:book`, and there is no module `shop.parcels`" in told.stdout


def test_migrations_serve_where_there_are_no_sources(run: RunPytest, project: Path) -> None:
    (project / "workflows.jet").unlink()
    (project / "migrations").mkdir()
    (project / "migrations" / "0001_shop.sql").write_text(compile_to_sql(PROGRAM))
    told = run("def test_there(jetpack_dsn):\n    assert jetpack_dsn\n\n\ndef test_paid(jetpack):\n    paid(jetpack)\n")
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda project: (project / "workflows.jet").write_text(PROGRAM.replace("-> done", "-> doen")), "`doen`"),
        (lambda project: (project / "workflows.jet").unlink(), "neither .jet files for jetpackc to compile nor"),
    ],
)
def test_a_project_that_cannot_be_installed_is_told(
    run: RunPytest, project: Path, break_it: Callable[[Path], object], said: str
) -> None:
    break_it(project)
    told = run("def test_there(jetpack):\n    pass\n")
    assert told.returncode != 0
    assert said in told.stdout + told.stderr


def test_without_a_server_it_starts_one_of_its_own(run: RunPytest) -> None:
    told = run("def test_paid(jetpack):\n    paid(jetpack)\n    jetpack.run_until_idle()\n", own_server=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_it_costs_nothing_where_no_test_asks_for_it(run: RunPytest) -> None:
    told = run(
        "import sys\n\n\ndef test_light():\n"
        "    assert not {'psycopg', 'jetpackc', 'jetpack_runtime'} & set(sys.modules)\n"
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_no_database_is_left_behind(run: RunPytest, postgres: Server) -> None:
    run("def test_fails(jetpack):\n    assert False\n")
    with psycopg.connect(postgres.dsn()) as connection:
        left = connection.execute("select datname from pg_database where datname like 'jetpack\\_test\\_%'").fetchall()
    assert left == []
