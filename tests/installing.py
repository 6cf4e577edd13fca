"""A program's machines, compiled and put into a database."""

from __future__ import annotations

from functools import cache

import psycopg

from jetpackc.check import compile_sources
from jetpackc.diagnostics.render import FORMATS
from jetpackc.emit import emit
from jetpackc.source import Source


@cache
def compile_to_sql(text: str) -> str:
    """All SQL of a program, as one script. Fails with the compiler's words where it does not compile."""
    source = Source("workflows.jet", text)
    result = compile_sources([source])
    assert result.program is not None, FORMATS["text"](result.diagnostics, {source.path: source})
    return "\n\n".join(found.create for found in emit(result.program) if not found.within)


def install(dsn: str, sql: str) -> None:
    """Put a program's machines into a database, in one transaction."""
    with psycopg.connect(dsn) as connection:
        connection.execute(sql.encode())
