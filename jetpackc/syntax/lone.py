"""A name that stands where only an operator's may, and is not called: most often a target, or a word of another
language for what is written differently here.
"""

from __future__ import annotations

import re

from jetpackc.diagnostics.model import Diagnostic, Fix
from jetpackc.diagnostics.rules import syntax as rules
from jetpackc.diagnostics.suggest import CONFUSED
from jetpackc.source import Source

_ARROW_HELP = "`->` leads to a state; an operator is called with `(`"
_MESSAGE = "`send parent | root | siblings | children | subtree EVENT(…)` is a message, and `send x EVENT(…)` one by id"
_TIME = "`after 1h -> s` is a timer of a state, and `-> s in 1h` lets workers wait"
_LOOP = "there is no loop: `spawn m(…) for x in xs` makes a task each, and a state may be entered again"
_PARTS = '`contains(x, "…")`, `starts_with` and `ends_with` look into a text'
_HELPS = {
    "return": "a final state may: `final state done { return … }`",
    **dict.fromkeys(("emit", "dispatch", "post", "publish", "notify", "signal", "trigger"), _MESSAGE),
    **dict.fromkeys(("sleep", "wait", "delay", "pause"), _TIME),
    **dict.fromkeys(("while", "loop", "repeat", "until", "foreach"), _LOOP),
    **dict.fromkeys(("like", "ilike", "matches"), _PARTS),
    "await": "SUBTREE_FLUSHED comes when nothing below is unfinished, CHILD_DONE for each child that has ended",
    **dict.fromkeys(("decrement", "decrease", "add", "subtract"), "`set x = x - 1`"),
    "by": "`increment x` adds one; more with `set x = x + 2`",
}
"""What stands here for words that no other word replaces."""
_ENDS = re.compile(r"\s*(?:\}|//|\n|\Z|in\b|on\b|when\b)")
_NUMBER = re.compile(r"\b(\d+)[ \t]+\Z")
_UNITS = {
    **dict.fromkeys(("ms", "millis", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
_LOOK_BACK = 24


def lone(word: str, start: int, source: Source) -> Diagnostic:
    """The diagnostic for it."""
    span = source.span(start, start + len(word))
    number = _NUMBER.search(source.text, max(start - _LOOK_BACK, 0), start)
    if number and word in _UNITS:
        return _mended(
            f"{number[1]}{_UNITS[word]}", number.start(), start + len(word), source, "a duration is one word"
        )
    if word in ("create", "new", "start", "launch") and not _ENDS.match(source.text, span.end):
        return _mended("spawn", start, span.end, source, "`spawn` makes a task")
    is_last = word != "return" and _ENDS.match(source.text, span.end) is not None
    if word in _HELPS and not is_last:
        label = "a block returns nothing" if word == "return" else "no statement"
        return Diagnostic(rules.SYNTAX_ERROR, f"unexpected `{word}`", span, label, help=_HELPS[word])
    known = CONFUSED.get(word)
    mended = known if known in ("->", "when") else f"-> {word}"
    return _mended(mended, start, span.end, source, "" if mended == "when" else _ARROW_HELP)


def _mended(text: str, start: int, end: int, source: Source, help: str) -> Diagnostic:
    span = source.span(start, end)
    message, label = f"unexpected `{source.text[start:end]}`", f"did you mean `{text}`?"
    return Diagnostic(rules.SYNTAX_ERROR, message, span, label, help=help, fixes=(Fix(f"write `{text}`", span, text),))
