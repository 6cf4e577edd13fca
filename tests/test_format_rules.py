"""What the layout looks like, rule by rule; docs/format.md says it in words."""

from __future__ import annotations

import pytest

from jetpackc.source import Source
from jetpackc.syntax import format_source


def laid_out(text: str) -> str:
    found, diagnostics = format_source(Source("a.jet", text))
    assert diagnostics == ()
    assert found is not None
    return found


def state(members: str) -> str:
    """What becomes of the members of a state that is broken over lines."""
    found = laid_out(f"machine m {{\nstate s {{\n{members}\n}}\n}}\n")
    head, tail = "machine m {\n  state s {\n", "\n  }\n}\n"
    assert found.startswith(head)
    assert found.endswith(tail)
    return found[len(head) : -len(tail)].replace("\n    ", "\n")[4:]


# ---------------------------------------------------------------- space


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("timeout   1+2*- 3", "timeout 1 + 2 * -3"),
        ("timeout f ( a,b :c ,)", "timeout f(a, b: c)"),
        ("timeout c [ 0 ] . x as text[] ? ", "timeout c[0].x as text[]?"),
        ("timeout 5 .x", "timeout 5 .x"),
        ("timeout ( a )in( b,c )", "timeout (a) in (b, c)"),
        ("timeout [ a,b ]", "timeout [a, b]"),
        ("timeout a?? b", "timeout a ?? b"),
        ("timeout f(1 .. 2)", "timeout f(1..2)"),
        (
            "on A,B ( x:int=1 )when not a->t in 5m{set x=1 increment y}",
            "on A, B(x: int = 1) when not a -> t in 5m { set x = 1  increment y }",
        ),
    ],
)
def test_tokens_have_the_space_they_need(written: str, wanted: str) -> None:
    assert state(written) == wanted


@pytest.mark.parametrize(
    "written", ["timeout 24h", "timeout 0001.50", r'run "\u{e9}\u{0041}"', "timeout ((a))", "exit {}"]
)
def test_what_could_be_written_in_another_way_stays(written: str) -> None:
    assert state(written) == written


# ---------------------------------------------------------------- blocks


def test_a_block_on_one_line_stays_there_while_it_fits() -> None:
    line = 'machine m { state s { on GO { fail "' + "x" * 50 + '" } } }\n'
    assert laid_out(line) == line
    broken = laid_out(line.replace("x" * 50, "x" * 75))
    assert broken == 'machine m {\n  state s {\n    on GO { fail "' + "x" * 75 + '" }\n  }\n}\n'


def test_a_block_that_is_broken_somewhere_is_broken_at_both_braces() -> None:
    text = "machine m {\n  state s { on A -> b }\n  state t\n}\n"
    assert laid_out("machine m { state s { on A -> b }\nstate t }") == text
    assert laid_out("machine m {\n\n\nstate s { on A -> b } \nstate t\n\n}") == text
    assert laid_out("machine m {\n}\n") == "machine m {}\n"


def test_things_that_the_author_put_on_one_line_stay_there() -> None:
    assert state("on A->b on B->c\non C->d") == "on A -> b    on B -> c\non C -> d"
    row = "on A -> b    on B { fail " + '"' + "x" * 90 + '" }'
    assert state(row).startswith("on A -> b\non B {")


def test_blank_lines_stay_one_at_most() -> None:
    assert state("on A -> b\n\n\n\non B -> c") == "on A -> b\n\non B -> c"


def test_a_blank_line_stands_around_items_of_several_lines() -> None:
    text = "module m\nevent A\nevent B\nmachine m {\n  state s\n}\n// c\nmachine n\nmachine o\n"
    wanted = "module m\nevent A\nevent B\n\nmachine m {\n  state s\n}\n\n// c\nmachine n\nmachine o\n"
    assert laid_out(text) == wanted


def test_the_arms_of_a_when() -> None:
    assert state("enter { when a -> b else -> c }") == "enter { when a -> b  else -> c }"
    text = "enter {\n  when a { set x = 1 }\n  else when bb -> t\n  else         { set x = 2 }\n}"
    assert state(text.replace("\n  else", " \nelse")) == text.replace("a {", "a       {")
    text = "enter {\n  when a {\n    set x = 1\n  } else when b {\n    set x = 2\n  } else -> t\n}"
    assert state(text.replace("} else", "}\nelse")) == text
    text = "enter {\n  when a {\n    set x = 1\n  }\n  // else\n  else -> t\n}"
    assert state(text) == text


