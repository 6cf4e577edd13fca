"""Printing a tree and parsing it again: nothing is lost, nothing is added."""

from __future__ import annotations

from pathlib import Path

import pytest
import trees
from hypothesis import HealthCheck, given, settings

from jetpackc.source import Source
from jetpackc.syntax import ast, parse, print_file, without_spans

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("grammar", "examples", "tests") for path in (ROOT / folder).rglob("*.jet"))


def parsed(text: str) -> ast.File:
    file, diagnostics = parse(Source("a.jet", text))
    assert diagnostics == (), text
    return file


def printed(text: str) -> str:
    return print_file(parsed(text))


def expression(text: str) -> str:
    """How an expression is written that was written as `text`."""
    return printed(f"machine m {{ state s {{ timeout {text} }} }}")[
        len("machine m { state s { timeout ") : -len(" } }\n")
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees.files)
def test_a_tree_comes_back_from_its_text(file: ast.File) -> None:
    text = print_file(file)
    found = parsed(text)
    assert without_spans(found) == file, text
    assert print_file(found) == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_comes_back_from_its_print(path: Path) -> None:
    """What parses of it: some files are there for their mistakes, and no mistake hides the rest."""
    source = Source("a.jet", path.read_text(encoding="utf-8"))
    file, _ = parse(source)
    assert without_spans(parsed(print_file(file))) == without_spans(file)


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c - d",
        "(a + b) * (c - (d - e))",
        "-(a + b) as int",
        "--a",
        "not (a or b) and not c == d",
        "(a == b) == c",
        "a or b and c",
        "(a or b) and c",
        "a ++ b ?? c",
        "(a ++ b) ?? c",
        "(a is null) is not null",
        "a + b in (c, d + 1)",
        "a in (b or c)",
        "a in []",
        "a in b ++ c",
        'c["k"].first[0] as text? ?? "none"',
        "(c as json).x",
        "(5).x",
        "f(a, b: c or d, e: 1..2)",
        "subtree.some(failure)",
        "[a, [], -1]",
        "1h30m500ms",
        "0s",
        "007 + 1.50",
        r'"\"\\\n\t\u{7}"',
    ],
)
def test_brackets_stand_where_they_are_needed_and_nowhere_else(text: str) -> None:
    assert expression(text) == text


def test_what_has_two_spellings_gets_one() -> None:
    assert expression("((a))") == "a"
    assert expression("a in [b, c]") == "a in (b, c)"
    assert expression("24h") == "1d"
    assert expression(r'"\u{e9}"') == '"é"'
    assert printed("machine m() { on GO { again() } }") == "machine m { on GO again() }\n"
    assert printed("event GO()") == "event GO\n"
    assert printed("machine m { unique (a) or error }") == "machine m { unique (a) }\n"
    assert printed("enum e { a, b, }") == "enum e { a, b }\n"


def test_one_blank_line_stands_between_items_and_around_members_of_several_lines() -> None:
    text = """\
module m

/// A doc.
///
///   of several lines
machine a {
  var x: int
  var y: int

  initial state s {
    on GO when x > 0 -> t
    on STOP {
      set x = 1
      set y = 2
    }
  }

  final state t
  final state u
}
"""
    assert printed(text) == text
    assert printed(text.replace("\n\n", "\n\n\n// a comment\n")) == text
    assert printed(text.replace("\n  ", "\n\t   ")) == text


def test_the_arms_of_a_when_stand_below_each_other() -> None:
    text = (
        "operator o() {\n  when a -> s\n  else when b {\n    set x = 1\n    -> s\n  } else when c { set x = 2 }\n"
        "  else again(3)\n}\n"
    )
    assert printed(text) == text


def test_a_line_that_would_be_too_long_is_broken_at_its_block() -> None:
    text = f'machine m {{ state s {{ on GO {{ fail "{"x" * 50}" }} }} }}\n'
    assert printed(text) == text
    assert printed(text.replace("x" * 50, "x" * 90)).count("\n") == 7


def test_nothing_prints_as_nothing() -> None:
    assert printed("// only a comment\n") == ""


def test_trees_that_differ_in_places_only_are_equal_without_them() -> None:
    one, other = parsed("machine m { state s }"), parsed("machine m {\n  state s {}\n}")
    assert one != other
    assert without_spans(one) == without_spans(other)
    assert without_spans(one) != without_spans(parsed("machine m { state t }"))
