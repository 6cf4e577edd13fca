"""Renders the templates. A value that is not SQL already is refused, so nothing unquoted can get out."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from jetpackc.emit.sql import Sql, ident, literal, wrap_list

if TYPE_CHECKING:
    from jinja2 import Environment, Template


_BLANK_LINES = re.compile(r"\n{3,}")
_THOUGHT = re.compile(r"(end(?: if| loop)?;)\n([ \t]*--)")


class UnquotedValueError(TypeError):
    """A template printed a value that nobody quoted: an error of ours, never of the user's program."""


def render(template: str, **values: object) -> Sql:
    """The text of `templates/<template>.sql.jinja`, without white space at its ends."""
    return Sql(_tidy(_template(template).render(values)))


@cache
def _template(name: str) -> Template:
    return _environment().get_template(f"{name}.sql.jinja")


def _tidy(text: str) -> str:
    """No white space at line ends, and a blank line before a comment that begins a new thought."""
    text = "\n".join(map(str.rstrip, text.strip().split("\n")))
    if "\n\n\n" in text:  # ten times as fast as the pattern where there are none, and there are few
        text = _BLANK_LINES.sub("\n\n", text)
    return _THOUGHT.sub(r"\1\n\n\2", text)


def _finalize(value: object) -> object:
    if isinstance(value, Sql) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise UnquotedValueError(f"a template prints {value!r}, which is not SQL")


@cache
def _environment() -> Environment:
    # `--help` must not pay for these
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    from jetpackc.emit.compiled import Compiled  # noqa: PLC0415

    environment = Environment(
        bytecode_cache=Compiled(),
        loader=PackageLoader("jetpackc.templates", ""),
        line_statement_prefix="--%",
        undefined=StrictUndefined,
        finalize=_finalize,
        keep_trailing_newline=False,
        auto_reload=False,
        autoescape=False,  # noqa: S701 - SQL, not HTML; `finalize` is the guard
    )
    environment.globals.clear()  # no template calls them, and each time that one is rendered they would be copied
    environment.filters.update(ident=ident, literal=literal, joined=_joined, wrapped=_wrapped, lines=_lines)
    return environment


def _joined(values: list[Sql]) -> Sql:
    return Sql(", ".join(values))


def _wrapped(values: list[str], depth: int) -> Sql:
    """A list over as many lines as it needs, those behind the first set in by `depth` levels."""
    return Sql(("\n" + "  " * depth).join(wrap_list(values)))


def _lines(values: list[str], depth: int) -> Sql:
    """Ready lines of PL/pgSQL, set in by `depth` levels; the first stands where the template put it."""
    return Sql(("\n" + "  " * depth).join(values))
