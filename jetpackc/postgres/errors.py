"""What can go wrong with a server of our own."""

from __future__ import annotations


class PostgresError(Exception):
    """A Postgres server could not be found, made or started. The message says why, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help
