"""What a habit of another language is: where it turns up, how it is recognised, and what it is here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from jetpackc.records import dataclass

Groups = Mapping[str, str]
Text = str | Callable[[Groups], str]

ANYWHERE = frozenset[str]()
TOP = frozenset(("_MACHINE",))
MACHINE = frozenset(("_VAR",))
STATE = frozenset(("_ENTER",))
STATEMENT = frozenset(("_SET",))
CLAUSE = frozenset(("REENTER",))
VALUE = frozenset(("STRING", "_NULL_WORD"))
MORE = frozenset(("COMPARE",))
NAME = frozenset(("NAME",))
LONE = "LONE"
"""No terminal: a name stands where only an operator's may, and is not called."""
TYPE = "TYPE"
"""No terminal: nothing but a name may stand there, such as a type's."""

QUOTED = r"""(?:"(?P<q>[A-Za-z_]\w*)"|'(?P<q1>[A-Za-z_]\w*)'|`(?P<q2>[A-Za-z_]\w*)`)"""
"""A name in quotes, for `quoted`."""

LITERAL = r"""(?P<literal>-?\d+\.\d+|-?\d+|"[^"\n]*"|'[^'\n]*'|true|false|True|False)"""


def quoted(groups: Groups) -> str:
    """The name in `QUOTED`, in lower case."""
    return snake(groups.get("q") or groups.get("q1") or groups.get("q2") or "")


def snake(name: str) -> str:
    """`someState` as `some_state`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def string(text: str) -> str:
    """A literal of text, from what stands between other quotes."""
    return '"' + re.sub(r"\\(['`])", r"\1", text).replace('"', '\\"') + '"'


def type_of(literal: str) -> str:
    """The type that a literal of another language most likely means."""
    if literal in ("true", "false", "True", "False"):
        return "bool"
    if literal[0] in "\"'":
        return "text"
    return "numeric" if "." in literal else "int"


@dataclass(frozen=True, slots=True)
class Habit:
    """One row. `where` are terminals of which one must be possible at the mistake, none: always. `at` is matched there,
    `before` has to end there and belongs to it. `becomes` is what to write, with the groups of both."""

    where: frozenset[str]
    at: re.Pattern[str]
    becomes: Text
    help: str = ""
    before: re.Pattern[str] | None = None
    title: str = ""
    safe: bool = True


def habit(
    where: frozenset[str] | str,
    at: str,
    becomes: Text,
    help: str = "",
    *,
    before: str = "",
    title: str = "",
    safe: bool = True,
) -> Habit:
    """A row, with its patterns as text."""
    places = frozenset((where,)) if isinstance(where, str) else where
    behind = re.compile(rf"(?:{before})\Z") if before else None
    return Habit(places, re.compile(at), becomes, help, behind, title, safe)
