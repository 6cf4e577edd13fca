"""The class of each token of a text, as the compiler's own parser has it: what every highlighter is held to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree

from jetpackc.highlight.classes import of_rule, of_terminal, of_word, words

WORD = re.compile(r"(?:\\b)?\(?([a-z|]+)\)?\\b(?:\(\?.*\))?")


@dataclass(frozen=True, slots=True)
class Classed:
    """A token's place in code points, and its class."""

    start: int
    end: int
    name: str


@cache
def comments_kept() -> tuple[Lark, list[Token]]:
    """A parser as the compiler's, and the list to which it adds the comments that it meets."""
    found: list[Token] = []

    def keep(token: Token) -> Token:
        found.append(token)
        return token

    text = files("jetpackc.grammar").joinpath("jet.lark").read_text(encoding="utf-8")
    return Lark(
        text,
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=True,
        lexer_callbacks={"COMMENT": keep},
    ), found


def terminals() -> Iterator[tuple[str, str]]:
    """Each terminal, and what the table calls it: by its text, where the grammar has no name for it."""
    lark, _ = comments_kept()
    for terminal in lark.terminals:
        if terminal.name in lark.ignore_tokens and terminal.name != "COMMENT":
            continue
        anonymous = terminal.name.startswith("__ANON") or terminal.name in PUNCTUATION
        yield terminal.name, str(terminal.pattern.value) if anonymous else terminal.name


PUNCTUATION = frozenset(("LPAR", "RPAR", "LBRACE", "RBRACE", "LSQB", "RSQB", "COLON", "COMMA", "DOT", "EQUAL"))
"""The names that lark gives to signs which the grammar only quotes."""


def terminal_words(pattern: str) -> tuple[str, ...]:
    """The words that a terminal is one of; none for other terminals."""
    match = WORD.fullmatch(pattern)
    return tuple(match[1].split("|")) if match else ()


def classed(text: str) -> list[Classed]:
    """The tokens and comments of a text, in order. Raises lark's `UnexpectedInput` where it does not parse."""
    lark, comments = comments_kept()
    comments.clear()
    parsing = lark.parse_interactive(text)
    tokens = list(parsing.exhaust_lexer())
    tree: Tree[Token] = parsing.feed_eof(tokens[-1] if tokens else None)
    roles = dict(_roles(tree, ()))
    found = [_classed(token, roles) for token in (*tokens, *comments)]
    return sorted(found, key=lambda each: each.start)


def _classed(token: Token, roles: dict[int, str]) -> Classed:
    start, end = token.start_pos, token.end_pos
    assert start is not None
    assert end is not None
    return Classed(start, end, _class(token, roles.get(start)))


@cache
def _table_names() -> dict[str, str]:
    return dict(terminals())


def _class(token: Token, role: str | None) -> str:
    try:
        return _found(token, role)
    except KeyError as error:
        raise AssertionError(f"grammar/tokens.toml has no class for {error.args[0]!r}, which {token!r} is") from error


def _found(token: Token, role: str | None) -> str:
    if token.type == "COMMENT":
        return "doc" if re.match(r"///(?!/)", token) else "comment"
    if token.type == "NAME":
        assert role is not None, token
        return of_rule(role)
    if token.type == "MEMBER" and role == "call":
        return of_rule(role)
    return (
        of_word(str(token)) if token in words() and token.type != "MEMBER" else of_terminal(_table_names()[token.type])
    )


def _roles(tree: Tree[Token], above: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The rule that gives each name its class, by the name's place."""
    rule = str(tree.data)
    for index, child in enumerate(tree.children):
        if isinstance(child, Tree):
            called = rule == "call" and index == 0 and child.data in {"variable", "member"}
            yield from _roles(child, (*above, "call" if called else rule))
        elif child is not None and child.start_pos is not None:
            named = rule == "reference" and index == 0 and tree.children[1] is not None
            yield child.start_pos, "module" if named else _role(rule, index, above)


def _role(rule: str, index: int, above: tuple[str, ...]) -> str:
    """What was renamed or stands elsewhere is what it is for; what is called is a function; an enum is a type."""
    if rule in {"was", "reference"} or (rule in {"variable", "member"} and above[-1] == "call"):
        return above[-1]
    return "enum_value" if rule == "enum" and index else rule
