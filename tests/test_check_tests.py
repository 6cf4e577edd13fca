"""`test` blocks, as the compiler reads them: what a statement may speak of, and what is said of mistakes."""

from __future__ import annotations

import re

import pytest
from checking import codes, compiled, finding, program

from jetpackc.check import Result, compile_sources
from jetpackc.emit import emit
from jetpackc.ir import canonical, model as ir
from jetpackc.migrate.build import build
from jetpackc.source import Source

SHOP = """module shop
enum tier { free, pro }
event PAID(amount: numeric, method: text?)
machine order(number: int, tier: tier = free) {
  var total: numeric = 0
  initial state cart { on PAID -> charging { set total = amount } }
  step charging {
    run "shop.payments:charge"
    on SUCCESS(receipt: text) -> done
    on DECLINED(why: text)    -> cart
    on ABANDONED              -> refused
  }
  final state done
  failure state refused
}
machine mail(address: text) is task { state running { run "shop.mail:send" } }
machine parcel(weight: numeric) is task { state running { run "shop.parcels:book" } }
"""


def told(*statements: str) -> str:
    return f'{SHOP}test "t" {{\n' + "\n".join(statements) + "\n}\n"


def steps(*statements: str) -> tuple[ir.TestStep, ...]:
    (found,) = program(told(*statements)).tests
    return found.steps


# ---------------------------------------------------------------- what is right


def test_each_statement_becomes_a_step() -> None:
    found = steps(
        'stub charge raises "down" twice',
        "create order(number: 1, tier: pro) as first",
        'create mail("a@b")',
        "send first PAID(amount: 5)",
        "expect sent applied",
        "expect first state charging",
        "expect first.total == 5 and first.tier == pro",
        "advance 24h",
        "expect state done",
    )
    assert [type(step).__name__ for step in found] == [
        *("TestStub", "TestCreate", "TestCreate", "TestSend", "TestSent", "TestState", "TestExpect"),
        *("TestAdvance", "TestState"),
    ]
    assert [getattr(step, "task", None) for step in found] == [None, None, None, 0, None, 0, 0, None, 1]
    assert found[0] == ir.TestStub(
        (("shop.order", "charging.running"),), "ERROR", (("message", ir.Literal("down", ir.Type("text"))),), 2
    )
    assert found[5] == ir.TestState(0, "charging", ("charging.ready", "charging.running"))


@pytest.mark.parametrize("name", ["charge", "charging", "order.charging"])
def test_work_is_called_by_its_handler_its_state_or_its_machine_and_state(name: str) -> None:
    (stub,) = steps(f'stub {name} returns (receipt: "r")')
    assert isinstance(stub, ir.TestStub)
    assert stub.works == (("shop.order", "charging.running"),)


def test_a_stub_speaks_for_every_state_that_its_handler_works() -> None:
    text = SHOP.replace("shop.parcels:book", "shop.mail:send") + 'test "t" { stub send raises "no" }\n'
    (stub,) = program(text).tests[0].steps
    assert isinstance(stub, ir.TestStub)
    assert stub.works == (("shop.mail", "running"), ("shop.parcel", "running"))


def test_a_create_that_is_refused_leaves_the_task_before_it_the_last_one() -> None:
    found = steps("create order(number: 1)", "create order(number: 1)", 'expect error "x"', "expect state cart")
    assert found[-1] == ir.TestState(0, "cart", ("cart",))


def test_a_file_of_tests_imports_what_it_tests() -> None:
    text = 'import "shop.jet"\ntest "t" {\n  create shop.order(number: 1, tier: pro)\n  send PAID(amount: 5)\n'
    text += '  stub charge returns (receipt: "r")\n  expect tier == pro\n}\n'
    found = compiled_together(text)
    assert found.diagnostics == ()
    assert found.program is not None
    assert [module.name for module in found.program.modules] == ["shop"]
    assert [test.name for test in found.program.tests] == ["t"]


def test_a_file_of_tests_may_be_of_the_module_itself() -> None:
    found = compiled_together('import "shop.jet"\nmodule shop\ntest "t" { create order(number: 1) }\n')
    assert found.diagnostics == ()


def compiled_together(tests: str) -> Result:
    return compile_sources([Source("shop_test.jet", tests), Source("shop.jet", SHOP)])


# ---------------------------------------------------------------- nothing of it gets into a database


def test_tests_leave_no_trace_in_sql_lock_or_hashes() -> None:
    with_tests, without = program(told("create order(number: 1)")), program(SHOP)
    assert emit(with_tests) == emit(without)
    one, other = (
        build(found, None, first_number=1, version="1", sources=["workflows.jet"]) for found in (with_tests, without)
    )
    assert (one.migrations, one.lock) == (other.migrations, other.lock)


