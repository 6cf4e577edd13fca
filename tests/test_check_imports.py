"""Imports: which files a program has, and what one module may name of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetpackc.check import Result, compile_sources
from jetpackc.check.imports import imports
from jetpackc.cli.project import compile_files
from jetpackc.ir import model as ir
from jetpackc.source import Source

MAIL = """\
module mail
enum urgency { low, high }
operator again(times: int) { when attempts < times -> ready    else -> lost }
template job(times: int, how: urgency = low) {
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running { on SUCCESS -> done    on ERROR again(times) }
  final state done { enter { when how == urgency.high { spawn letter(address: "all", how: how) } } }
  failure state lost
}
machine letter(address: text, how: urgency = low) is task { state running { run "app.mail:send" } }
"""


def compiled(**texts: str) -> Result:
    return compile_sources([Source(f"{name.replace('__', '/')}.jet", text) for name, text in texts.items()])


def codes(result: Result) -> list[str]:
    return [found.rule.code for found in result.diagnostics]


def machine(result: Result, module: str, name: str) -> ir.Machine:
    assert result.program is not None, result.diagnostics
    (found,) = (one for one in result.program.modules if one.name == module)
    return next(one for one in found.machines if one.name == name)


def order(body: str, head: str = "", first: str = 'import "mail.jet"') -> str:
    states = f"initial state open {{ on PAID -> done }} {body} final state done"
    return f"module shop\n{first}\nmachine order({head}) {{ {states} }}\n"


def test_machines_and_enums_of_an_imported_module_go_by_its_name() -> None:
    body = 'on CANCEL { spawn mail.letter(address: "a", how: how) set last = mail.urgency.high }'
    text = order(body, "how: mail.urgency = low")
    result = compiled(mail=MAIL, shop=text.replace("{ initial", "{ var last: mail.urgency? initial"))
    found = machine(result, "shop", "order")
    assert found.params[0].type == ir.Type("enum", "mail.urgency")
    spawn, last = found.on[0].body
    assert isinstance(spawn, ir.Spawn)
    assert spawn.machine == "mail.letter"
    assert isinstance(last, ir.Set)
    assert last.value == ir.Literal("high", ir.Type("enum", "mail.urgency"))
    assert result.program is not None
    assert [enum.name for enum in result.program.modules[1].imported] == ["mail.urgency"]


def test_templates_and_operators_keep_the_meaning_they_have_at_home() -> None:
    text = """\
module shop
import "mail.jet"
operator again(times: int) { fail "never" }
machine order is mail.job(times: 3, how: high) { state running { run "a:b" } }
machine parcel {
  initial state ready { on LOCKED_BY_WORKER -> running { increment attempts } }
  state running { run "a:b"    on SUCCESS -> lost    on ERROR mail.again(times: 2) }
  final state lost
}
"""
    result = compiled(mail=MAIL, shop=text)
    states = {state.name: state for state in machine(result, "shop", "order").states}
    (when,) = states["done"].enter[0].body
    assert isinstance(when, ir.When)
    (spawn,) = when.branches[0].body
    assert isinstance(spawn, ir.Spawn)
    assert spawn.machine == "mail.letter"
    assert isinstance(states["running"].on[1].body[0], ir.When)
    assert machine(result, "shop", "parcel")


def test_modules_may_import_each_other_and_an_enum_is_one_type_from_both_sides() -> None:
    shop = """\
module shop
import "mail.jet"
enum tier { free, pro }
machine order(tier: tier) {
  initial state open { on PAID -> done }
  final state done { enter { spawn mail.letter(tier: tier) } }
}
"""
    mail = """\
module mail
import "shop.jet"
machine letter(tier: shop.tier) {
  initial state open { on SENT -> done }
  final state done { enter when tier == shop.tier.pro { spawn shop.order(tier: tier) } enter { } }
}
"""
    result = compiled(mail=mail, shop=shop)
    assert codes(result) == []
    assert machine(result, "mail", "letter").params[0].type == ir.Type("enum", "shop.tier")
    assert machine(result, "shop", "order").params[0].type == ir.Type("enum", "tier")


def test_what_an_imported_file_imports_is_in_reach() -> None:
    between = 'module between\nimport "mail.jet"\n'
    text = order('on CANCEL { spawn mail.letter(address: "a") }', first='import "between.jet"')
    assert codes(compiled(mail=MAIL, between=between, shop=text)) == []


def test_without_an_import_another_module_is_out_of_reach() -> None:
    result = compiled(mail=MAIL, shop=order('on CANCEL { spawn mail.letter(address: "a") }', first=""))
    assert codes(result) == ["J103"]
    assert "import of the file of module `mail`" in result.diagnostics[0].help


def test_a_file_that_is_not_there_is_said_once() -> None:
    text = order('on CANCEL { spawn mail.letter(address: "a") }', "how: mail.urgency = low", 'import "mial.jet"')
    result = compiled(mail=MAIL, shop=text)
    assert codes(result) == ["J115"]
    assert result.diagnostics[0].fixes[0].replacement == 'import "mail.jet"'


def test_a_path_begins_at_the_folder_of_its_file() -> None:
    assert imports(Source("a/b/c.jet", 'import "../d.jet"\nimport "e.jet"')) == ("a/d.jet", "a/b/e.jet")


def test_the_shell_reads_what_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "mail.jet").write_text(MAIL, encoding="utf-8")
    text = order('on CANCEL { spawn mail.letter(address: "a") }', first='import "lib/mail.jet"')
    (tmp_path / "shop.jet").write_text(text, encoding="utf-8")
    result = compile_files([Path("shop.jet")])
    assert result.program is not None
    assert list(result.sources) == ["shop.jet", "lib/mail.jet"]
