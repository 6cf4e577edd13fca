"""The types of handlers: a type checker accepts what fits a machine, and refuses what does not."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checking import program

from jetpackc.check import compile_sources
from jetpackc.emit.python import stubs
from jetpackc.source import Source

ROOT = Path(__file__).parents[1]

SHOP = """
/// A shop.
module shop

/// What a customer pays for.
enum tier { free, pro }

/// The customer paid.
event PAID(amount: numeric, method: text?)

/// Online checkout, "as is" \\ so.
machine checkout(order_id: bigint, tier: tier = free, note: text?) {
  var charged: numeric = 0
  var receipt: text?
  initial state cart {
    on PAID when amount > 0 -> charging { set charged = amount }
  }
  step charging(max_attempts: 2) {
    run "app.payments:charge"
    on SUCCESS(receipt: text) -> done { set receipt = event.receipt }
    on ABANDONED -> refused
    on WAIT(minutes: int) -> cart
  }
  final state done
  failure state refused
}

machine mail(address: text) is task(max_attempts: 3) {
  state running { run "app.mail:send" }
}
"""

PAYMENTS = """
from decimal import Decimal
from types_of_shop import CheckoutChargingWait, CheckoutTask

async def charge(task: CheckoutTask) -> str | CheckoutChargingWait:
    if task.params["order_id"] == 0 or task.params["tier"] == "free" or task.params["note"] is None:
        return CheckoutChargingWait(minutes=5)
    task.set(charged=task.vars["charged"] + Decimal(1))
    return "https://receipts.example/" + task.params["note"]
"""

MAIL = """
from types_of_shop import MailPlainTask

def send(task: MailPlainTask) -> None:
    task.connection().execute("select 1")
"""

BINDS = """
from decimal import Decimal
from jetpack_runtime import Client, Worker
from types_of_shop import CheckoutNew, CheckoutPaid, handlers
from app.payments import charge

worker = Worker("", handlers=handlers({"shop.checkout.charging": charge, "shop.mail.running": "app.mail:send"}))
id = Client("").create("shop.checkout", CheckoutNew(order_id=7))
Client("").send(id, "PAID", CheckoutPaid(amount=Decimal(5)))
"""

HOSTILE = """
module a

enum none { x, y }
enum any { x }

event PARAMS(day: date, date: date?, list: int)

