"""Habits in `test` blocks: of test frameworks, and of this language's own expressions."""

from __future__ import annotations

from jetpackc.syntax.habits.model import LITERAL, Habit, habit

_TEST = frozenset(("_EXPECT",))
_ENDING = frozenset(("_RETURNS",))
_STUB_HELP = '`stub WORK returns (…)` or `raises "…"` says how a handler ends'

TESTS: tuple[Habit, ...] = (
    habit(
        _TEST,
        r"(?:and|&&)[ \t]+",
        lambda groups: f"{groups['head']}\n  expect ",
        "`expect state s` stands alone; what else must hold is an `expect` of its own",
        before=r"(?P<head>\bexpect[ \t]+(?:[a-z]\w*[ \t]+)?state[ \t]+[\w.]+)[ \t]+",
        title="write two `expect`s",
    ),
    habit(_TEST, r"(?:assert|require|verify|should|then)\b", "expect", "`expect` says what must hold"),
    habit(_TEST, r"(?:wait|sleep|after|tick)\b(?:[ \t]+for\b)?", "advance", "`advance` lets time go by"),
    habit(_TEST, r"(?:mock|fake)\b", "stub", _STUB_HELP),
    habit(_TEST, r"(?:spawn|start|new|given)\b", "create", "`create` makes a task"),
    habit(_TEST, r"(?:child|subtask|descendant|spawns)\b", "spawned", "`spawned` names a task of a tree"),
    habit(_TEST, r"(?:emit|dispatch|post|raise)\b", "send", "`send` sends an event to a task"),
    habit(
        _ENDING,
        rf"(?:return|answers|gives|=>)[ \t]*{LITERAL}",
        lambda groups: f"returns ({groups['literal']})",
        _STUB_HELP,
    ),
    habit(_ENDING, r"(?:return|answers|gives|=>)(?!\w)", "returns", _STUB_HELP),
    habit(_ENDING, r"(?:raise|throws|throw|fails|errors)\b", "raises", _STUB_HELP),
    habit(_ENDING, r"(?:crashes|crash|die|expires|vanishes)\b", "dies", "`stub WORK dies`: its worker is gone"),
)
