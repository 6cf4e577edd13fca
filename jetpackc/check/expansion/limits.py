"""How much may come out of an expansion: operators that double at each level would have no other end."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from jetpackc.source import Span
from jetpackc.syntax import ast

MAX_CALLS = 1_000
"""How many calls of operators one call may lead to."""

MAX_NODES = 20_000
"""How many nodes of the tree may stand in place of one call."""

MAX_LEVELS = 140
"""How deep the tree may be, so that no walk over it runs out of stack; an arm of a `when` is two levels more than
others, since it costs as much."""

MAX_PATH = 30
"""How many operators may stand in each other."""


class TooMuchError(Exception):
    """An expansion that goes beyond what is sensible. The text says how: "nests too deeply"."""


def check_size(tree: object, levels: int = 0) -> None:
    """Refuse a tree, `levels` deep in another one, that is too large or too deep; found without recursion.

    Raises TooMuchError.
    """
    pending = [(tree, levels)]
    count = 0
    while pending:
        node, depth = pending.pop()
        if isinstance(node, tuple):
            pending += [(item, depth) for item in node]
        elif is_dataclass(node) and not isinstance(node, Span):
            count += 1
            if depth > MAX_LEVELS:
                raise TooMuchError("nests too deeply")
            if count > MAX_NODES:
                raise TooMuchError("expands to too much")
            inner = depth + (3 if isinstance(node, ast.Branch) else 1)
            pending += [(getattr(node, field.name), inner) for field in fields(node)]
