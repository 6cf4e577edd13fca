"""What a picture of a machine shows, before any format or place is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jetpackc.records import dataclass

ArrowKind = Literal["move", "spawn", "send"]
NodeKind = Literal["plain", "composite", "final", "failure", "any", "machine", "start"]


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `id` is a state's name; other boxes have a name that no state can have.

    `any` stands for whatever state inside `parent` (or of the machine) a task is in, `machine` for one that is spawned
    or gets messages, `start` for the dot where a new task comes from. `lines` stand under the title, cut to a readable
    length.
    """

    id: str
    kind: NodeKind
    title: str
    parent: str | None = None
    lines: tuple[str, ...] = ()
    initial: bool = False
    claimable: bool = False
    running: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """One line beside an arrow. `text` is cut to a readable length, `full` is not."""

    text: str
    full: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """All of one kind that leads from one box to another, a label each. Only a `move` moves the task."""

    source: str
    target: str
    labels: tuple[Label, ...] = ()
    kind: ArrowKind = "move"


@dataclass(frozen=True, slots=True)
class Chart:
    """One machine's picture. `name` is the machine's full name, such as `shop.checkout`; nodes are in source order, a
    composite before what is in it."""

    name: str
    doc: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]

    def inside(self, parent: str | None) -> Iterator[Node]:
        """The boxes that stand directly in a composite, or, for None, in none."""
        return (node for node in self.nodes if node.parent == parent)
