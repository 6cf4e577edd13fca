"""`jetpackc run`: a machine stepped through events with no database."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from told import Cli

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
SHOP = """module shop

machine order(number: int, limit: numeric = 10) {
  var paid: numeric = 0
  initial state open {
    on PAID(amount: numeric) -> working {
      when amount > limit { fail "too much: " ++ (amount as text) }
      set paid = amount
    }
    on CLOSE -> closed
  }
  state working {
    on LOCKED_BY_WORKER -> running
  }
  state running {
    run "shop:work"
    timeout 5m
    on SUCCESS -> closed { spawn letter(to: number) }
    on ERROR -> open
    on TIMEOUT -> late
  }
  final state closed
  failure state late
}

machine letter(to: int) { initial state sent { on READ -> read } final state read }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.jet"
    path.write_text(SHOP)
    return path


def story(folder: Path, *lines: str) -> str:
    path = folder / "story.txt"
    path.write_text("\n".join(lines))
    return str(path)


def test_the_example_of_the_page_is_true(cli: Cli, tmp_path: Path) -> None:
    text = PAGE.read_text()[PAGE.read_text().index("## run") :]
    (program,) = re.findall(r"^```jet\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    events, printed = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[:2]
    (tmp_path / "shop.jet").write_text(program)
    told = cli("run", "shop.jet", "--param", "number=7", "--events", story(tmp_path, events))
    assert (told.code, told.out, told.err) == (0, printed, "")


def test_a_task_is_made_and_told_without_events(cli: Cli, shop: Path) -> None:
    told = cli("run", str(shop), "--param", "number=7")
    assert told.out.splitlines() == ["00:00:00  1 shop.order  -> open", 'shop.order 1 is in open  {"paid": 0}']


def test_spawned_tasks_take_events_by_their_numbers(cli: Cli, shop: Path, tmp_path: Path) -> None:
    events = story(tmp_path, "PAID amount=5", "claim", "SUCCESS", "2 READ  # of the letter")
    told = cli("run", str(shop), "--param", "number=7", "--events", events)
    assert told.out.splitlines()[-2:] == ['shop.order 1 is in closed  {"paid": 5}', "shop.letter 2 is in read  {}"]


def test_time_goes_on_and_ends_what_ran_too_long(cli: Cli, shop: Path, tmp_path: Path) -> None:
    events = story(tmp_path, "PAID amount=5", "claim", "advance 4m", "advance 2m")
    told = cli("run", str(shop), "--param", "number=7", "--events", events)
    assert "00:06:04  1 shop.order  TIMEOUT  running -> late" in told.out


def test_a_line_that_fails_changes_nothing_and_shows_in_the_exit_code(cli: Cli, shop: Path, tmp_path: Path) -> None:
    told = cli("run", str(shop), "--param", "number=7", "--events", story(tmp_path, "PAID amount=11", "PAID amount=9"))
    assert told.code == 1
    assert told.err == "undone: PAID amount=11: too much: 11\n"
    assert told.out.splitlines()[-1] == 'shop.order 1 is in working  {"paid": 9}'


def test_json_is_one_object_a_line(cli: Cli, shop: Path, tmp_path: Path) -> None:
    events = story(tmp_path, "CLOSE", "CLOSE")
    told = cli("run", str(shop), "--machine", "order", "--param", "number=7", "--events", events, "--json")
    *hops, task = map(json.loads, told.out.splitlines())
    assert [(hop["event"], hop["from_state"], hop["to_state"]) for hop in hops] == [
        (None, None, "open"),
        ("CLOSE", "open", "closed"),
        ("CLOSE", "closed", None),
    ]
    assert task == {
        "id": 1, "machine": "shop.order", "state": "closed", "attempts": 0, "vars": {"paid": 0}, "stuck": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["PAYED amount=1"], "line 1: `shop.order` takes no event `PAYED`"),
        (["", "PAID amount=x"], "line 2: field `amount`: `x` is no numeric"),
        (["PAID"], "line 1: `PAID` needs `amount`"),
        (["SUCCESS"], "line 1: no handler runs for task 1, which is in `open`"),
        (["9 CLOSE"], "line 1: there is no task 9"),
        (["advance soon"], "line 1: `soon` is no duration"),
        (["retry 9"], "line 1: there is no task 9"),
        (["go on"], "line 1: `go on` means nothing"),
        (['PAID "'], "line 1: no closing quotation"),
    ],
)
def test_a_line_that_means_nothing_is_a_mistake_of_usage(
    cli: Cli, shop: Path, tmp_path: Path, lines: list[str], message: str
) -> None:
    told = cli("run", str(shop), "--param", "number=7", "--events", story(tmp_path, *lines))
    assert told.code == 2
    assert told.err.startswith(f"error: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "`shop.order` needs `number`"),
        (("--machine", "oder"), "there is no machine `oder`"),
        (("--param", "number"), "`number` is no `field=value`"),
        (("--param", "nmber=1"), "`shop.order` has no field `nmber`"),
    ],
)
def test_a_task_that_cannot_be_made_is_told(cli: Cli, shop: Path, arguments: tuple[str, ...], message: str) -> None:
    told = cli("run", str(shop), *arguments)
    assert (told.code, told.err.splitlines()[0]) == (2, f"error: {message}")


def test_a_program_with_mistakes_is_not_run(cli: Cli, shop: Path) -> None:
    shop.write_text(SHOP.replace("-> open", "-> opne"))
    told = cli("run", str(shop))
    assert told.code == 1
    assert "J101" in told.err
