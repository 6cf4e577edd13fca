# ruff: noqa: N818 -- named for what happened, as the tree reads
"""Everything that this package raises.

    JetpackError
    +-- DatabaseError            the database cannot be used
    |   +-- DatabaseUnreachable  no connection, or one that broke
    |   +-- NotMigrated          the schema `jet` is not there
    |   +-- NewerDatabase        written by a newer compiler than this runtime knows
    +-- HandlerError             a handler is missing, or bound to what does not exist
    +-- UnknownMachine           no machine of that name in the database
    +-- TaskNotFound             no task with that id
    +-- BadValue                 an unknown event or field, or a value that does not fit
    +-- UniqueConflict           a live task has these values already
    +-- Refused                  the database refuses this write, or its role may not do it
    +-- TransitionFailed         `fail`, the hop limit: the whole dispatch is undone
    +-- TaskStuck                a task that was waited for cannot go on by itself
    +-- WaitTimeout              it did not end in time (also a TimeoutError)

`hint` says what to do about it, where there is something to say.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import psycopg


class JetpackError(Exception):
    """Base of all. `sqlstate` is Postgres's code where the database raised it."""

    def __init__(self, message: str, hint: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.sqlstate = sqlstate
        if hint:
            self.add_note(f"hint: {hint}")


class DatabaseError(JetpackError):
    """The database cannot be used."""


class DatabaseUnreachable(DatabaseError):
    """No connection could be made, or it broke."""


class NotMigrated(DatabaseError):
    """No compiled module was ever applied to this database."""


class NewerDatabase(DatabaseError):
    """A newer compiler wrote this database: install a newer runtime."""


class HandlerError(JetpackError):
    """A handler cannot be found, or is bound to a machine or state that does not exist."""


class UnknownMachine(JetpackError):
    """The database has no machine of that name."""


class TaskNotFound(JetpackError):
    """The database has no task with that id."""


class BadValue(JetpackError):
    """An unknown event or field, a missing one, or a value of the wrong type."""


class UniqueConflict(JetpackError):
    """A live task holds these values already."""


class Refused(JetpackError):
    """An illegal write, or one that this role may not do."""


class TransitionFailed(JetpackError):
    """The transition raised; nothing of it remains."""


class TaskStuck(JetpackError):
    """The task is set aside until somebody retries it."""


class WaitTimeout(JetpackError, TimeoutError):
    """The task did not reach a final state in time."""


_BY_SQLSTATE: dict[str, type[JetpackError]] = {
    "P0002": TaskNotFound,
    "22023": BadValue,
    "22P02": BadValue,
    "22003": BadValue,
    "23502": BadValue,
    "23505": UniqueConflict,
    "42501": Refused,
    "P0001": TransitionFailed,
    "54001": TransitionFailed,
}


def translate(error: psycopg.Error) -> JetpackError | None:
    """The exception of ours that an error of the database stands for; none where it is not of the contract."""
    kind = _BY_SQLSTATE.get(error.sqlstate or "")
    if kind is None:
        return None
    diagnostic = error.diag
    return kind(diagnostic.message_primary or str(error), diagnostic.message_hint, error.sqlstate)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint for a name that is not among those known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    if not names:
        return None
    listed = ", ".join(f"`{one}`" for one in names[:8])
    return f"there is {listed}{', ...' if len(names) > 8 else ''}"
