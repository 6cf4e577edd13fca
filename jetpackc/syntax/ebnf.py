"""The grammar in the EBNF that the W3C's XML specification defines (section 6, Notation), from grammar/jet.lark.

What readers do not need is left out: aliases, priorities, and how white space and the ends of words are found.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

_RULE = re.compile(r"^[?!]?([a-zA-Z_]+)(?:\{x\})?(?:\.\d+)?: *(.*)$")
_PART = re.compile(r'"[^"]*"|/(?:\\.|[^/])+/|[A-Za-z_]+(?:\{[a-z_A-Z]+\})?|[()\[\]|?*+]')
_ALIAS = re.compile(r"\s*->\s*[a-z_]+\s*$")
_WORD = re.compile(r"/(\w+)\\b")
_LISTS = re.compile(r"_list\{(\w+)\}")

_PATTERNS = {
    "CODE": '"J" [0-9] [0-9] [0-9]',
    "EVENT": "[A-Z] [A-Z0-9_]*",
    "MEMBER": "[A-Za-z_] [A-Za-z0-9_]*",
    "NAME": "[a-z] [a-z0-9_]* /* no reserved word */",
    "DURATION": '([0-9]+ ("ms" | "s" | "m" | "h" | "d"))+',
    "NUMBER": '[0-9]+ "." [0-9]+',
    "INT": "[0-9]+",
    "STRING": '\'"\' ("\\" . | [^"\\])* \'"\'',
    "VERDICT": '"return" | "error"',
}
"""Terminals whose patterns need other words here than in a regular expression."""
_SIGNS = ("ARRAY", "OPTIONAL", "CONCAT", "COALESCE", "PLUS", "MINUS")
"""Terminals that are shorter than their names."""
_WIDTH = 118


def ebnf(grammar: str) -> str:
    """The productions, one below the other, first those of the syntax, then the terminals."""
    rules = dict(_rules(grammar))
    words = {name: f'"{found[1]}"' for name, text in rules.items() if (found := _WORD.match(text))}
    words |= {name: text.replace('" "', '"') for name, text in rules.items() if name in _SIGNS}
    shown = {name: text for name, text in rules.items() if name not in (*words, "_list", "COMMENT")}
    width = max(len(_name(name)) for name in shown)
    return "".join(
        f"{_name(name):<{width}} ::= {_wrapped(_body(name, text, words), width)}\n" for name, text in shown.items()
    )


def _wrapped(body: str, width: int) -> str:
    """A long production over several lines, cut between its alternatives."""
    lines = textwrap.wrap(body.replace(" | ", "\0|\0").replace(" ", "\1").replace("\0", " "), _WIDTH - width - 6)
    indented = [line.removeprefix("| ") for line in lines]
    return f"\n{' ' * width}   | ".join(line.removesuffix(" |") for line in indented).replace("\1", " ")


def _rules(grammar: str) -> Iterator[tuple[str, str]]:
    """Each rule with its alternatives on one line."""
    name, text = "", ""
    for line in grammar.splitlines():
        if found := _RULE.match(line):
            if name:
                yield name, text
            name, text = found[1], _ALIAS.sub("", found[2])
        elif line.startswith("  "):
            text += " " + _ALIAS.sub("", line.strip())
    yield name, text


def _name(name: str) -> str:
    return name.strip("_")


def _body(name: str, text: str, words: Mapping[str, str]) -> str:
    if name in _PATTERNS:
        return _PATTERNS[name]
    parts = [_symbol(part, words) for part in _PART.findall(text)]
    line = " ".join(parts)
    for pattern, plain in ((r"\( ", "("), (r" \)", ")"), (r" ([?*+])(?= |\)|$)", r"\1"), (r"\((\w+)\)\?", r"\1?")):
        line = re.sub(pattern, plain, line)
    return line


def _symbol(part: str, words: Mapping[str, str]) -> str:
    """`[x]` is `(x)?`; a list is written out, its trailing comma too."""
    if part == "[":
        return "("
    if part == "]":
        return ") ?"
    if listed := _LISTS.fullmatch(part):
        return f'{listed[1]} ( "," {listed[1]} ) * "," ?'
    if part in words:
        return words[part]
    return part if part.startswith('"') else _name(part)
