"""Habits of other languages, as tables: what is written there, and what it is here."""

from __future__ import annotations

from collections.abc import Iterator

from jetpackc.syntax.habits.clauses import CLAUSES
from jetpackc.syntax.habits.declarations import DECLARATIONS
from jetpackc.syntax.habits.expressions import COMMENTS, ENDS, EXPRESSIONS, STRINGS
from jetpackc.syntax.habits.model import Habit
from jetpackc.syntax.habits.objects import OBJECTS, Edit
from jetpackc.syntax.habits.tests import TESTS

__all__ = ["HABITS", "Edit", "known"]

HABITS: tuple[Habit, ...] = (*COMMENTS, *TESTS, *CLAUSES, *DECLARATIONS, *EXPRESSIONS, *STRINGS, *ENDS)
"""In the order of trial: what is longer before what it begins with."""

_LOOK_BACK = 200
_SHORT = 40


def known(text: str, offset: int, expected: frozenset[str]) -> Edit | None:
    """What to write for what stands at an offset where only `expected` may; None where it is no habit that is known."""
    return next(_found(text, offset, expected), None)


def _found(text: str, offset: int, expected: frozenset[str]) -> Iterator[Edit]:
    for where, find in OBJECTS:
        edit = find(text, offset) if where & expected else None
        if edit:
            yield edit
    for habit in HABITS:
        edit = _match(habit, text, offset) if not habit.where or habit.where & expected else None
        if edit:
            yield edit


def _match(habit: Habit, text: str, offset: int) -> Edit | None:
    at = habit.at.match(text, offset)
    if at is None:
        return None
    groups = {name: value or "" for name, value in at.groupdict().items()}
    start = offset
    if habit.before:
        before = habit.before.search(text, max(offset - _LOOK_BACK, 0), offset)
        if before is None:
            return None
        start = before.start()
        groups |= {name: value or "" for name, value in before.groupdict().items()}
    becomes = habit.becomes.format(**groups) if isinstance(habit.becomes, str) else habit.becomes(groups)
    start, becomes = _trimmed(text, start, at.end(), becomes)
    shown = becomes.strip()
    is_short = shown and len(shown) <= _SHORT and "\n" not in shown
    label = f"did you mean `{shown}`?" if is_short else "not needed here"
    if is_short and start == at.end():
        label = f"`{shown}` is missing before it"
    title = habit.title or (f"write `{shown}`" if is_short else "write it as it is written here")
    return Edit(start, at.end(), becomes, habit.help, title, habit.safe, label)


def _trimmed(text: str, start: int, end: int, becomes: str) -> tuple[int, str]:
    """Without the white space that stays as it is."""
    while start < end and becomes and text[start] == becomes[0] and text[start].isspace():
        start, becomes = start + 1, becomes[1:]
    return start, becomes