machine decimal(class: int, date: date, self: text, int: bigint, dict: json, uuid: uuid, type: none, import: any) {
  var from: bytes?
  var self_: interval = 2s
  var timedelta: timestamptz = now()
  initial state open {
    on TASK, PARAMS, VARS, RUNNING -> ready
  }
  state ready { on LOCKED_BY_WORKER -> running }
  state running {
    run "a.class:def"
    on SUCCESS(import: bool, float: float) -> done { set self_ = 3s }
    on ERROR -> done
    on HANDLER(class: int) -> done
    on PARAMS -> done
  }
  final state done
}
machine decimal_running {
  initial state ready { on LOCKED_BY_WORKER -> handler }
  state handler {
    run "async.work:do"
    on SUCCESS, ERROR -> done
  }
  final state done
}
"""


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """What mypy, strict, says of a folder."""
    cache = str(tmp_path_factory.mktemp("cache"))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", cache, "."]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "runtime")}

    def check(folder: Path) -> str:
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    return check


TIMES = itertools.count(1_000_000_000)
EMPTY = "module empty"
WORKLESS = "machine door { initial state open { on SHUT -> shut } final state shut }"


def project(folder: Path, **files: str) -> Path:
    """A project around the shop."""
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").touch()
    (folder / "types_of_shop.py").write_text(stubs(program(SHOP)))
    for name, text in {"payments": PAYMENTS, "mail": MAIL, **files}.items():
        (folder / "app" / f"{name}.py").write_text(text)
    for path in folder.rglob("*.py"):
        os.utime(path, (number := next(TIMES), number))  # mypy's cache goes by size and time
    return folder


def test_handlers_that_fit_their_machines_pass(tmp_path: Path, mypy: Callable[[Path], str]) -> None:
    assert mypy(project(tmp_path, main=BINDS)) == ""


@pytest.mark.parametrize(
    ("file", "right", "wrong", "complaint"),
    [
        ("payments", 'params["note"] is None', 'params["notes"] is None', 'has no key "notes"'),
        ("payments", 'params["order_id"] == 0', 'params["order_id"] == "0"', "Non-overlapping equality check"),
        ("payments", 'params["tier"] == "free"', 'params["tier"] == "fre"', "Non-overlapping equality check"),
        ("payments", "set(charged=", "set(charge=", 'Unexpected keyword argument "charge"'),
        ("payments", "+ Decimal(1)", "+ 1.5", "Unsupported operand types"),
        ("payments", "CheckoutChargingWait(minutes=5)", 'CheckoutChargingWait(minutes="5")', "incompatible type"),
        ("payments", "CheckoutChargingWait(minutes=5)", "None", "Incompatible return value type"),
        ("payments", "-> str | CheckoutChargingWait", "-> int | str | CheckoutChargingWait", "types_of_shop.py"),
        ("payments", "async def", "def", "types_of_shop.py"),
        ("payments", "def charge", "def charges", 'has no attribute "charge"'),
        ("mail", "MailPlainTask", "CheckoutPlainTask", "types_of_shop.py"),
        ("mail", "-> None:", "-> str:", "types_of_shop.py"),
        ("main", '"shop.checkout.charging": charge', '"shop.checkout.cart": charge', 'Extra key "shop.checkout.cart"'),
        ("main", '"app.mail:send"', "charge", "Incompatible types"),
        ("main", "order_id=7", 'order_id="7"', "Incompatible types"),
        ("main", "amount=Decimal(5)", 'method="card"', 'Missing key "amount"'),
    ],
)
def test_a_handler_that_does_not_fit_is_caught(
    tmp_path: Path, mypy: Callable[[Path], str], file: str, right: str, wrong: str, complaint: str
) -> None:
    text = {"payments": PAYMENTS, "mail": MAIL, "main": BINDS}[file]
    assert right in text
    assert complaint in mypy(project(tmp_path, **{"main": BINDS, file: text.replace(right, wrong)}))


def test_names_that_python_reserves_or_the_module_uses_are_typed_all_the_same(
    tmp_path: Path, mypy: Callable[[Path], str]
) -> None:
    (tmp_path / "types_of_a.py").write_text(stubs(program(HOSTILE)))
    (tmp_path / "main.py").write_text(
        "from datetime import date\n"
        "from types_of_a import DecimalRunningHandler_, DecimalRunningParams, DecimalRunningSuccess, DecimalTask\n"
        "async def work(task: DecimalTask) -> DecimalRunningSuccess | DecimalRunningParams:\n"
        "    if task.params['class'] == task.params['int'] or task.vars['from'] == b'':\n"
        "        return DecimalRunningParams(day=task.params['date'], list=7, date=date(2024, 2, 29))\n"
        "    return {'import': task.params['type'] == 'x', 'float': 2.5}\n"
        "handler: DecimalRunningHandler_ = work\n"
    )
    assert mypy(tmp_path) == ""


@pytest.mark.parametrize(
    "text", [SHOP, HOSTILE, "module empty", "machine m { initial state a { on GO -> b } final state b }"]
)
def test_the_module_can_be_imported(text: str, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(stubs(program(text)))
    subprocess.run([sys.executable, "-W", "error", "made.py"], cwd=tmp_path, check=True)


def test_the_handlers_of_an_example_fit_their_machines(tmp_path: Path, mypy: Callable[[Path], str]) -> None:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples" / "checkout", folder, ignore=shutil.ignore_patterns(".jetpack"))
    (folder / "shop_types.py").write_text(stubs(program((folder / "workflows.jet").read_text())))
    assert mypy(folder) == ""


def test_docs_are_kept_and_no_text_breaks_the_module() -> None:
    made = stubs(program(SHOP))
    for doc in ("What a customer pays for.", "The customer paid.", 'Online checkout, "as is" \\\\ so.'):
        assert doc in made


def test_machines_of_several_modules_do_not_meet() -> None:
    text = 'module {} machine job is task {{ state running {{ run "work:do" }} }}'
    found = compile_sources([Source(f"{name}.jet", text.format(name)) for name in ("one", "two")])
    assert found.program is not None
    made = stubs(found.program)
    assert "OneJobTask" in made
    assert "TwoJobTask" in made
    assert made == stubs(found.program)
