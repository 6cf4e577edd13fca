"""What Postgres refuses, by SQLSTATE: what was being done is undone."""

from __future__ import annotations


class UndoneError(Exception):
    """The dispatch, or the whole call, has not happened. `sqlstate` is what Postgres would say."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


DIVISION_BY_ZERO = "22012"
OUT_OF_RANGE = "22003"
MOMENT_OUT_OF_RANGE = "22008"
BAD_TEXT = "22P02"
BAD_MOMENT = "22007"
BAD_CALL = "22023"
CHECK = "23514"
CONFLICT = "23505"
FAIL = "P0001"
NO_TASK = "P0002"
NO_VALUE = "23502"
TOO_MANY_HOPS = "54001"
