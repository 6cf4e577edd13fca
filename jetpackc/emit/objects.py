"""What the emitter produces: SQL objects, which the differ compares and the planner puts into migrations."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "support",
    "schema",
    "domain",
    "table",
    "column",
    "constraint",
    "index",
    "function",
    "trigger",
    "view",
    "comment",
    "data",
]
_STRING_OR_COMMENT = re.compile(r"('[^']*')|--[^\n]*")
"""What looks like white space or a comment inside a string is neither."""
_LINE = re.compile(r" line \d+(?=', errcode = '54001')")
"""The place that the error of the hop limit names."""


@dataclass(frozen=True, slots=True)
class SqlObject:
    """One object of the database.

    `create` makes it and, for functions, views and comments, also replaces an older version of itself as long as
    `signature` is the same; any other change is `drop` of the old and `create` of the new. A `column` or `constraint`
    stands inside its table's `create` too: `within` names that table, and it is created by itself only where the table
    exists already. `identity` is what the fingerprint is taken of, when that is not `create` (a table's is its
    built-in columns alone, so that a column more is no other table).
    """

    kind: Kind
    name: str
    create: str
    drop: str = ""
    signature: str = ""
    within: str = ""
    identity: str = ""
    fingerprint: str = field(init=False, compare=False, repr=False)
    """Equal for texts that differ only in comments, white space and places, so that moved lines change nothing."""

    def __post_init__(self) -> None:
        text = self.identity or self.create
        if "'54001'" in text:
            text = _LINE.sub("", text)
        object.__setattr__(self, "fingerprint", hashlib.sha256(_bare(text).encode()).hexdigest()[:16])

    @property
    def key(self) -> str:
        """What it is found by: kind and name."""
        return f"{self.kind} {self.name}"

    @property
    def replaceable(self) -> bool:
        """Whether `create` replaces an older version of the same signature."""
        return self.kind in ("support", "function", "view", "comment", "data") or not self.drop


def _bare(text: str) -> str:
    """The text without comments, each stretch of white space outside of strings as one blank or, beside a string, none.
    No string of ours goes over a line end."""
    lines = [_uncommented(line) if "--" in line else line for line in map(str.strip, text.split("\n"))]
    parts = " ".join(filter(None, lines)).split("'")
    parts[::2] = [f" {_single_blanks(code)} " for code in parts[::2]]
    return "'".join(parts)[1:-1]


def _uncommented(line: str) -> str:
    if line.startswith("--"):
        return ""
    return (_STRING_OR_COMMENT.sub(r"\1", line) if "'" in line else line.partition("--")[0]).rstrip()


def _single_blanks(code: str) -> str:
    """What is ASCII has no white space but blanks left: control characters are none of SQL's that we write."""
    return code.strip() if code.isascii() and "  " not in code else " ".join(code.split())


def function(name: str, create: str, types: str) -> SqlObject:
    """A function. Its signature is its whole head: names, defaults and result included, since `create or replace` takes
    no change of any of them. An internal one (`schema._name`) is for its owner alone: the surface calls it as such."""
    head = create[create.index(f"function {name}(") : create.index("\nlanguage ")]
    if '."_' in name or "._" in name:
        create = f"{create}\nrevoke all on function {name}({types}) from public;"
    return SqlObject("function", name, create, f"drop function {name}({types});", signature=" ".join(head.split()))
