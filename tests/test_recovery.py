"""A file with n syntax errors in n top-level blocks gives n errors, each inside its block, and keeps the others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings, strategies as st

from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.source import Source
from jetpackc.syntax import parse, parses
from jetpackc.syntax.scan import KEYWORDS, block_starts

BLOCKS = {
    "enum": "enum tier%d {\n  free,\n  pro\n}\n",
    "event": "/// Money came.\nevent PAID%d(amount: numeric, method: text?)\n",
    "operator": 'operator again%d(max: int, to: state) {\n  when a < max -> to\n  else { fail "no } more" }\n}\n',
    "template": "template job%d(n: int = 1) {\n  initial state ready { on GO -> done }\n  final state done\n}\n",
    "machine": (
        "machine mail%d(to: text) {\n  // a { in a comment\n  var sent: int = 0\n"
        "  initial state ready {\n    on GO(n: int) when n > 1 -> done { set sent = n }\n    after 5m -> done\n  }\n"
        "  final state done\n}\n"
    ),
    "base": "machine load%d(url: text) is task(max_attempts: 3)\n",
    "schedule": 'schedule nightly%d cron "0 3 * * *" spawn load(url: "x")\n',
}


@dataclass(frozen=True)
class Broken:
    """A mistake: what it replaces, by what, in the blocks that have it."""

    old: str
    new: str


MISTAKES = [
    Broken("enum", "enumm"),
    Broken("event", "evnt"),
    Broken("operator", "function"),
    Broken("template", "class"),
    Broken("machine", "Machine"),
    Broken("machine", "state_machine"),
    Broken("schedule", "cronjob"),
    Broken("enum tier%d", "enum"),
    Broken("event PAID%d(amount: numeric, method: text?)", "event"),
    Broken("event PAID%d(amount: numeric, method: text?)", "event PAID%d(amount: numeric"),
    Broken("machine mail%d(to: text)", "machine (to: text)"),
    Broken("is task(max_attempts: 3)", "is"),
    Broken("is task(max_attempts: 3)", "is task(max_attempts: 3"),
    Broken("free,\n", "free;\n"),
    Broken("pro\n}", "pro\n"),
    Broken("to: state", "to state"),
    Broken("-> to", "=> to"),
    Broken("fail", "throw"),
    Broken('"no } more"', "'no } more'"),
    Broken('"no } more"', '"no } more'),
    Broken("-> done", "done"),
    Broken("-> done", "-> 'done'"),
    Broken("on GO", "onGo"),
    Broken("on GO", "on: {"),
    Broken("{ set sent = n }", "{ set sent = n"),
    Broken("{ set sent = n }", "set sent = n }"),
    Broken("{ set sent = n }", "{ sent = n }"),
    Broken("{ set sent = n }", "{ set sent = n; }"),
    Broken("  }\n  final", "  final"),
    Broken("  }\n  final", "  }}\n  final"),
    Broken("final state", "final"),
    Broken("initial", "initial:"),
    Broken("var sent", "let sent"),
    Broken("// a {", "# a {"),
    Broken("// a {", "/* a { */"),
    Broken("5m", "5min"),
    Broken("n > 1", "n > 1 && n < 3"),
    Broken("n > 1", "n > (1"),
    Broken('"0 3 * * *"', "0 3 * * *"),
    Broken('cron "0 3 * * *"', ""),
]


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], list[bool]]:
    """The blocks of a file, and which of them are broken."""
    kinds = draw(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=8))
    texts: list[str] = []
    broken: list[bool] = []
    mistake: Broken | None = None
    for number, kind in enumerate(kinds):
        fitting = [one for one in MISTAKES if one.old in BLOCKS[kind]]
        if mistake is not None and mistake.new == "is":  # the next word may be the template that is missing
            fitting = [one for one in fitting if one.old not in KEYWORDS]
        mistake = draw(st.none() | st.sampled_from(fitting)) if fitting else None
        text = BLOCKS[kind].replace(mistake.old, mistake.new, 1) if mistake else BLOCKS[kind]
        texts.append(text.replace("%d", str(number)) + draw(st.sampled_from(["", "\n", "\n// a comment {\n\n"])))
        broken.append(mistake is not None)
    return texts, broken


@settings(max_examples=400, deadline=None)
@given(files())
def test_each_broken_block_gives_one_error_inside_it(case: tuple[list[str], list[bool]]) -> None:
    texts, broken = case
    text = "".join(texts)
    file, found = parse(Source("a.jet", text))
    bounds = [sum(map(len, texts[:index])) for index in range(len(texts) + 1)]
    held = [
        sum(bounds[at] <= each.span.start < bounds[at + 1] for each in found if each.span) for at in range(len(texts))
    ]
    assert held == [int(one) for one in broken], text
    assert len(file.items) == broken.count(False)
    assert parses(Source("a.jet", text)) == (not any(broken))


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_each_of_the_mistakes_is_one(mistake: Broken) -> None:
    """Else the property above would count what never was wrong."""
    fitting = [text for text in BLOCKS.values() if mistake.old in text]
    assert fitting
    for text in fitting:
        one = text.replace(mistake.old, mistake.new, 1).replace("%d", "1")
        assert not parses(Source("a.jet", one)), one


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("module machine event A", ["module", "event"]),
        ("module m\nmachine event { state s }\nenum e { a }", ["module", "machine", "enum"]),
        ("machine m is\ntask\n", ["machine"]),
        ("machine m\nis task {\nstate s\non GO -> s\n}\nevent A", ["machine", "event"]),
        ("machine m(\nevent: int,\nmachine: text\n)\nenum e { a }", ["machine", "enum"]),
        ("event A event B", ["event", "event"]),
        ("machine m {\n  state a }\n}\n  state b\n}\nmachine n { state s }", ["machine", "machine"]),
        ("# of the shell\n# two lines\nmodule m\n/* of C\n module n */\n-- of SQL\n", ["#", "module", "/", "-"]),
        ("const m = {\n}\nexport class A {}\n", ["const", "export"]),
        ('enum a { "\nevent B', ["enum", "event"]),
        ("machine m is\nMachine n {}\n", ["machine", "Machine"]),
        ("machine m {\n  state s {\nMachine n {}\n", ["machine", "Machine"]),
        ("machine m {\nstate s {\nstat t {\n}\n}\n}\nevent A", ["machine", "event"]),
    ],
)
def test_where_blocks_begin(text: str, starts: list[str]) -> None:
    found = block_starts(text)
    assert [text[at:].split(maxsplit=1)[0] if text[at].isalpha() else text[at] for at in found] == starts


def unclosed(text: str) -> list[tuple[str, int]]:
    _, found = parse(Source("a.jet", text))
    return [(each.rule.code, each.span.line) for each in found if each.span]


def test_indentation_tells_which_brace_was_forgotten() -> None:
    text = "machine m {\n  initial state a {\n    on GO -> b\n  state b {\n    on GO -> a\n  }\n}\n"
    assert unclosed(text) == [(rules.UNCLOSED_BRACKET.code, 2)]
    assert unclosed(text.replace("  state b {", "  }\n  state b {")) == []
    assert unclosed(text.replace("  ", "\t")) == [(rules.UNCLOSED_BRACKET.code, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "machine m {\n  state a {\n    on GO -> a\n  state b\n}\n",
        "machine m {\n  state a { on GO -> a // why\n  state b\n}\n",
        "machine m {\n  state a\n",
        "machine m {\n  state a {\n    on GO { set x = 1\n  }\n}\n\nevent A\n",
        "enum e { a, b // {\n\nevent A\n",
    ],
)
def test_a_brace_put_where_the_fix_says_closes(text: str) -> None:
    _, (found,) = parse(Source("a.jet", text))
    (fix,) = found.fixes
    assert parses(Source("a.jet", text[: fix.span.start] + fix.replacement + text[fix.span.end :]))
