"""Habits in values and everywhere: operators, literals, comments and line ends of JavaScript, Python and SQL."""

from __future__ import annotations

import re

from jetpackc.syntax.habits.model import (
    ANYWHERE,
    LONE,
    MACHINE,
    MORE,
    NAME,
    QUOTED,
    STATE,
    STATEMENT,
    TOP,
    VALUE,
    Groups,
    Habit,
    habit,
    quoted,
    string,
)

_COMMENT_HELP = "a comment begins with `//`, on each of its lines"


def _shell_comment(groups: Groups) -> str:
    return re.sub(r"(?m)^(\s*)(?:#+|--+)", r"\1//", groups["comment"])


def _block_comment(groups: Groups) -> str:
    lines = [re.sub(r"^\s*\*?\s*", "", line).rstrip() for line in groups["comment"].split("\n")]
    indent = groups["indent"]
    shown = f"\n{indent}".join(f"// {line}" for line in lines if line)
    return indent + shown + (f"\n{indent}" if groups["rest"].strip() else "")


COMMENTS: tuple[Habit, ...] = (
    habit(ANYWHERE, r"(?P<comment>#[^\n]*(?:\n[ \t]*#[^\n]*)*)", _shell_comment, _COMMENT_HELP, title="write `//`"),
    habit(
        ANYWHERE,
        r"(?P<comment>--(?!>)[^\n]*(?:\n[ \t]*--[^\n]*)*)",
        _shell_comment,
        _COMMENT_HELP,
        title="write `//`",
    ),
    habit(
        ANYWHERE,
        r"/\*\*?(?P<comment>(?:[^*]|\*(?!/))*)\*/(?=(?P<rest>[^\n]*))",
        _block_comment,
        _COMMENT_HELP,
        before=r"(?P<indent>[ \t]*)",
        title="write `//`",
    ),
)

_STRING_HELP = "strings stand in double quotes"

STRINGS: tuple[Habit, ...] = (
    habit(VALUE, r"'(?P<text>(?:\\.|[^'\\\n])*)'", lambda g: string(g["text"]), _STRING_HELP),
    habit(VALUE, r"`(?P<text>[^`\n$]*)`", lambda g: string(g["text"]), _STRING_HELP),
    habit(VALUE, r"[“”„](?P<text>[^“”\n]*)[“”]", lambda g: string(g["text"]), _STRING_HELP),
    habit(NAME, QUOTED, quoted, "a name stands without quotes"),
)

_LITERALS: tuple[Habit, ...] = (
    habit(
        frozenset(("_NULL_WORD",)), r"(?:None|nil|NULL|Null|undefined|none|nothing|NaN)\b", "null", "no value is `null`"
    ),
    habit(frozenset(("TRUE",)), r"(?:True|TRUE)\b", "true", "truth values are lower case"),
    habit(frozenset(("FALSE",)), r"(?:False|FALSE)\b", "false", "truth values are lower case"),
    habit(VALUE, r"\.(?P<digits>\d+)", "0.{digits}", "a number begins with a digit"),
)


def _upper(word: str, terminal: str) -> Habit:
    return habit(frozenset((terminal,)), rf"{word.upper()}\b", word, f"`{word}` is lower case")


_WORDS = tuple(
    _upper(word, terminal)
    for word, terminal in (
        ("and", "AND"),
        ("or", "OR"),
        ("not", "_NOT"),
        ("is", "_IS"),
        ("in", "_IN"),
        ("as", "_AS"),
        ("when", "_WHEN"),
        ("else", "_ELSE"),
        ("set", "_SET"),
        ("true", "TRUE"),
        ("false", "FALSE"),
    )
)

_BOUND = r"-?[\w.]+"

_SIGNS: tuple[Habit, ...] = (
    habit(VALUE, r"=", "==", "`==` compares", before="=="),
    habit(VALUE, r"=", "!=", "`!=` compares", before="!="),
    habit(VALUE, r">", "!=", "`!=` compares", before="<"),
    habit(VALUE, r"=(?!=)", "{head}=", "`set` takes one `=`", before=r"(?P<head>\bset\s+\w+\s*)="),
    habit(VALUE, r"!\s*(?=[\w(])", "not ", "`not` is a word"),
    habit(
        MORE | {LONE},
        rf"(?i:between)\s+(?P<low>{_BOUND})\s+(?i:and)\s+(?P<high>{_BOUND})(?![\w.(])",
        "{name} >= {low} and {name} <= {high}",
        "two comparisons say what lies between",
        before=r"(?P<name>\b[a-z]\w*(?:\.\w+)?)\s+",
    ),
    habit(MORE | {LONE}, r"mod\b(?=\s*[\w(])", "%", "`%` is the rest of a division"),
    habit(MORE, r"=<", "<=", "`<=` compares"),
    habit(MORE, r"=>(?=\s*\d)", ">=", "`>=` compares", safe=False),
    habit(MORE, r"≤", "<="),
    habit(MORE, r"≥", ">="),
    habit(MORE, r"≠", "!="),
    habit(MORE, r"=(?![=>])", "{head}:", "an argument is `name: value`", before=r"(?P<head>[(,]\s*[a-z]\w*)\s*"),
    habit(MORE, r"=(?![=>])", "==", "`==` compares, `=` sets"),
    habit(MORE, r"\|\|(?=\s*[\"'])", "++", "`++` joins text"),
    habit(MORE, r"\|\|", "++", "`++` joins text", before=r"(?<=[\"'] )|(?<=[\"'])"),
    habit(MORE, r"&&", "and", "`and` is a word"),
    habit(MORE, r"\|\|", "or", "`or` is a word"),
    habit(
        ANYWHERE,
        r"(?=[\w\"])(?!null\b|not\b)",
        "{head}!= ",
        "`!=` compares; `is` goes with `null` alone",
        before=r"(?P<head>\s)is\s+not\s+",
        title="write `!=`",
    ),
    habit(
        ANYWHERE,
        r"(?=[\w\"])(?!null\b|not\b)",
        "{head}== ",
        "`==` compares; `is` goes with `null` alone",
        before=r"(?P<head>\s)is\s+",
        title="write `==`",
    ),
    habit(
        ANYWHERE,
        r"not\s+in\b",
        "not {operand} in",
        "`not` stands before what it denies",
        before=r"(?P<operand>[a-z][\w.]*)\s+",
    ),
)

ENDS: tuple[Habit, ...] = (
    habit(ANYWHERE, r";+", "", "a line end needs no `;`", title="take `;` away"),
    habit(TOP | MACHINE | STATE | STATEMENT, r",", "", "a line end needs no `,`", title="take `,` away"),
)

EXPRESSIONS = (*_LITERALS, *_WORDS, *_SIGNS)
