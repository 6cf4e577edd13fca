"""`send` and `retry` of many tasks: which they are, and that one's failure stops no other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from told import Cli

from jetpackc.cli import bulk

sys.path.append(str(Path(__file__).parent / "database"))

from queue_client import Db

TEXT = """\
module m
enum tier { free, pro }
event CANCEL(why: text?)

machine checkout(order_id: bigint, email: text = "", tier: tier = free, data: json?) {
  var total: numeric = 0
  initial state cart {
    on PAY    -> charging { set total = 12.5 }
    on CANCEL when order_id == 13 { fail "13 stays" }
    on CANCEL -> cancelled
  }
  step charging {
    run "app:charge"
    on SUCCESS when order_id > 0 { set total = total / (order_id - 7)  -> done }
    on SUCCESS   -> done
    on ABANDONED -> done
    on CANCEL    -> cancelled
  }
  final state done
  final state cancelled
}

machine poison(n: int) {
  var share: int = 0
  initial state ready { on LOCKED_BY_WORKER -> running { set share = 10 / n } }
  state running { run "app:f"  on SUCCESS, ERROR -> done }
  final state done
}
machine doomed { initial state here { after 1m -> gone { fail "as before" } } final state gone }
"""


@pytest.fixture
def db(fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[Db]:
    dsn = fresh(TEXT)
    monkeypatch.setenv("DATABASE_URL", dsn)
    with Db(dsn) as found:
        yield found


def carts(db: Db, *numbers: int, **params: Any) -> list[int]:
    return db.create_many("checkout", [{"order_id": number, **params} for number in numbers])


def chosen(cli: Cli, *words: str) -> list[int]:
    told = cli("send", "m.checkout", "CANCEL", *words, "--dry-run")
    assert told.code == 0, told.err
    return [int(line) for line in told.out.splitlines()]


def test_filters_choose_by_state_params_vars_and_age(db: Db, cli: Cli) -> None:
    ids = carts(db, 1, 2, 3)
    ada = carts(db, 4, email="ada'); drop table x; --", tier="pro")
    db.send("checkout", ids[0], "PAY")
    assert chosen(cli, "--all") == [*ids, *ada]
    assert chosen(cli, "--where", "state=cart") == [*ids[1:], *ada]
    assert chosen(cli, "--where", "state=charging") == chosen(cli, "--where", "state=charging.ready") == ids[:1]
    assert chosen(cli, "--where", "email=ada'); drop table x; --", "--where", "tier=pro") == ada
    assert chosen(cli, "--where", "tier=free", "--where", "state=cart") == ids[1:]
    assert chosen(cli, "--where", "total=12.50") == chosen(cli, "--where", f"id={ids[0]}") == ids[:1]
    assert chosen(cli, "--limit", "2") == ids[:2]
    assert chosen(cli, "--older-than", "1h") == []
    db.shift("2 h")
    db.send("checkout", ids[1], "PAY")
    assert chosen(cli, "--older-than", "1h") == [ids[0], ids[2], *ada]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("CANCEL",), "which tasks of `m.checkout`?"),
        (("CANCEL", "--where", "stat=cart"), "did you mean `state`?"),
        (("CANCEL", "--where", "state=crat"), "has no state `crat`"),
        (("CANCEL", "--where", "order_id=x"), "`x` is no bigint"),
        (("CANCEL", "--where", "data=1"), "`data` is json, which a filter does not compare"),
        (("CANCEL", "--where", "_priority=1"), "has no field `_priority`"),
        (("CANCEL", "--where", "state"), "is no `field=value`"),
        (("CANCEL", "--where", "cart"), "did you mean `state=cart`?"),
        (("CANCEL", "--where", "orderid=1"), "did you mean `order_id`?"),
        (("CANCEL", "--older-than", "long"), "`long` is no duration"),
        (("CANCLE", "--all"), "did you mean `CANCEL`?"),
        (("CANCEL", "--all", "--limit", "0"), "--limit"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(db: Db, cli: Cli, words: tuple[str, ...], says: str) -> None:
    (id,) = carts(db, 1)
    told = cli("send", "checkout", *words)
    assert told.code == 2
    assert says in told.err
    assert db.state("checkout", id) == "cart"


def test_a_filter_beside_an_id_is_refused(db: Db, cli: Cli) -> None:
    (id,) = carts(db, 1)
    assert cli("send", str(id), "CANCEL", "--where", "state=cart").code == 2
    assert cli("retry", str(id), "--all").code == 2
    assert cli("send", str(id), "CANCEL").code == 0


def test_an_event_goes_to_all_that_match_in_batches(db: Db, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)
    ids = carts(db, *range(10, 18))
    told = cli("send", "checkout", "CANCEL", "why=old", "--where", "state=cart")
    assert told.code == 1
    assert f"task {ids[3]}: " in told.err
    assert "13 stays" in told.err
    assert "3 tasks so far" in told.err
    assert "8 tasks, 7 changed, 0 did not take it, 1 failed" in told.err
    assert [db.state("checkout", id) for id in ids].count("cancelled") == 7
    assert db.hops("checkout", ids[0])[-1].payload == {"why": "old"}


def test_numbers_for_programs(db: Db, cli: Cli) -> None:
    ids = carts(db, 12, 13, 14)
    db.send("checkout", ids[2], "CANCEL")
    told = cli("send", "checkout", "CANCEL", "--all", "--json")
    found = json.loads(told.out)
    assert told.code == 1
    assert {name: found[name] for name in ("matched", "applied", "unchanged")} == {
        "matched": 3,
        "applied": 1,
        "unchanged": 1,
    }
    assert [one["id"] for one in found["failed"]] == [ids[1]]
    assert json.loads(cli("send", "checkout", "CANCEL", "--limit", "1", "--dry-run", "--json").out) == {
        "matched": 1,
        "ids": ids[:1],
    }


def test_a_key_makes_the_command_repeatable(db: Db, cli: Cli) -> None:
    ids = carts(db, 1, 2)
    for _ in range(2):
        told = cli("send", "checkout", "PAY", "--all", "--key", "monday")
        assert (told.code, "2 tasks, 2 changed" in told.err) == (0, True)
    assert [len(db.hops("checkout", id)) for id in ids] == [2, 2]


def test_stuck_tasks_are_taken_up_again(db: Db, cli: Cli) -> None:
    ids = [db.create("poison", n=n) for n in (0, 0, 1)]
    assert len(db.claim("poison", db.worker()).tasks) == 1
    told = cli("retry", "poison", "--where", f"id={ids[0]}")
    assert (told.code, "1 stuck task, 1 changed" in told.err) == (0, True)
    assert [db.task("poison", id)._stuck is None for id in ids] == [True, False, True]
    assert cli("retry", "poison", "--all", "--dry-run").out.split() == [str(ids[1])]
    assert cli("retry", "poison", "--all").code == 0
    assert db.value("select count(*) from m.poison where _stuck is not null") == 0
    told = cli("retry", "poison", "--all")
    assert (told.code, told.err) == (0, "no stuck task matches; nothing was changed\n")


def test_a_retry_that_fails_again_says_so(db: Db, cli: Cli) -> None:
    id = db.create("doomed")
    db.run("update jet.clock set shift = '1 h'")
    db.run("select jet.tick()")
    told = cli("retry", str(id))
    assert told.code == 1
    assert "it is stuck as before: as before" in told.err
    assert f"jetpackc history {id}" in told.err


def test_cancel_sends_the_event_of_that_name(db: Db, cli: Cli) -> None:
    first, second, third = carts(db, 1, 2, 3)
    assert cli("cancel", str(first), "why=late").code == 0
    assert cli("cancel", "checkout", "--where", "order_id=2", "--dry-run").out == f"{second}\n"
    assert "1 task, 1 changed" in cli("cancel", "checkout", "--where", "order_id=2").err
    assert [db.state("checkout", id) for id in (first, second, third)] == ["cancelled", "cancelled", "cart"]
    told = cli("cancel", "poison", "--all")
    assert (told.code, "takes no event `CANCEL`" in told.err) == (2, True)


TOLD = """\
module m
machine ship(n: int) {
  initial state out {
    enter { spawn sailor() }
    on SINK -> sunk { send children FLOOD }
  }
  final state sunk
}
machine sailor {
  initial state aboard { on FLOOD -> swimming }
  state swimming       { on LAND -> ashore }
  final state ashore
}
"""


def test_messages_are_applied_though_no_worker_is_there(
    fresh: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    dsn = fresh(TOLD)
    monkeypatch.setenv("DATABASE_URL", dsn)
    for n in (1, 2, 3):
        cli("create", "ship", f"n={n}")
    assert cli("send", "1", "SINK").code == 0
    with Db(dsn) as db:
        assert db.rows("select state, count(*) from m.sailor group by 1 order by 1") == [("aboard", 2), ("swimming", 1)]
        cli("send", "ship", "SINK", "--all")
        assert db.rows("select state, count(*) from m.sailor group by 1") == [("swimming", 3)]