# ---------------------------------------------------------------- lists


def test_a_list_is_on_one_line_or_each_element_is() -> None:
    broken = "event A(\n  a: int,\n  b: int,\n)\n"
    assert laid_out("event A(a: int, b: int,)") == "event A(a: int, b: int)\n"
    assert laid_out("event A(a: int,\n b: int)") == broken
    assert laid_out("event A(a: int, b: int\n)") == broken
    assert laid_out("event A(a: int // c\n, b: int)") == "event A(\n  a: int,  // c\n  b: int,\n)\n"
    assert laid_out("event A(a: int, // c\n b: int // d\n)") == "event A(\n  a: int,  // c\n  b: int,  // d\n)\n"
    assert laid_out("enum e {\n a }") == "enum e {\n  a,\n}\n"
    long = ", ".join(f"value_{number}: int" for number in range(8))
    assert laid_out(f"event A({long})").count("\n") == 10


def test_a_long_expression_is_broken_before_the_operators_of_one_level() -> None:
    names = [f"a_rather_long_name_{number} > 1" for number in range(4)]
    assert state(f"on A when {' and '.join(names)} -> b") == (
        f"on A when {names[0]}\n    and {names[1]}\n    and {names[2]}\n    and {names[3]} -> b"
    )


def test_long_rows_of_names_are_filled() -> None:
    names = [f"state_number_{number}" for number in range(12)]
    text = laid_out(f"machine m {{\n  state {', '.join(names)}\n}}")
    assert max(map(len, text.splitlines())) <= 96
    assert text.count("\n") == 5


# ---------------------------------------------------------------- comments


def test_comments_stay_at_their_tokens() -> None:
    text = """\
// at the start

/// doc
machine m {  // behind a brace
  // alone

  state s  // behind

  // at the end
}
// after it

// at the very end
"""
    assert laid_out(text) == text
    assert laid_out("machine m { // a\n}") == "machine m {  // a\n}\n"
    assert laid_out("machine // a\n// b\nm") == "machine  // a\n    // b\n    m\n"
    assert laid_out("// only\n\n\n") == "// only\n"
    assert laid_out("\n\n") == ""


# ---------------------------------------------------------------- alignment


def test_arrows_of_adjacent_lines_stand_below_each_other() -> None:
    text = """\
on A            -> b          { set x = 1 }
on B when x > 1 -> c in delay { set x = 2 }
after 10m       -> b
on C(a: int)    { set x = a }
on D again(3)
on E -> f

on EEE -> f
enter             { set x = 1 }
exit              { set x = 2 }
enter when x == 1 -> b"""
    assert state("\n".join(" ".join(line.split()) for line in text.split("\n"))) == text


def test_only_blocks_on_one_line_are_aligned() -> None:
    text = "machine m {\n  initial state a { on X -> b }\n"
    text += "  state b         { on X -> a }\n  state ccc {\n    on X -> a\n  }\n}\n"
    assert laid_out(text.replace("b         {", "b {")) == text


def test_comments_of_adjacent_lines_stand_below_each_other() -> None:
    text = 'on A -> b                  // one\nrun "日本"                 // two\ntimeout 5m + 6m + 7m + 8m  // three'
    assert state(text.replace("  //", "//")) == text


def test_what_would_move_too_far_is_not_aligned() -> None:
    near = "on B when a_rather_long_name > 10000 -> c"
    assert state(f"on A -> b\n{near}") == f"on A{' ' * 33}-> b\n{near}"
    far = near.replace("10000", "100000")
    assert state(f"on A -> b\n{far}") == f"on A -> b\n{far}"


# ---------------------------------------------------------------- files


def test_line_ends_and_the_byte_order_mark_are_the_files_own() -> None:
    assert laid_out("\ufeffmachine m {\r\n\tstate s }") == "\ufeffmachine m {\r\n  state s\r\n}\r\n"
    assert laid_out("machine m {\n state s }\r\n") == "machine m {\n  state s\n}\n"


def test_what_does_not_parse_is_left_alone_and_said() -> None:
    text, diagnostics = format_source(Source("a.jet", "machine m {"))
    assert text is None
    assert [found.rule.code for found in diagnostics] == ["J006"]
