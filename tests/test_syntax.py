"""From text to tree: what parses, where each node stands, and what is said of what does not parse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import trees
from hypothesis import given, settings, strategies as st
from lark import Token, Tree, UnexpectedInput
from lark.lexer import ContextualLexer
from trees import nodes

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.parallel import FEWEST
from jetpackc.source import Source
from jetpackc.syntax import ast, parse, print_file, without_spans
from jetpackc.syntax.build import Builder
from jetpackc.syntax.driver import Tree as OurTree
from jetpackc.syntax.errors import RESERVED
from jetpackc.syntax.grammar import driver, parser
from jetpackc.syntax.parse import trees as concrete
from jetpackc.syntax.scan import heads

LANGUAGE = sorted((Path(__file__).parent / "language").glob("*.jet"))


def parsed(text: str) -> ast.File:
    file, diagnostics = parse(Source("a.jet", text))
    assert diagnostics == (), text
    return file


def found(text: str) -> list[str]:
    """What is wrong: code, line, the text under the caret, message, label, help."""
    _, diagnostics = parse(Source("a.jet", text))
    return [_line(text, each) for each in diagnostics]


def _line(text: str, each: Diagnostic) -> str:
    assert each.span is not None
    under = text[each.span.start : each.span.end]
    return f"{each.rule.code} {each.span.line} {under!r} {each.message} | {each.label} | {each.help}"


def only(kind: type[Any], text: str) -> Any:
    """The one node of a kind."""
    (node,) = [each for each in nodes(parsed(text)) if isinstance(each, kind)]
    return node


def clause(text: str) -> ast.Clause:
    node = only(ast.Clause, f"machine m {{ state s {{ on GO {text} }} }}")
    assert isinstance(node, ast.Clause)
    return node


def value(text: str) -> Any:
    return only(ast.Timeout, f"machine m {{ state s {{ timeout {text} }} }}").value


# ---------------------------------------------------------------- what parses


@pytest.mark.parametrize("path", LANGUAGE, ids=lambda path: path.name)
def test_the_language_parses(path: Path) -> None:
    assert parsed(path.read_text(encoding="utf-8")).items


def test_the_screen_of_the_language_holds_what_it_shows() -> None:
    file = parsed((Path(__file__).parent / "language" / "screen.jet").read_text(encoding="utf-8"))
    kinds = [f"{type(item).__name__} {item.name.text}" for item in file.items]
    assert kinds[:5] == ["Module shop", "Enum tier", "Event PAID", "Event CANCEL", "Operator retry"]
    assert kinds[5:] == ["Machine checkout", "Machine shipment", "Machine send_receipt", "Machine audit"]
    checkout = file.items[5]
    assert isinstance(checkout, ast.Machine)
    assert [type(member).__name__ for member in checkout.members] == [
        *("Unique", "Var", "Var", "State", "Step", "State", "State", "State", "State", "State")
    ]
    final = [member for member in checkout.members if isinstance(member, ast.State) and member.kinds]
    assert [(state.kinds, [name.text for name in state.names]) for state in final] == [
        (("initial",), ["cart"]),
        (("final",), ["done"]),
        (("final",), ["cancelled", "expired"]),
        (("failure",), ["refused"]),
    ]


def test_a_clause_may_have_a_guard_an_arrow_a_delay_and_a_block() -> None:
    node = clause("when a > 1 -> s.ready in 5m { set x = 1 }")
    assert isinstance(node.guard, ast.Binary)
    assert node.target is not None
    assert node.target.target is not None
    assert node.target.target.text == "s.ready"
    assert isinstance(node.target.delay, ast.Constant)
    assert node.target.delay.value == 300_000
    assert [type(one).__name__ for one in node.body] == ["Set"]
    assert clause("reenter").target == ast.Goto(None, None, clause("reenter").target.span)  # type: ignore[union-attr]
    assert clause("{ -> s }").target is None


def test_events_without_brackets_declare_no_payload_and_empty_brackets_an_empty_one() -> None:
    assert only(ast.On, "machine m { on GO -> s }").fields is None
    assert only(ast.On, "machine m { on GO() -> s }").fields == ()


def test_an_arrow_before_a_block_is_taken_after_it() -> None:
    when = only(ast.When, "operator o() { when a -> s { set x = 1 } else { set x = 2 -> t } }")
    assert [[type(one).__name__ for one in branch.body] for branch in when.branches] == [["Set", "Goto"]] * 2


@pytest.mark.parametrize("word", ["statefoo", "onx", "online", "nullable", "isolated", "format", "input", "initials"])
def test_a_name_may_begin_like_a_keyword(word: str) -> None:
    assert only(ast.Set, f"operator o() {{ set {word} = {word} }}").name.text == word
    assert only(ast.State, f"machine m {{ state {word} }}").names[0].text == word


@pytest.mark.parametrize(
    "word", ["priority", "state", "on", "limit", "run", "event", "module", "was", "root", "return"]
)
def test_a_word_that_begins_a_clause_is_a_name_elsewhere(word: str) -> None:
    text = (
        f"module {word}\nenum {word} {{ {word} }}\n"
        f"machine {word}({word}: {word} = {word}) {{\n"
        f"var {word}: int state {word} {{ on GO when {word} -> {word} }} }}\n"
    )
    assert len(parsed(text).items) == 3


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_word_of_expressions_and_statements_is_reserved(word: str) -> None:
    (line,) = found(f"machine {word} {{}}")
    assert line.startswith(f"J008 1 '{word}' `{word}` is a reserved word")


def test_operators_bind_as_the_language_says() -> None:
    def shape(node: Any) -> str:
        match node:
            case ast.Binary():
                return f"({shape(node.left)} {node.operator} {shape(node.right)})"
            case ast.Unary():
                return f"({node.operator} {shape(node.operand)})"
            case ast.Cast():
                return f"({shape(node.operand)} as {node.type.name.text})"
            case _:
                return str(getattr(node, "name", getattr(node, "value", "?")))

    assert (
        shape(value("a or b and not c == d + e * -f as int"))
        == "(a or (b and (not (c == (d + (e * ((- f) as int)))))))"
    )
    assert shape(value("a - b - c")) == "((a - b) - c)"
    assert shape(value('a ++ b ?? c ++ "d"')) == "((a ++ (b ?? c)) ++ d)"
    assert shape(value("a ?? b ?? c + 1")) == "((a ?? b) ?? (c + 1))"


def test_in_takes_a_list_an_array_and_a_value() -> None:
    assert [len(value(text).options) for text in ("x in (a, b)", "x in [a]", "x in (a)", "x in []")] == [2, 1, 1, 0]
    assert value("x in xs").options is None
    assert value("x in xs").collection.name == "xs"


def test_literals_have_their_values() -> None:
    assert value("1h30m").value == 5_400_000
    assert value("1d2h3m4s5ms").value == 93_784_005
    assert value("007").value == "007"
    assert value("1.50").value == "1.50"
    assert value(r'"a\n\t\"\\\u{1F600}\u{e9}"').value == 'a\n\t"\\\U0001f600\xe9'
    assert value("null").value is None
    assert value("true").value is True


def test_a_range_stands_in_an_argument() -> None:
    (argument,) = only(ast.Step, "machine m { step s(backoff: 2s..5m) }").arguments
    assert argument.name.text == "backoff"
    assert (argument.value.value, argument.upper.value) == (2_000, 300_000)


# ---------------------------------------------------------------- places and docs


def test_every_node_stands_where_its_text_is() -> None:
    text = (Path(__file__).parent / "language" / "clauses.jet").read_text(encoding="utf-8")
    written = {
        type(node).__name__: text[node.span.start : node.span.end]
        for node in nodes(parsed(text))
        if hasattr(node, "span")
    }
    assert written["Schedule"] == "schedule often every 5m spawn everything(a: 2)"
    assert written["Unique"] == "unique (a, b) while in (ready, work.inner) or error"
    assert written["Timer"] == "at c.when_due as timestamptz again(2, failed)"
    assert written["Cast"] == 'c["k"].firstName[0] as text'
    assert written["Fail"] == 'fail "no" ++ " way"'
    assert written["Raise"] == "raise ABANDONED"
    for node in nodes(parsed(text)):
        if isinstance(node, ast.Name | ast.Variable):
            name = node.text if isinstance(node, ast.Name) else node.name
            assert text[node.span.start : node.span.end] == name


def test_a_node_lies_in_the_one_around_it() -> None:
    text = (Path(__file__).parent / "language" / "clauses.jet").read_text(encoding="utf-8")
    for outer in nodes(parsed(text)):
        for inner in nodes(tuple(getattr(outer, field.name) for field in fields(outer))):
            if hasattr(outer, "span") and hasattr(inner, "span"):
                assert inner.span in outer.span, (outer, inner)


def test_docs_belong_to_what_stands_below_them() -> None:
    text = (
        "/// Of the module.\nmodule m\n\n/// Of the machine,\n///\n///   in lines.\n"
        "machine m { initial state a }\n//// no doc\nmachine n {\n  /// Of the var.\n  var x: int\n"
        "  /// Of the state.\n  state s // no doc\n  state t\n\n  /// Not right above.\n\n  step u\n}\n"
    )
    docs = [(type(node).__name__, node.doc) for node in nodes(parsed(text)) if hasattr(node, "doc")]
    assert docs == [
        ("Module", "Of the module."),
        ("Machine", "Of the machine,\n\n  in lines."),
        ("State", ""),
        ("Machine", ""),
        ("Var", "Of the var."),
        ("State", "Of the state."),
        ("State", ""),
        ("Step", ""),
    ]


def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing() -> None:
    text = "/// A doc.\nmodule m\nmachine m {\n  state s\n}\n"
    for other in (text.replace("\n", "\r\n"), "\ufeff" + text):
        assert print_file(parsed(other)) == print_file(parsed(text))


# ---------------------------------------------------------------- what does not parse

MISTAKES = {
    "machin m {}": "J001 1 'machin' unexpected `machin` | did you mean `machine`?",
    "machine m { stat s }": "J001 1 'stat' unexpected `stat` | did you mean `state`?",
    "machine m { state s { onn GO -> t } }": "J001 1 'onn' unexpected `onn` | did you mean `on`?",
    "machine m { states: { a: {} } }": "J001 1 'states: { a: {} }' unexpected `states: { a: {} }` | not needed",
    "machine m { state s { onEnter: 'a' } }": "J001 1 \"onEnter: 'a'\" unexpected `onEnter: 'a'` | did you",
    "machine m { state s { onEvent: {} } }": "J001 1 'onEvent: {}' unexpected `onEvent: {}` | not needed here",
    "const m = 1": "J001 1 'const' unexpected `const` | not expected here | this language writes `var`",
    "machine m { state s { on GO => t } }": "J001 1 '=>' unexpected `=>` | did you mean `->`?",
    "machine m { state s { on GO if a -> t } }": "J001 1 'if' unexpected `if` | did you mean `when`?",
    "machine m { state s { on GO when a && b -> t } }": "J001 1 '&&' unexpected `&&`",
    "machine m { state s { on GO t } }": "J001 1 't' unexpected `t` | did you mean `-> t`?",
    "machine m { state s { on go -> t } }": "J007 1 'go' an event is written in upper case | write `GO`",
    "machine m { state firstState }": "J007 1 'firstState' a name is written in lower case | write `first_state`",
    "machine m { state s { on GO -> t; } }": "J009 1 ';' unexpected `;` | not needed here | a line end needs no `;`",
    "machine na\xefve": "J009 1 '\xef' `\xef` cannot stand in a name",
    "import 'a'": "J009 1 \"'a'\" unexpected `'a'` | did you mean `\"a\"`? | strings stand in double quotes",
    'machine m { state s { run "a': "J002 1 '\"' this string does not end on its line",
    'machine m { state s { run "a\\d" } }': r"J003 1 '\\d' `\d` is no escape of this language",
    'machine m { state s { run "\\u{0}" } }': r"J003 1 '\\u{0}' `\u{0}` is no character that Postgres can store",
    'machine m { state s { run "\\u{D800}" } }': r"J003 1 '\\u{D800}' `\u{D800}` is no character that",
    'machine m { state s { run "a\0" } }': "J009 1 '\\x00' a character with the code 0",
    "/// a\0b": "J009 1 '\\x00' a character with the code 0",
    "machine m { state s { timeout 5secs } }": "J005 1 '5secs' `5secs` is no duration | no such unit",
    f"machine m {{ state s {{ timeout {'9' * 5000}d }} }}": "J005 1 ",
    f"machine m {{ state s {{ timeout {'9' * 5000} }} }}": "J004 1 ",
    "machine m { state s { timeout 1_000 } }": "J004 1 '1_000' `1_000` is no number",
    "machine m { state s { timeout a < b < c } }": "J010 1 'a < b < c' a comparison does not compare with another one",
    "machine m {\n  state s {\n}\n": "J006 2 '{' this `{` is never closed | no `}` for it | ",
    "machine m(a: int": "J006 1 '(' this `(` is never closed | no `)` for it | add `)`",
    "event": "J001 1 'event' this `event` is not complete | something is missing behind it | expected an event in",
    "machine m is\n\n// why\n": "J001 1 'is' this `machine` is not complete | something is missing behind it",
    "enum e { a": "J006 1 '{' this `{` is never closed",
    "machine m { state s } }": "J001 1 '}' unexpected `}` | not expected here",
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[:40])
def test_a_mistake_is_said_in_the_users_terms(text: str) -> None:
    (line,) = found(text)
    assert line.startswith(MISTAKES[text])


def test_what_could_stand_there_is_listed() -> None:
    (line,) = found("enum { a }")
    assert line == "J001 1 '{' unexpected `{` | not expected here | expected a name"
    (line,) = found("machine m { unique x }")
    assert line.endswith("| expected `(`")


def test_each_broken_block_is_reported_once_and_the_whole_ones_are_kept() -> None:
    text = "\n".join(
        [
            "module m",
            "enum a { x y }",
            "machine b { state s }",
            "machine c { stat s }",
            "event OK",
            "operator d() { set = 1 }",
            "machine e { state s {",
            "machine f { state s }",
            "event no",
        ]
    )
    file, diagnostics = parse(Source("a.jet", text))
    assert [each.span.line for each in diagnostics if each.span] == [2, 4, 6, 7, 9]
    assert [item.name.text for item in file.items] == ["m", "b", "OK", "f"]
    kept = [text[item.span.start : item.span.end] for item in file.items]
    assert kept == ["module m", "machine b { state s }", "event OK", "machine f { state s }"]


def test_an_unclosed_block_does_not_hide_the_next() -> None:
    file, diagnostics = parse(Source("a.jet", "machine a {\n  state s {\n\nmachine b { state s }\n"))
    assert [each.rule.code for each in diagnostics] == ["J006"]
    assert [item.name.text for item in file.items] == ["b"]


def test_text_before_the_first_block_does_not_hide_it() -> None:
    file, diagnostics = parse(Source("a.jet", "hello, world\n\nmodule m\n"))
    assert [each.rule.code for each in diagnostics] == ["J001"]
    assert len(file.items) == 1


def test_what_nests_too_deeply_is_said() -> None:
    for text in ("(" * 100_000, f"machine m {{ state s {{ timeout {'-' * 50_000}1 }} }}", "machine m { " * 500):
        assert found(text)


def as_lark_says(ours: Any, lark: Any) -> bool:
    """Whether two trees are the same, with the places of tokens and of what they make up."""
    if isinstance(lark, Tree):
        same = isinstance(ours, OurTree) and ours.data == lark.data and len(ours.children) == len(lark.children)
        return same and all(map(as_lark_says, ours.children, lark.children))
    if isinstance(lark, Token):
        return (str(ours), ours.type, ours.start, ours.end) == (str(lark), lark.type, lark.start_pos, lark.end_pos)
    return ours is None and lark is None


def both_ways(text: str) -> bool:
    """Whether the driver makes of a text what lark does, or nothing where lark refuses it."""
    ours = driver().parse(text, 0, len(text))
    try:
        return as_lark_says(ours, parser().parse(text))
    except UnexpectedInput:
        return ours is None


@settings(max_examples=100, deadline=None)
@given(trees.files)
def test_the_driver_makes_the_tree_that_lark_makes(file: ast.File) -> None:
    assert both_ways(print_file(file))


def whole(text: str) -> tuple[tuple[ast.Item, ...], list[Diagnostic]]:
    """What a text comes to that is read in one go."""
    source = Source("a.jet", text)
    builder = Builder(source)
    parts, problems = concrete(source)
    return tuple(item for part in parts for item in builder.items(part)), problems + builder.diagnostics


def long(text: str) -> str:
    """The same text so often that it is read in parts."""
    return f"{text}\n" * (1 + FEWEST // max(len(heads(text)), 1))


@settings(max_examples=30, deadline=None)
@given(trees.files)
def test_a_long_file_comes_to_the_same_in_parts_as_whole(file: ast.File) -> None:
    text = long(print_file(file))
    found, diagnostics = parse(Source("a.jet", text))
    assert (found.items, [*diagnostics]) == whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff/// d\nmodule m\n\n/// e\nmachine a {\ninitial state s {}\n}\n// machine b {\nenum e { x }",
        'machine a {\nallow J301 because "x"\nstate s\n}',
        "machine a { state s }\nmachine b { stat s }",
        "machine a { state s {\n\nmachine b { state s }",
        "machine a { state s }\nevent\nmachine\nevent OK",
        f"machine a {{ state s {{ timeout {'(' * 101}1s{')' * 101} }} }}",
        f"machine a {{ state s {{ timeout {'-' * 130}1s }} }}",
        "machine a { state s { timeout 1\0s } }",
    ],
)
def test_whatever_is_wrong_with_a_long_file_is_what_is_wrong_with_it_whole(text: str) -> None:
    found, diagnostics = parse(Source("a.jet", long(text)))
    items, problems = whole(long(text))
    assert found.items == items
    assert sorted(map(str, diagnostics)) == sorted(map(str, problems))


def test_a_file_full_of_mistakes_is_read_little_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    lex = ContextualLexer.lex

    def counted(*arguments: Any) -> Iterator[Token]:
        nonlocal read
        for token in lex(*arguments):
            read += 1
            yield token

    monkeypatch.setattr(ContextualLexer, "lex", counted)
    file, diagnostics = parse(Source("a.jet", "machine m { state s }\nmachine x { stat s }\n" * 100))
    assert (len(file.items), len(diagnostics)) == (100, 100)
    assert 100 <= read <= 600


TOKENS = st.sampled_from(
    [
        *trees.WORDS,
        *('"', '"a"', "{", "}", "(", ")", "[", "]", "->", "-", ">", "<", "=", ".", "..", ":", ",", "?", "??", "++"),
        *(
            "1",
            "1.5",
            "2s",
            "2x",
            "GO",
            "é",
            "\0",
            "\\",
            "//",
            "///",
            "\n",
            "\nmachine",
            "\nevent",
            "when",
            "else",
            "in",
        ),
        *("and", "not", "set", "spawn", "\ufeff", "\ud800", "\u0663", "'", ";", "is", "as"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TOKENS, max_size=60).map(" ".join) | st.text(max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    file, diagnostics = parse(Source("a.jet", text))
    for each in diagnostics:
        assert each.span is not None
        assert 0 <= each.span.start <= each.span.end <= len(text)
        assert each.message == each.message.strip()
    if not diagnostics:
        assert without_spans(parsed(print_file(file))) == without_spans(file)


# ---------------------------------------------------------------- the tables of the grammar


@pytest.fixture
def fresh_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget_tables()
    yield tmp_path / "cache" / "jetpackc"
    forget_tables()


def forget_tables() -> None:
    parser.cache_clear()
    driver.cache_clear()


def test_the_tables_are_kept_between_runs(fresh_tables: Path) -> None:
    assert parsed("module m").items
    found("machine")
    kept = sorted(fresh_tables.iterdir())
    assert [path.suffix for path in kept] == [".bin", ".json"]
    written = [path.stat().st_mtime_ns for path in kept]
    forget_tables()
    assert parsed("module m").items
    assert [path.stat().st_mtime_ns for path in kept] == written


def test_tables_that_are_broken_are_built_anew(fresh_tables: Path) -> None:
    assert parsed("module m").items
    for kept in fresh_tables.iterdir():
        kept.write_bytes(b"\x80\x04broken")
    forget_tables()
    assert parsed("module m").items
    assert all(kept.read_bytes() != b"\x80\x04broken" for kept in fresh_tables.iterdir())


def test_a_place_that_takes_no_tables_costs_only_time(fresh_tables: Path) -> None:
    fresh_tables.parent.write_text("a file where the folder would be", encoding="utf-8")
    assert parsed("module m").items


def test_a_user_without_a_home_parses_all_the_same(fresh_tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert parsed("module m").items
    assert not fresh_tables.exists()


@settings(max_examples=200, deadline=None)
@given(st.lists(TOKENS, max_size=20).map(lambda tokens: "machine m { state s { " + " ".join(tokens) + " } }"))
def test_the_driver_refuses_what_lark_refuses(text: str) -> None:
    assert both_ways(text)
