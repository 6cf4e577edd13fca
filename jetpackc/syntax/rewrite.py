"""Rewriting trees: one walk over all nodes, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from jetpackc.records import replace
from jetpackc.source import Span

T = TypeVar("T")
Change = Callable[[Any], Any]


NOWHERE = Span("", 0, 0, 0, 0)


def rewrite(node: T, change: Change, but: Collection[tuple[type, str]] = ()) -> T:
    """The tree with `change` applied to every node, from the leaves up. A node that it returns is not walked again.

    `but` names fields that stay as they are, each with the class of its node.
    """
    if isinstance(node, tuple):
        return tuple(rewrite(item, change, but) for item in node)  # type: ignore[return-value]
    if not is_dataclass(node) or isinstance(node, type | Span):
        return node
    changed = {}
    for field in fields(node):
        old = getattr(node, field.name)
        if not (isinstance(old, tuple) or is_dataclass(old)) or (type(node), field.name) in but:
            continue
        new = rewrite(old, change, but)
        if new is not old:
            changed[field.name] = new
    return change(replace(node, **changed) if changed else node)  # type: ignore[no-any-return]


def placed(node: T, span: Span) -> T:
    """The tree as if all of it stood at `span`."""
    return rewrite(node, lambda found: replace(found, span=span) if hasattr(found, "span") else found)


def without_spans(node: T) -> T:
    """The tree without its places: two that differ in nothing else come out equal."""
    return placed(node, NOWHERE)
