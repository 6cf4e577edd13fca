"""The syntax file for Vim and Neovim. Vim's engine keeps no stack of contexts, so this is a near miss by intention.

A word that is a keyword only where a clause may begin is taken for one at the start of a line, behind a brace, and
where what follows it on the line says so. A state, a machine or an operator is known by the word before it.
"""

from __future__ import annotations

from jetpackc.highlight.classes import classes, words
from jetpackc.highlight.rules import RESERVED

_HEAD = """\
" Vim syntax file for .jet
" Generated from grammar/tokens.toml and jetpackc/highlight/vim.py by editors/generate.py
if exists("b:current_syntax")
  finish
endif
syn case match
"""

_STARTS = r"\%(^\s*\|[{}]\s*\)\@<="
_NO_NAME = r"\%(\s*[:=,).]\)\@!"
_NAME = r"[a-z][a-z0-9_]*"

_MATCHES = (
    ("function", rf"\<{_NAME}\ze\s*("),
    ("parameter", rf"\<{_NAME}\ze\s*:"),
    ("member", r"\.\@<=[A-Za-z_][A-Za-z0-9_]*"),
    ("event", r"\<[A-Z][A-Z0-9_]*\>"),
    ("code", r"\<J[0-9]\{3}\>"),
    ("number", r"\<[0-9]\+\%(\.[0-9]\+\)\?\>"),
    ("duration", r"\<\%([0-9]\+\%(ms\|s\|m\|h\|d\)\)\+\>"),
    ("punctuation", r"[][(){},:.]"),
    ("operator", r"==\|!=\|<=\|>=\|[<>+*/%=?-]\|\.\."),
    ("arrow", "->"),
)

_PLACED = (
    ("state", r"\%(\<state\|\<step\|->\)\s\+"),
    ("machine", r"\%(\<machine\|\<template\|\<is\|\<spawn\|\<spawn\s\+root\)\s\+"),
    ("function", r"\<operator\s\+"),
    ("namespace", r"\<module\s\+"),
    ("type", r"\<enum\s\+"),
)

_TEXTS = r"""
syn region jetString start=+"+ skip=+\\.+ end=+"+ oneline contains=jetEscape
syn match jetEscape "\\\%(u{[0-9A-Fa-f]*}\|.\)" contained
syn match jetComment "//.*$" contains=@Spell
syn match jetDoc "///\%(/\)\@!.*$" contains=@Spell
"""


def syntax(types: tuple[str, ...]) -> str:
    """The whole file; `types` are the names of the built-in types. What stands later in it wins."""
    parts = [_HEAD, *(_match(name, pattern) for name, pattern in _MATCHES)]
    parts += [_match("type", rf"\%(:\s*\|\<as\s\+\)\@<=\%({_any(types)}\)\>")]
    parts += [_match(name, rf"\%({before}\)\@<=\%(\%({_any(RESERVED)}\)\>\)\@!{_NAME}\>") for name, before in _PLACED]
    parts += [_clause_words(name) for name in ("declaration", "modifier", "clause")]
    parts += [f"syn keyword {_group(name)} {' '.join(words(name))}\n" for name in classes() if _is_reserved(name)]
    parts += [_TEXTS, *(f"hi def link {_group(name)} {each.vim}\n" for name, each in classes().items())]
    return "".join([*parts, '\nlet b:current_syntax = "jet"\n'])


def _is_reserved(name: str) -> bool:
    return bool(words(name)) and set(words(name)) <= set(RESERVED)


def _clause_words(name: str) -> str:
    """Words where a clause may begin, or before what only comes behind such a word."""
    any_word = _any(words(name))
    begins = rf"{_STARTS}\<\%({any_word}\)\>{_NO_NAME}"
    behind = rf'\<\%({any_word}\)\>\ze\s\+[A-Z"]'
    chained = rf"\%(\<\%(initial\|final\|failure\|removed\|spawn\|or\)\s\+\)\@<=\<\%({any_word}\)\>{_NO_NAME}"
    return "".join(_match(name, pattern) for pattern in (begins, behind, chained))


def _match(name: str, pattern: str) -> str:
    return f"syn match {_group(name)} '{pattern}'\n"


def _group(name: str) -> str:
    return "jet" + name.title().replace("_", "")


def _any(parts: tuple[str, ...]) -> str:
    return r"\|".join(parts)
