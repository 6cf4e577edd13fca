"""The registry, the guesses, and each format to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings, strategies as st

from jetpackc.diagnostics import Diagnostic, Fix, Label, Rule, Severity
from jetpackc.diagnostics.registry import AREAS, RULES, collect, rules_of
from jetpackc.diagnostics.render import FORMATS, in_order, summary
from jetpackc.diagnostics.render.width import width_of
from jetpackc.diagnostics.rules import flow, migration, names, syntax
from jetpackc.diagnostics.suggest import CONFUSED, did_you_mean, edit_distance
from jetpackc.source import Source, Span

TEXT = """\
module shop

machine mail {
  initial state ready { on GO -> runing }
  state running { on SENT -> done }
  final state done
}
"""
MAIL = Source("shop/mail.jet", TEXT)
OTHER = Source("prelude.jet", "template task {\n  state ready\n}\n")
SOURCES = {source.path: source for source in (MAIL, OTHER)}


def at(text: str, source: Source = MAIL) -> Span:
    start = source.text.index(text)
    return source.span(start, start + len(text))


UNKNOWN = Diagnostic(
    names.UNKNOWN_STATE,
    "no state `runing` in machine `mail`",
    at("runing"),
    "did you mean `running`?",
    secondary=(Label(at("running"), "declared here"),),
    notes=("states are looked up in their machine",),
    help="the states of `mail` are `ready`, `running` and `done`",
    fixes=(Fix("change to `running`", at("runing"), "running", safe=True),),
)
UNUSED = Diagnostic(flow.UNUSED_EVENT, "event `OLD` is never used", at("ready"))
NEWER = Diagnostic(migration.NEWER_DATABASE, "the database is newer", None, help="install a newer jetpackc")


def text_of(*diagnostics: Diagnostic, sources: dict[str, Source] = SOURCES, color: bool = False) -> str:
    return FORMATS["text"](diagnostics, sources, color=color)


def drawn(text: str) -> str:
    return dedent(text).removeprefix("\n")


# ---------------------------------------------------------------- the registry


def test_the_registry_holds_every_rule_of_every_area() -> None:
    assert list(RULES) == sorted(rule.code for area in AREAS for rule in rules_of(area))


@pytest.mark.parametrize(("digit", "area"), list(enumerate(AREAS)))
def test_a_code_says_its_area_and_a_constant_its_name(digit: int, area: object) -> None:
    for constant, rule in vars(area).items():
        if isinstance(rule, Rule):
            assert re.fullmatch(rf"J{digit}\d\d", rule.code)
            assert constant == rule.name.upper().replace("-", "_")


@pytest.mark.parametrize("rule", list(RULES.values()), ids=list(RULES))
def test_titles_are_plain(rule: Rule) -> None:
    assert rule.title[0].islower() or rule.title[0] == "`"
    assert not rule.title.endswith(".")


@pytest.mark.parametrize("other", [Rule("J900", "b", Severity.ERROR, "t"), Rule("J901", "a", Severity.ERROR, "t")])
def test_a_code_or_a_name_that_stands_twice_is_refused(other: Rule) -> None:
    with pytest.raises(ValueError, match=r"J900 a share|and J900 a"):
        collect([Rule("J900", "a", Severity.ERROR, "t"), other])


# ---------------------------------------------------------------- guesses


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("runing", "running"),
        ("runnign", "running"),
        ("Running", "running"),
        ("expird", "expired"),
        ("cart", None),
        ("x", None),
        ("running", None),
    ],
)
def test_the_nearest_name_is_meant(written: str, meant: str | None) -> None:
    assert did_you_mean(written, ["ready", "running", "expired", "y"]) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("onEnter", "enter"),
        ("onEvent", "on"),
        ("then", "->"),
        ("varchar", "text"),
        ("string", "text"),
        ("integer", "int"),
        ("boolean", "bool"),
        ("timestamp", "timestamptz"),
        ("datetime", "timestamptz"),
        ("double", "float"),
        ("jsonb", "json"),
        ("decimal", "numeric"),
        ("bytea", "bytes"),
    ],
)
def test_a_word_of_another_language_comes_before_the_nearest(written: str, meant: str) -> None:
    assert did_you_mean(written, [meant, written + "s"]) == meant
    assert did_you_mean(written, []) is None


def test_the_table_of_confusions_is_found_whatever_the_case() -> None:
    assert all(word == word.lower() for word in CONFUSED)


def test_guesses_do_not_hang_on_the_order_of_candidates() -> None:
    assert did_you_mean("dome", ["done", "dose"]) == did_you_mean("dome", ["dose", "done"]) == "done"


def test_a_swap_of_neighbours_is_one_edit() -> None:
    assert edit_distance("teh", "the") == 1
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance("kitten", "sitting") == 3


# ---------------------------------------------------------------- text


def test_text_shows_places_advice_and_the_fix() -> None:
    assert text_of(UNKNOWN) == drawn("""
        error[J101]: no state `runing` in machine `mail`
         --> shop/mail.jet:4:34
          |
        4 |   initial state ready { on GO -> runing }
          |                                  ^^^^^^ did you mean `running`?
        5 |   state running { on SENT -> done }
          |         ------- declared here
          |
          = note: states are looked up in their machine
          = help: the states of `mail` are `ready`, `running` and `done`
          = fix: change to `running`
        4 -   initial state ready { on GO -> runing }
        4 +   initial state ready { on GO -> running }
    """)


def test_text_of_several_is_parted_by_a_blank_line_and_in_the_order_of_the_source() -> None:
    assert text_of(UNKNOWN, UNUSED, NEWER).split("\n\n")[:2] == [
        "error[J506]: the database is newer\n  = help: install a newer jetpackc",
        drawn("""
            warning[J381]: event `OLD` is never used
             --> shop/mail.jet:4:17
              |
            4 |   initial state ready { on GO -> runing }
              |                 ^^^^^""").removesuffix("\n"),
    ]


def test_text_skips_lines_between_places_and_sizes_the_gutter() -> None:
    source = Source("long.jet", "one\n" + "\n" * 8 + "ten\n")
    found = Diagnostic(names.DUPLICATE_NAME, "twice", at("ten", source), "here", (Label(at("one", source), "first"),))
    assert text_of(found, sources={source.path: source}) == drawn("""
        error[J120]: twice
          --> long.jet:10:1
           |
         1 | one
           | --- first
        ...
        10 | ten
           | ^^^ here
    """)


def test_text_gives_another_file_an_excerpt_of_its_own() -> None:
    found = Diagnostic(names.DUPLICATE_NAME, "twice", at("done"), "again", (Label(at("ready", OTHER), "in `task`"),))
    assert text_of(found) == drawn("""
        error[J120]: twice
         --> shop/mail.jet:5:30
          |
        5 |   state running { on SENT -> done }
          |                              ^^^^ again
         ::: prelude.jet:2:9
          |
        2 |   state ready
          |         ----- in `task`
    """)


def test_text_puts_two_labels_of_one_line_below_each_other() -> None:
    found = Diagnostic(names.DUPLICATE_NAME, "twice", at("SENT"), "again", (Label(at("running"), "first"),))
    assert text_of(found).splitlines()[3:] == [
        "5 |   state running { on SENT -> done }",
        "  |                      ^^^^ again",
        "  |         ------- first",
    ]


def test_one_place_may_be_both_primary_and_secondary() -> None:
    place = at("SENT")
    found = Diagnostic(names.DUPLICATE_NAME, "twice", place, "again", (Label(place, "first"),))
    assert text_of(found).splitlines()[4:] == [
        "  |                      ^^^^ again",
        "  |                      ---- first",
    ]


@pytest.mark.parametrize(
    ("line", "shown", "carets"),
    [
        ('on "日本" -> X', 'on "日本" -> X', "             ^"),
        ("\ton\t-> X", "    on    -> X", "             ^"),
        ('"e\N{COMBINING ACUTE ACCENT}" X', '"e\N{COMBINING ACUTE ACCENT}" X', "    ^"),
        ('"\x1b[2J" X', '"\N{REPLACEMENT CHARACTER}[2J" X', "       ^"),
        ('"\u202ea" X', '"\N{REPLACEMENT CHARACTER}a" X', "     ^"),
    ],
    ids=["wide", "tabs", "combining", "escape", "direction"],
)
def test_carets_stand_below_what_they_mean(line: str, shown: str, carets: str) -> None:
    source = Source("a.jet", line)
    found = Diagnostic(names.UNKNOWN_STATE, "m", at("X", source))
    assert text_of(found, sources={source.path: source}).splitlines()[3:] == [f"1 | {shown}", f"  | {carets}"]


def test_width_counts_columns() -> None:
    assert [width_of(text) for text in ("abc", "日本", "\t", "e\N{COMBINING ACUTE ACCENT}", "")] == [3, 4, 4, 1, 0]


def test_a_span_of_several_lines_is_marked_on_its_first() -> None:
    found = Diagnostic(flow.NO_INITIAL_STATE, "m", at("machine mail {\n  initial"), "this machine")
    assert text_of(found).splitlines()[3:] == ["3 | machine mail {", "  | ^^^^^^^^^^^^^^ this machine"]


def test_the_end_of_the_file_has_a_caret_too() -> None:
    source = Source("a.jet", "module shop\n")
    found = Diagnostic(syntax.SYNTAX_ERROR, "m", source.span(12, 12), "expected a machine")
    assert text_of(found, sources={source.path: source}).splitlines()[1:] == [
        " --> a.jet:2:1",
        "  |",
        "2 |",
        "  | ^ expected a machine",
    ]


def test_text_without_the_source_still_says_where() -> None:
    found = Diagnostic(names.DUPLICATE_NAME, "twice", at("done"), "again", (Label(at("ready", OTHER), "in `task`"),))
    assert text_of(found, sources={}).splitlines() == [
        "error[J120]: twice",
        " --> shop/mail.jet:5:30",
        "  | again",
        " ::: prelude.jet:2:9",
        "  | in `task`",
    ]


def test_a_remark_of_several_lines_is_indented() -> None:
    found = Diagnostic(migration.FAILED_MIGRATION, "m", None, notes=("one\ntwo",))
    assert text_of(found) == "error[J508]: m\n  = note: one\n          two\n"


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ("  final", "  failure state lost\n  final", ["6 +   failure state lost"]),
        ("  final state done\n", "", ["6 -   final state done"]),
        (
            " -> done }\n  final",
            "\n",
            [
                "5 -   state running { on SENT -> done }",
                "6 -   final state done",
                "5 +   state running { on SENT",
                "6 +  state done",
            ],
        ),
    ],
    ids=["insert", "delete", "replace"],
)
def test_a_fix_is_shown_as_a_diff_of_whole_lines(old: str, new: str, diff: list[str]) -> None:
    found = Diagnostic(syntax.SYNTAX_ERROR, "m", None, fixes=(Fix("f", at(old), new),))
    assert text_of(found).splitlines() == ["error[J001]: m", "  = fix: f", *diff]


def test_colour_is_added_and_changes_nothing_else() -> None:
    coloured = text_of(UNKNOWN, UNUSED, color=True)
    assert coloured.startswith("\x1b[1;33mwarning[J381]\x1b[0m\x1b[1m: event `OLD` is never used\x1b[0m\n")
    assert "\x1b[1;31m^^^^^^ did you mean `running`?\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text_of(UNKNOWN, UNUSED)


def test_a_narrow_terminal_breaks_advice_between_words() -> None:
    found = Diagnostic(syntax.SYNTAX_ERROR, "m", None, help="one two three four five six seven", notes=("short",))
    assert FORMATS["text"]([found], {}, width=30) == drawn("""
        error[J001]: m
          = note: short
          = help: one two three four
                  five six seven
    """)
    assert "four five" in FORMATS["text"]([found], {}, width=0)


@pytest.mark.parametrize("width", [24, 30, 40, 80, 200])
def test_a_long_line_is_cut_around_what_is_marked(width: int) -> None:
    source = Source("a.jet", "x" * 100 + " HERE " + "y" * 100)
    found = Diagnostic(names.UNKNOWN_STATE, "m", at("HERE", source), "")
    _, _, _, line, marks = FORMATS["text"]([found], {source.path: source}, width=width).splitlines()
    assert width_of(line) <= width
    start = marks.index("^")
    assert line[start : start + 4] == "HERE"
    assert marks[start:] == "^^^^"


def test_a_mark_longer_than_the_terminal_ends_with_it() -> None:
    source = Source("a.jet", "x" * 300)
    found = Diagnostic(names.UNKNOWN_STATE, "m", source.span(0, 300))
    _, _, _, line, marks = FORMATS["text"]([found], {source.path: source}, width=50).splitlines()
    assert len(line) == len(marks) == 50


# ---------------------------------------------------------------- the other formats


def test_short_is_one_line_each() -> None:
    broken = Diagnostic(names.UNKNOWN_NAME, "of two\nlines", at("GO"))
    assert FORMATS["short"]([UNKNOWN, NEWER, broken], SOURCES) == drawn("""
        error[J506] the database is newer
        shop/mail.jet:4:28: error[J106] of two lines
        shop/mail.jet:4:34: error[J101] no state `runing` in machine `mail`
    """)


def span(
    start: int, end: int, line: int, column: int, end_line: int | None, end_column: int | None
) -> dict[str, object]:
    place = {"path": "shop/mail.jet", "start": start, "end": end, "line": line, "column": column}
    return {**place, "end_line": end_line, "end_column": end_column}


def test_json_has_every_key_of_every_finding() -> None:
    assert json.loads(FORMATS["json"]([UNKNOWN, NEWER], SOURCES)) == [
        {
            "code": "J506",
            "name": "newer-database",
            "severity": "error",
            "message": "the database is newer",
            "span": None,
            "label": "",
            "secondary": [],
            "notes": [],
            "help": "install a newer jetpackc",
            "fixes": [],
        },
        {
            "code": "J101",
            "name": "unknown-state",
            "severity": "error",
            "message": "no state `runing` in machine `mail`",
            "span": span(61, 67, 4, 34, 4, 40),
            "label": "did you mean `running`?",
            "secondary": [{"span": span(78, 85, 5, 9, 5, 16), "label": "declared here"}],
            "notes": ["states are looked up in their machine"],
            "help": "the states of `mail` are `ready`, `running` and `done`",
            "fixes": [
                {
                    "title": "change to `running`",
                    "safe": True,
                    "span": span(61, 67, 4, 34, 4, 40),
                    "replacement": "running",
                }
            ],
        },
    ]


def test_json_of_nothing_is_an_empty_list_and_of_a_missing_source_has_no_end() -> None:
    assert FORMATS["json"]([], {}) == "[]\n"
    (found,) = json.loads(FORMATS["json"]([UNUSED], {}))
    assert found["span"] == span(44, 49, 4, 17, None, None)


def test_the_keys_of_json_are_documented() -> None:
    document = (Path(__file__).parents[1] / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    found = json.loads(FORMATS["json"]([UNKNOWN], SOURCES))[0]
    keys = {*found, *found["span"], *found["secondary"][0], *found["fixes"][0]}
    assert {key for key in keys if f"`{key}`" not in document} == set()


def test_github_escapes_what_its_syntax_would_take() -> None:
    source = Source("a,b:100%.jet", "x\ny\n")
    found = Diagnostic(flow.UNUSED_VAR, "50% of\r\n`x`", source.span(0, 1), "a: b, c", help="::error::no")
    assert FORMATS["github"]([found], {source.path: source}) == (
        "::warning file=a%2Cb%3A100%25.jet,line=1,endLine=1,col=1,endColumn=2,title=J382 unused-var"
        "::50%25 of%0D%0A`x`%0Aa: b, c%0A::error::no\n"
    )


def test_github_gives_columns_on_one_line_only_and_no_place_without_a_span() -> None:
    long = Diagnostic(flow.NO_INITIAL_STATE, "m", at("machine mail {\n  initial"))
    assert FORMATS["github"]([long, NEWER], SOURCES) == drawn("""
        ::error title=J506 newer-database::the database is newer%0Ainstall a newer jetpackc
        ::error file=shop/mail.jet,line=3,endLine=4,title=J301 no-initial-state::m
    """)


@pytest.mark.parametrize("name", ["text", "short", "github"])
def test_nothing_found_is_nothing_said(name: str) -> None:
    assert FORMATS[name]([], {}) == ""


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\t\r ")), st.data())
def test_no_text_and_no_place_breaks_a_format(text: str, data: st.DataObject) -> None:
    source = Source("a.jet", text)
    start = data.draw(st.integers(0, len(text)))
    place = source.span(start, data.draw(st.integers(start, len(text))))
    fix = Fix("f", place, data.draw(st.text()))
    found = Diagnostic(syntax.SYNTAX_ERROR, text, place, text, (Label(place, text),), (text,), text, (fix,))
    for render in FORMATS.values():
        assert render([found], {source.path: source}).endswith("\n")
    assert len(FORMATS["short"]([found], {}).splitlines()) == FORMATS["github"]([found], {}).count("\n") == 1


# ---------------------------------------------------------------- order and count


def test_findings_come_by_place_each_once() -> None:
    elsewhere = Diagnostic(names.UNKNOWN_NAME, "m", at("ready", OTHER))
    assert in_order([UNKNOWN, elsewhere, UNUSED, NEWER, UNKNOWN]) == [NEWER, elsewhere, UNUSED, UNKNOWN]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "no errors"),
        ([UNKNOWN], "1 error"),
        ([UNUSED], "1 warning"),
        ([UNKNOWN, NEWER, UNUSED, UNKNOWN], "2 errors, 1 warning"),
    ],
)
def test_the_summary_counts_by_severity(found: list[Diagnostic], said: str) -> None:
    assert summary(found) == said
