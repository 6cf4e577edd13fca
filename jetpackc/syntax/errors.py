"""Syntax errors in the user's terms: what was found, what could stand there, what was likely meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lark import TextSlice, UnexpectedInput, UnexpectedToken

from jetpackc.diagnostics.model import Diagnostic, Fix, Rule
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.diagnostics.suggest import CONFUSED, did_you_mean
from jetpackc.source import Source, Span
from jetpackc.syntax.grammar import parser
from jetpackc.syntax.habits import Edit, known
from jetpackc.syntax.habits.model import LONE, TYPE
from jetpackc.syntax.lone import lone
from jetpackc.syntax.scan import KEYWORDS, tokens

RESERVED = frozenset(
    (
        *("and", "or", "not", "null", "true", "false", "in", "is", "as", "when", "else"),
        *("set", "increment", "spawn", "send", "fail", "for"),
    )
)
"""The words that are no names anywhere."""

_WORD = re.compile(r"[^\W\d]\w*|[0-9](?:\w|\.(?!\.))*|=>|&&|\|\||===|!==|<>|->|\.\.|[^\sA-Za-z0-9_]")
_STRING = re.compile(r'"(?:\\[^\n]|[^"\\\n])*"')
_LONE_NAME = re.compile(r"(?<![a-z0-9_])(?<!spawn )(?<!root )(?<!operator )(?!unique\b|in\b)([a-z][a-z0-9_]*)\s*\Z")
_LOOK_BACK = 200
_SHORT = 40
_NO_PART = "$@#'`~^\\;"
_SHOWN = {
    "NAME": "a name",
    "EVENT": "an event in upper case",
    "STRING": "a string",
    "INT": "a whole number",
    "NUMBER": "a number",
    "DURATION": "a duration",
    "MEMBER": "a name",
    "CODE": "a code such as `J301`",
    "COMPARE": "a comparison",
    "CONCAT": "`++`",
    "COALESCE": "`??`",
    "PLUS": "`+`",
    "MINUS": "`-`",
    "PRODUCT": "`*`",
    "ARRAY": "`[]`",
    "OPTIONAL": "`?`",
    "VERDICT": "`return` or `error`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "DOT": "`.`",
    "_EVENT_WORD": "`event`",
    "_NULL_WORD": "`null`",
    "_STATE_IS": "`state`",
    "_ERROR_WITH": "`error`",
    "$END": "the end of the file",
}
_OPERATORS = frozenset(
    ("COMPARE", "CONCAT", "COALESCE", "PLUS", "MINUS", "PRODUCT", "AND", "OR", "_IN", "_IS", "_AS", "DOT", "LSQB")
)
_ARROW = "`->`"
_UNITS = {
    name: unit
    for unit, names in {
        "ms": "msec msecs millis millisecond milliseconds",
        "s": "sec secs second seconds",
        "m": "min mins minute minutes",
        "h": "hr hrs hour hours",
        "d": "day days",
    }.items()
    for name in names.split()
}
_DIGITS = "a number is made of digits, with a point if wanted"
_CHARACTER_HELP = {
    "'": "strings stand in double quotes",
    "`": "strings stand in double quotes",
    ";": "a line end needs no `;`",
}


def refusal(text: str, start: int, end: int) -> UnexpectedInput:
    """Why a part of a text does not parse. Places are those in the whole text."""
    try:
        parser().parse(TextSlice(text, start, end))
    except UnexpectedInput as error:
        return error
    raise AssertionError("lark parses what the driver does not")


def place(error: UnexpectedInput) -> int | None:
    """The offset of what does not fit; None for the end of the text."""
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    return None if at_end else error.pos_in_stream


def describe(error: UnexpectedInput, source: Source, offset: int) -> Diagnostic:
    """The diagnostic for what lark could not take at `offset`."""
    accepts = _accepts(error)
    alone = (
        _LONE_NAME.search(source.text, max(offset - _LOOK_BACK, 0), offset)
        if "LPAR" in accepts and accepts <= {"LPAR", "DOT"}
        else None
    )
    places = frozenset((LONE,)) if alone else accepts | {TYPE} if accepts == {"NAME"} else accepts
    start = alone.start(1) if alone else offset
    edit = known(source.text, start, places) or (known(source.text, offset, accepts) if alone else None)
    if edit:
        return _habit(edit, source, offset)
    if alone:
        return lone(alone[1], alone.start(1), source)
    expected = _shown(accepts)
    if source.text.startswith("->", offset - 1) and not source.text.startswith("-->", offset - 2):
        offset -= 1  # where a value may stand, lark takes the first half of an arrow for a minus
    found = _WORD.match(source.text, offset)
    if found is None:
        span = source.span(min(offset, len(source.text)), min(offset + 1, len(source.text)))
        return _unexpected("the end of the file", span, expected)
    word, span = found[0], source.span(found.start(), found.end())
    if word == '"':
        whole = _STRING.match(source.text, offset)
        return _unwanted_string(whole[0], offset, source, expected) if whole else _open_string(source, span)
    return _special(word, span, expected) or _unexpected(f"`{word}`", span, expected, word)


def _habit(edit: Edit, source: Source, offset: int) -> Diagnostic:
    """What is written as another language writes it."""
    text = source.text
    start = edit.start + len(text[edit.start : edit.end]) - len(text[edit.start : edit.end].lstrip())
    word = _WORD.match(text, offset)
    shown = text[start : edit.end].partition("\n")[0].rstrip() or (word[0] if word else text[offset : offset + 1])
    if len(shown) > _SHORT:
        shown = shown.split()[0]
    fix = Fix(edit.title, source.span(edit.start, edit.end), edit.text, safe=edit.safe)
    span = source.span(start, start + len(shown))
    return Diagnostic(_rule(shown, edit), f"unexpected `{shown}`", span, edit.label, help=edit.help, fixes=(fix,))


def _rule(shown: str, edit: Edit) -> Rule:
    if shown.isidentifier() and edit.text == shown.lower():
        return rules.WRONG_CASE
    return rules.BAD_CHARACTER if shown[0] in _NO_PART or not shown[0].isascii() else rules.SYNTAX_ERROR


def incomplete(error: UnexpectedInput, source: Source, start: int, end: int) -> Diagnostic:
    """The diagnostic for a block that ends where lark wanted more."""
    expected = _shown(_accepts(error))
    words = [(start + offset, word) for offset, word in tokens(source.text[start:end])]
    last, word = words[-1]
    message = f"this `{words[0][1]}` is not complete"
    span = source.span(last, last + len(word))
    return Diagnostic(rules.SYNTAX_ERROR, message, span, "something is missing behind it", help=_listing(expected))


def _accepts(error: UnexpectedInput) -> frozenset[str]:
    """The terminals that may stand there."""
    parser: Any = error.interactive_parser
    return frozenset(parser.accepts())


def _shown(accepts: Iterable[str]) -> list[str]:
    shown = {_show(name) for name in accepts if name not in _OPERATORS}
    if "a number" in shown:
        shown.discard("a whole number")
    return sorted(one for one in shown if one)


def _show(name: str) -> str:
    if name.startswith("__"):
        return _ARROW if "ANON" in name else ""
    return _SHOWN.get(name) or f"`{name.strip('_').lower()}`"


def _open_string(source: Source, span: Span) -> Diagnostic:
    """A quote that has no second on its line."""
    rest = source.line(span.line)[span.column :].rstrip()
    message, help = "this string does not end on its line", "`\\n` in a string is a line break"
    place = source.span(span.end + len(rest), span.end + len(rest))
    fixes = (Fix('close it with `"`', place, '"'),) if not rest.endswith("\\") else ()
    return Diagnostic(rules.UNTERMINATED_STRING, message, span, "begins here", help=help, fixes=fixes)


def _unwanted_string(text: str, offset: int, source: Source, expected: list[str]) -> Diagnostic:
    """A string where none may stand: a number or a duration, where one may, needs no quotes."""
    span, plain = source.span(offset, offset + len(text)), text[1:-1]
    shapes = {"a number": r"\d+(?:\.\d+)?", "a whole number": r"\d+", "a duration": r"(?:\d+(?:ms|s|m|h|d))+"}
    if not any(re.fullmatch(shapes[one], plain) for one in expected if one in shapes):
        return _unexpected(f"`{text}`" if len(text) <= _SHORT else "string", span, expected)
    fix = Fix(f"write `{plain}`", span, plain, safe=True)
    help = "numbers and durations stand without quotes"
    label = f"did you mean `{plain}`?"
    return Diagnostic(rules.SYNTAX_ERROR, f"unexpected `{text}`", span, label, help=help, fixes=(fix,))


def _special(word: str, span: Span, expected: list[str]) -> Diagnostic | None:
    """Mistakes that have a name of their own."""
    if word[0].isalpha() and not word.isascii():
        return _foreign_letter(word, span)
    if word[0] in "0123456789":
        return _bad_number(word, span)
    if word in RESERVED and "a name" in expected:
        message = f"`{word}` is a reserved word, and a name is needed here"
        return Diagnostic(rules.RESERVED_WORD, message, span, "reserved", help="choose another name")
    if word == "?" and "`->`" in expected:
        help = "choose with `when a { … } else { … }`; `a ?? b` is b where a is null"
        return Diagnostic(rules.SYNTAX_ERROR, "unexpected `?`", span, "chooses no value", help=help)
    if word in KEYWORDS and "`var`" in expected:
        message = f"unexpected `{word}`"
        help = f"end the machine with `}}` above it: `{word}` stands beside machines"
        return Diagnostic(rules.SYNTAX_ERROR, message, span, "not in a machine", help=help)
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", word):
        return _wrong_case(word, span, expected)
    if not word.isascii() or (word in "$@#'`~^\\;&|" and word not in CONFUSED):
        message = (
            f"`{word}` is no part of the language"
            if word.isprintable()
            else "a character that is no part of the language"
        )
        return Diagnostic(rules.BAD_CHARACTER, message, span, "means nothing here", help=_CHARACTER_HELP.get(word, ""))
    return None


def _foreign_letter(word: str, span: Span) -> Diagnostic:
    at = next(index for index, char in enumerate(word) if not char.isascii())
    place = Span(span.path, span.start + at, span.start + at + 1, span.line, span.column + at)
    message = f"`{word[at]}` cannot stand in a name"
    return Diagnostic(
        rules.BAD_CHARACTER, message, place, "write a-z, 0-9 or _", help="in strings any letter may stand"
    )


def _bad_number(word: str, span: Span) -> Diagnostic | None:
    if re.fullmatch(r"\d+(\.\d+)?", word) or re.fullmatch(r"(?:\d+(?:ms|s|m|h|d))+", word):
        return None
    if re.fullmatch(r"[\d._]*", word):
        mended = word.replace("_", "") + ("0" if word.endswith(".") else "")
        is_number = re.fullmatch(r"\d+(\.\d+)?", mended)
        fixes = (Fix(f"write `{mended}`", span, mended, safe=True),) if is_number else ()
        label = f"write `{mended}`" if is_number else "write `12` or `12.5`"
        return Diagnostic(rules.BAD_NUMBER, f"`{word}` is no number", span, label, fixes=fixes)
    if re.fullmatch(r"0[xX][0-9A-Fa-f]+", word):
        fix = Fix(f"write `{int(word, 16)}`", span, str(int(word, 16)), safe=True)
        label = f"write `{int(word, 16)}`"
        return Diagnostic(rules.BAD_NUMBER, f"`{word}` is no number", span, label, help=_DIGITS, fixes=(fix,))
    if re.fullmatch(r"\d+(?:\.\d+)?[eE]\d+", word):
        return Diagnostic(rules.BAD_NUMBER, f"`{word}` is no number", span, "write it out", help=_DIGITS)
    if re.fullmatch(r"(?:\d+[A-Za-z]+)+", word):
        help = "a duration is made of `ms`, `s`, `m`, `h` and `d`, as in `1h30m`"
        mended = re.sub(r"[A-Za-z]+", lambda unit: _UNITS.get(unit[0].lower(), unit[0]), word)
        is_known = re.fullmatch(r"(?:\d+(?:ms|s|m|h|d))+", mended)
        fixes = (Fix(f"write `{mended}`", span, mended, safe=True),) if is_known else ()
        return Diagnostic(rules.BAD_DURATION, f"`{word}` is no duration", span, "no such unit", help=help, fixes=fixes)
    return Diagnostic(rules.BAD_NUMBER, f"`{word}` is no number", span, "a name does not begin with a digit")


def _wrong_case(word: str, span: Span, expected: list[str]) -> Diagnostic | None:
    if "an event in upper case" in expected and "a name" not in expected and word not in RESERVED:
        upper = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).upper()
        return _case("an event is written in upper case", span, upper)
    if "a name" in expected and word != word.lower() and word.lower() not in CONFUSED:
        lower = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
        return _case("a name is written in lower case", span, lower)
    return None


def _case(message: str, span: Span, mended: str) -> Diagnostic:
    fix = Fix(f"write `{mended}`", span, mended, safe=True)
    return Diagnostic(rules.WRONG_CASE, message, span, f"write `{mended}`", fixes=(fix,))


def _unexpected(what: str, span: Span, expected: list[str], word: str = "") -> Diagnostic:
    candidates = [one.strip("`") for one in expected if one.startswith("`")]
    meant = did_you_mean(word, candidates) if word else None
    known = CONFUSED.get(word.lower()) if word else None
    label = f"did you mean `{meant}`?" if meant else "not expected here"
    help = f"this language writes `{known}`" if known and known != meant else "" if meant else _listing(expected)
    is_sure = meant is not None and (known == meant or word.lower() == meant)
    fixes = (Fix(f"write `{meant}`", span, meant, safe=is_sure),) if meant else ()
    return Diagnostic(rules.SYNTAX_ERROR, f"unexpected {what}", span, label, help=help, fixes=fixes)


def _listing(expected: list[str]) -> str:
    if not expected:
        return ""
    if len(expected) == 1:
        return f"expected {expected[0]}"
    return f"expected one of {', '.join(expected[:-1])} or {expected[-1]}"
