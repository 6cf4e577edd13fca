"""Rewriting trees: one walk over all nodes, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from jetpackc.source import Span

T = TypeVar("T")
Change = Callable[[Any], Any]


def rewrite(node: T, change: Change) -> T:
    """The tree with `change` applied to every node, from the leaves up. A node that it returns is not walked again."""
    if isinstance(node, tuple):
        return tuple(rewrite(item, change) for item in node)  # type: ignore[return-value]
    if not is_dataclass(node) or isinstance(node, type | Span):
        return node
    changed = {}
    for field in fields(node):
        old = getattr(node, field.name)
        new = rewrite(old, change) if isinstance(old, tuple) or is_dataclass(old) else old
        if new is not old:
            changed[field.name] = new
    return change(replace(node, **changed) if changed else node)  # type: ignore[no-any-return]


def placed(node: T, span: Span) -> T:
    """The tree as if all of it stood at `span`."""
    return rewrite(node, lambda found: replace(found, span=span) if hasattr(found, "span") else found)
