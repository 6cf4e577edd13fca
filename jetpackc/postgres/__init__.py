"""Postgres servers of our own, for `dev` and for tests. A shell: it runs programs and touches files."""

from jetpackc.postgres.binaries import find_binaries
from jetpackc.postgres.errors import PostgresError
from jetpackc.postgres.project import has_database, project_database
from jetpackc.postgres.server import Server

__all__ = ["PostgresError", "Server", "find_binaries", "has_database", "project_database"]
