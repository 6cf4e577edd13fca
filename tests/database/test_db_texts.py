"""Texts, numbers and names that break careless code: they come back as they went in, or are refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from installing import compile_to_sql
from queue_client import Db, Sent

from jetpackc.check import compile_sources
from jetpackc.source import Source
from jetpackc.syntax.literals import escape

TEXTS = (
    *("'", "''", '"', "\\", "\\'", "\\\\", "E'\\x27'", "$jet$", "$$", "$1", "$body$; drop schema m cascade; --"),
    *("--", "-- x", "/*", "*/", "/* */ --", "--% if true", "{{ x }}", "{% raw %}", "{# #}", "%", "%s", "%(x)s", "?"),
    *(":name", "::text", "${x}", "!0041", "U&'\\0041'", "';", "'); drop table m.echo; --", "\n", "\t", "\r\n", " ", ""),
    *(
        "e\u0301",
        "\u00e9",
        "\ufb01",
        "\u202eabc\u202c",
        "\u05e9\u05dc\u05d5\u05dd",
        "\u200d",
        "\u200b",
        "\ufeff",
        "\u2028",
    ),
    *(
        "\U0001f469\u200d\U0001f680",
        "\U0010ffff",
        "\ufffe",
        "\ufffd",
        "\u0085",
        "\x01",
        "\x7f",
        "\u00a0",
        "\u0130\u0131\u00df",
    ),
    *("null", "true", "NaN", "select", "x" * 5000, "\u00e9" * 5000, "{}", "[1]", '{"a": 1}', "jet", "new", "old"),
)


def machine(index: int, text: str) -> str:
    written = escape(text)
    return f"""
machine echo{index}(given: text = "{written}") {{
  var made: text = "{written}"
  initial state a {{
    on SAY when event.text == "{written}" and given == "{written}" -> z {{
      set made = event.text ++ "{written}" ++ given
    }}
    on BAD {{ fail "{written}" ++ "." }}
  }}
  final state z
}}
"""


MACHINES = "module m\nevent SAY(text: text)\nevent BAD\n" + "".join(map(machine, range(len(TEXTS)), TEXTS))


def test_texts_come_back_as_they_went_in(db: Db) -> None:
    for index, text in enumerate(TEXTS):
        name = f"echo{index}"
        id = db.create(name)
        assert (db.task(name, id).given, db.task(name, id).made) == (text, text)
        assert db.send(name, id, "SAY", {"text": text + "."}).applied is False
        assert db.send(name, id, "SAY", {"text": text}) == Sent(True, "z", None)
        assert db.task(name, id).made == text * 3
        last = db.hops(name, id)[-1]
        assert (last.payload, last.changed) == ({"text": text}, {"made": text * 3})
        assert db.task(name, db.create(name, given=text)).given == text
        (other,) = db.create_many(name, [{"given": text}])
        with pytest.raises(psycopg.errors.RaiseException) as raised:
            db.send(name, other, "BAD")
        assert raised.value.diag.message_primary == text + "."


def codes(text: str) -> list[str]:
    return [found.rule.code for found in compile_sources([Source("workflows.jet", text)]).diagnostics]


REST = "{ initial state a { on GO -> z } final state z }\n"


@pytest.mark.parametrize(
    ("type", "number", "code"),
    [
        ("int", "2147483647", ""),
        ("int", "2147483648", "J209"),
        ("int", "-2147483648", ""),
        ("bigint", "9223372036854775807", ""),
        ("bigint", "9223372036854775808", "J209"),
        ("numeric", "1" + "0" * 400 + ".0", ""),
        ("float", "1" + "0" * 308 + ".0", ""),
        ("float", "1" + "0" * 309 + ".0", "J209"),
        ("float", "-1" + "0" * 309 + ".0", "J209"),
        ("float", "0." + "0" * 322 + "1", ""),
        ("float", "0." + "0" * 400 + "1", "J209"),
        ("float", "0.0", ""),
        ("interval", "99999999999d", "J005"),
    ],
)
def test_a_number_fits_its_column_or_is_refused(type: str, number: str, code: str, fresh: Callable[[str], str]) -> None:
    text = f"module m\nmachine b(x: {type} = {number}) {REST}"
    assert codes(text) == ([code] if code else [])
    if not code:
        with Db(fresh(text)) as db:
            assert db.value(f"select x = '{number}'::{type} from m.b where id = %s", db.create("b")) is True


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (58, "module NAME\nmachine b " + REST),
        (57, "module m\nenum NAME { a }\nmachine b " + REST),
        (49, "module m\nmachine NAME " + REST),
        (63, "module m\nmachine b(NAME: int) " + REST),
    ],
)
def test_a_name_is_as_long_as_postgres_keeps_it(length: int, text: str) -> None:
    assert "J122" not in codes(text.replace("NAME", "a" * length))
    assert codes(text.replace("NAME", "a" * (length + 1))).count("J122") == 1


def test_names_that_differ_in_their_last_byte_only_stay_apart(database: str) -> None:
    """Nothing that is made of the longest names is cut off: no two become one, in one module or beside another."""
    base = "a" * 48
    machines = [
        f'machine {base}{end} is task {{ unique (id{end}) or error state running {{ run "x:y" }} }}'.replace(
            f"{base}{end} is", f"{base}{end}(id{end}: int) is"
        )
        for end in "bc"
    ]
    modules = ["m" * 57 + end for end in "yz"]
    with Db(database) as db:
        for module in modules:
            db.run(compile_to_sql("\n".join([f"module {module}", *machines])).replace("%", "%%"))
        for module in modules:
            db.schema = module
            for end in "bc":
                id = db.create(base + end, **{f"id{end}": 1})
                assert [hop.to_state for hop in db.hops(base + end, id)] == ["ready"]
                assert db.claim_one(base + end, db.worker()).id == id
        assert (
            db.value("select count(*) from pg_trigger where tgrelid = 'jet.pulse'::regclass and not tgisinternal") == 2
        )


@pytest.mark.parametrize("text", ["\0", "module m\0", 'module m\nmachine b(x: text = "\0") ' + REST])
def test_the_character_0_is_refused(text: str) -> None:
    assert codes(text) == ["J009"]


@pytest.mark.parametrize("levels", [10, 1000, 100_000])
def test_nesting_ends_in_a_sentence(levels: int) -> None:
    for opened, closed in (("(", ")"), ("not ", ""), ("- ", "")):
        guard = f"{opened * levels}x{closed * levels}"
        text = f"module m\nmachine b(x: bool) {{ initial state a {{ on GO when {guard} -> z }} final state z }}\n"
        assert levels == 10 or codes(text) != []
    deep = "state s { " * levels + "}" * levels
    assert codes(f"module m\nmachine b {{ {deep} }}\n") != []
