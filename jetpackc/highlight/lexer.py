"""The lexer for Pygments, which finds it by the entry point `pygments.lexers`; nothing else imports this file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from pygments.lexer import RegexLexer
from pygments.token import Text, Whitespace, _TokenType, string_to_tokentype

from jetpackc.highlight.classes import classes
from jetpackc.highlight.rules import CONTEXTS, Context, Rule, expanded

_Found = Iterator[tuple[int, _TokenType, str]]
_ROOT = {"top": "root"}


def token_type(name: str) -> _TokenType:
    """Pygments' type for a class."""
    return string_to_tokentype(f"Token.{classes()[name].pygments}")


def _emit(rule: Rule) -> Callable[[Any, re.Match[str]], _Found]:
    """What a match gives: its groups by their classes, and the text between them."""
    types = [token_type(name) for name in rule.classes]

    def found(_lexer: Any, match: re.Match[str]) -> _Found:
        place = match.start()
        for number, type_ in enumerate(types, start=1):
            if match.group(number) is None:
                continue
            if place < match.start(number):
                yield place, Whitespace, match.string[place : match.start(number)]
            yield match.start(number), type_, match.group(number)
            place = match.end(number)

    return found


def _states(context: Context) -> list[tuple[Any, ...]]:
    end = [] if context is CONTEXTS["top"] else [(context.end.pattern, _emit(context.end), "#pop")]
    rules = [
        (rule.pattern, _emit(rule), *([_ROOT.get(rule.into, rule.into)] if rule.into else []))
        for rule in expanded(context.rules)
    ]
    rest = [(r'[^"\\\n]+|.', token_type(context.inside))] if context.inside else [(r"\s+", Whitespace), (".", Text)]
    return [*end, *rules, *rest]


class JetLexer(RegexLexer):
    """Lexer for `.jet`, the state-machine language that jetpackc compiles to Postgres."""

    name = "jet"
    aliases = ["jet"]  # noqa: RUF012
    filenames = ["*.jet"]  # noqa: RUF012
    mimetypes = ["text/x-jet"]  # noqa: RUF012
    flags = re.MULTILINE
    tokens = {_ROOT.get(name, name): _states(context) for name, context in CONTEXTS.items()}  # noqa: RUF012