def test_tests_are_in_the_canonical_json() -> None:
    found = program(told("create order(number: 1)", "advance 1h", "expect total == 0"))
    assert canonical.loads(canonical.dumps(found)) == found
    assert found.tests


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["send PAID(amount: 5)"], ["J601"]),
        (["create order(number: 1)", "expect frist state cart"], ["J601"]),
        (["create ordr(number: 1)", "expect state cart"], ["J103"]),
        (["create order(number: 1, colour: 2)"], ["J206"]),
        (["create order"], ["J203"]),
        (['create order(number: "one")'], ["J201"]),
        (["create order(number: 1, tier: gold)"], ["J104"]),
        (["create order(number: 1) as a", "create order(number: 2) as a"], ["J120"]),
        (["create order(number: 1)", "send PAYED(amount: 5)"], ["J102"]),
        (["create order(number: 1)", "send PAID(amuont: 5)"], ["J206"]),
        (["create order(number: 1)", "send SUCCESS"], ["J313"]),
        (["create order(number: 1)", "expect state cartt"], ["J101"]),
        (["create order(number: 1)", "expect totl == 5"], ["J106"]),
        (["create order(number: 1)", "expect total"], ["J201"]),
        (["create order(number: 1)", "expect amount == 5"], ["J106"]),
        (["create order(number: 1)", "expect children.count(done) == 0"], ["J101"]),
        (["create order(number: 1)", "expect children.sum(done) == 0"], ["J107"]),
        (["spawned mial as m"], ["J103"]),
        (["spawned order as o"], ["J605"]),
        (["create order(number: 1) as o", "spawned order of o as p"], ["J605"]),
        (["spawned mail of o as m"], ["J601"]),
        (["create order(number: 1) as o", "spawned mail as o"], ["J120", "J605"]),
        (["advance 5"], ["J201"]),
        (["expect sent applied"], ["J604"]),
        (["create order(number: 1)", "expect sent applied"], ["J604"]),
        (["stub chrge hangs"], ["J602"]),
        (["stub running hangs"], ["J603"]),
        (['stub charge returns (reciept: "r")'], ["J206"]),
        (["stub charge returns ()"], ["J203"]),
        (["stub charge returns DECLINED"], ["J203"]),
        (['stub charge returns DECLINE(why: "x")'], ["J102"]),
        (["stub charge returns LOCKED_BY_WORKER"], ["J102"]),
        (['stub charge raises (kind: "x")'], ["J206"]),
    ],
)
def test_mistakes_are_found(statements: list[str], expected: list[str]) -> None:
    assert sorted(codes(told(*statements))) == sorted(expected)


def test_an_unknown_task_names_the_one_that_was_meant() -> None:
    said = finding(told("create order(number: 1) as first", "expect frist state cart"), "J601")
    assert said == "unknown task `frist` | did you mean `first`? | declared here | "


def test_unknown_work_names_what_was_meant() -> None:
    assert finding(told("stub chrge hangs"), "J602") == "unknown work `chrge` | did you mean `charge`? | "
    said = finding(told("stub wash hangs"), "J602")
    assert said.startswith("unknown work `wash` | no such work | handlers do `book`, `charge`, `charging`, ")


def test_ambiguous_work_tells_the_candidates() -> None:
    said = finding(told("stub running hangs"), "J603")
    assert said.startswith(
        "several handlers do `running` | which of them? | `mail.running` | `parcel.running` | say which"
    )


def test_an_expectation_may_compare_tasks() -> None:
    created = ("create order(number: 1) as a", "create order(number: 2) as b")
    *_, of_b, of_all, of_a = steps(
        *created, "expect total == 0", "expect a.total == b.total + total", "expect a.id > 0"
    )
    assert isinstance(of_b, ir.TestExpect)
    assert isinstance(of_all, ir.TestExpect)
    assert isinstance(of_a, ir.TestExpect)
    assert (of_b.task, of_b.others) == (1, ())
    assert (of_all.task, of_all.others) == (1, (("a", 0), ("b", 1)))
    assert (of_a.task, of_a.others) == (0, ())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("expect state Cart", "J007 write `cart`"),
        ("expect", "J001 expected one of"),
        ("expct total == 0", "J001 did you mean `expect`?"),
    ],
)
def test_mistakes_of_syntax_are_told_in_words_of_the_language(statement: str, said: str) -> None:
    (found,) = compiled(told("create order(number: 1)", statement)).diagnostics
    code, _, text = said.partition(" ")
    assert found.rule.code == code
    assert text in " ".join([found.message, found.label, found.help])
    assert not re.search(r"state_is|error_with|`sent_", found.help)


def test_two_tests_of_one_name_are_one_too_many() -> None:
    assert codes(SHOP + 'test "t" {}\ntest "t" {}\n') == ["J120"]


def test_a_machine_that_did_not_compile_is_not_held_against_its_tests() -> None:
    text = SHOP.replace("machine order", "machine order is nothing").replace("(number: int, tier: tier = free)", "")
    text += 'test "t" { create order  send PAID(amount: 5)  expect state cart  stub charge hangs }\n'
    assert set(codes(text)) == {"J109"}
