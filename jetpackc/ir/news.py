"""What tasks tell of themselves up a tree: which machines read it, which report, and what each state counts as.

A state counts under a key: `shop.parcel` for one that is not final, with `+` before it for a final one and `-` for a
failure, and with the state's name behind it where some ancestor asks for that very state.
"""

from __future__ import annotations

from dataclasses import field, fields, is_dataclass
from functools import cache
from typing import Any

from jetpackc.ir import chart
from jetpackc.ir.kin import Kin, clauses, full_name, spawns
from jetpackc.ir.model import Tree
from jetpackc.records import dataclass

UPDATE, FLUSHED, DONE = "SUBTREE_UPDATE", "SUBTREE_FLUSHED", "CHILD_DONE"
MARKS = {"plain": "", "final": "+", "failure": "-"}


@dataclass(frozen=True)
class News:
    """The news of a program."""

    kin: Kin
    _keys: dict[str, dict[str, str]] = field(default_factory=dict)
    _looks: dict[str, tuple[list[Tree], frozenset[str]]] = field(default_factory=dict)

    def reads_subtree(self, name: str) -> bool:
        """Whether it asks about all its descendants."""
        return self._handles(name, UPDATE, FLUSHED) or any(tree.of == "subtree" for tree in self._trees(name))

    def reads_children(self, name: str) -> bool:
        """Whether it counts its children."""
        return any(tree.of == "children" and tree.function != "results" for tree in self._trees(name))

    def hears_done(self, name: str) -> bool:
        """Whether it handles CHILD_DONE."""
        return self._handles(name, DONE)

    def reads_results(self, name: str) -> bool:
        """Whether it reads what its children returned."""
        return any(tree.function == "results" for tree in self._trees(name))

    def tells(self, name: str) -> bool:
        """Whether it says so to its parent when its state changes."""
        return any(
            self.reads_children(parent) or self.reads_subtree(parent) or self.hears_done(parent)
            for parent in self.kin.parents[name]
        ) or any(self.reads_subtree(one) for one in self.kin.above(name))

    def tells_done(self, name: str) -> bool:
        """Whether it says so to a parent that handles CHILD_DONE when it has ended."""
        return any(self.hears_done(parent) for parent in self.kin.parents[name])

    def may_meet(self, name: str) -> bool:
        """Whether its tasks are counted by who makes them, and one to be made may turn out to be there already."""
        uniques = self.kin.machines[name][1].uniques
        return self.tells(name) and any(unique.verdict == "return" for unique in uniques)

    def keeps(self, maker: str, made: str) -> bool:
        """Whether a maker keeps the id of a task of the other machine, or counts it, which may turn out to be there."""
        module, machine = self.kin.machines[maker]
        found = [node for node in spawns(machine) if full_name(node.machine, module.name) == made]
        counted = made in self.told(maker) and any(not node.root for node in found)
        other = self.kin.machines[made][1]
        at_birth = (unique for unique in other.uniques if not unique.states or other.initial in unique.states)
        returns = any(unique.verdict == "return" for unique in at_birth)
        return returns and (counted or any(node.alias for node in found))

    def told(self, name: str) -> tuple[str, ...]:
        """The machines of its children that report to it."""
        children = self.kin.children[name]
        if not children:  # most machines have none, and need not be looked through
            return ()
        wants = self.reads_children(name) or self.reads_subtree(name) or self.hears_done(name) or self.forwards(name)
        return children if wants else ()

    def forwards(self, name: str) -> bool:
        """Whether it hands on what its children report."""
        return any(self.reads_subtree(one) for one in self.kin.above(name))

    def stirs(self, name: str) -> bool:
        """Whether somebody above handles SUBTREE_UPDATE, which comes for a change that no count shows, too."""
        return any(self._handles(one, UPDATE) for one in self.kin.above(name))

    def key(self, name: str, leaf: str) -> str:
        """What a leaf of a machine counts as."""
        return self.keys(name)[leaf]

    def keys(self, name: str) -> dict[str, str]:
        """What each leaf of a machine counts as."""
        if name not in self._keys:
            self._keys[name] = self._made_keys(name)
        return self._keys[name]

    def leaves(self, reader: str, name: str, asked: str) -> tuple[str, ...]:
        """The leaves of a machine that a name in `count(name)` means to a reader."""
        machine = self.kin.machines[name][1]
        known = chart.states(machine)
        if asked in known:
            return tuple(leaf.name for leaf in chart.leaves_of(machine, asked))
        module = reader.partition(".")[0]
        for prefix in {name, name.removeprefix(f"{module}.")}:
            state = asked.removeprefix(f"{prefix}.")
            if state != asked and state in known:
                return tuple(leaf.name for leaf in chart.leaves_of(machine, state))
        return ()

    def asked(self, reader: str, tree: Tree) -> list[str]:
        """The keys that a count of a reader adds up; `+` and `-` stand for all that begin with them."""
        found: list[str] = []
        below = self.kin.children[reader] if tree.of == "children" else self.kin.below(reader)
        for name in tree.names:
            if name in ("final", "failure"):
                found += ["+", "-"] if name == "final" else ["-"]
            else:
                found += [self.key(one, leaf) for one in below for leaf in self.leaves(reader, one, name)]
        return list(dict.fromkeys(found))

    def _made_keys(self, name: str) -> dict[str, str]:
        machine = self.kin.machines[name][1]
        readers = set(self.kin.above(name))
        if any(self._handles(reader, UPDATE) for reader in readers):
            named = {leaf.name for leaf in chart.leaves(machine)}
        else:
            named = {
                leaf
                for reader in readers
                for tree in self._trees(reader)
                if tree.of == "subtree" or reader in self.kin.parents[name]
                for asked in tree.names
                for leaf in self.leaves(reader, name, asked)
            }
        return {
            leaf.name: f"{MARKS[leaf.kind]}{name}{f' {leaf.name}' if leaf.name in named else ''}"
            for leaf in chart.leaves(machine)
        }

    def _handles(self, name: str, *events: str) -> bool:
        return not self._look(name)[1].isdisjoint(events)

    def _trees(self, name: str) -> list[Tree]:
        return self._look(name)[0]

    def _look(self, name: str) -> tuple[list[Tree], frozenset[str]]:
        """Where a machine looks at its children, and the events that it handles."""
        if name not in self._looks:
            machine = self.kin.machines[name][1]
            events = frozenset(event for clause in clauses(machine) for event in clause.events)
            self._looks[name] = trees(machine), events
        return self._looks[name]


_PLAIN = frozenset(("bool", "int", "int | None", "str", "str | None", "tuple[str, ...]", "Type"))
"""The types, as they are written, of fields that hold no node."""


def trees(node: object) -> list[Tree]:
    """Every look at subtree or children in a part of the IR."""
    found: list[Tree] = []
    _gather(node, found)
    return found


def _gather(node: Any, found: list[Tree]) -> None:
    if isinstance(node, tuple):
        for item in node:
            _gather(item, found)
        return
    if isinstance(node, Tree):
        found.append(node)
    for name in _parts(node.__class__):
        if part := getattr(node, name):
            _gather(part, found)


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that may hold others."""
    if not is_dataclass(kind):
        return ()
    return tuple(part.name for part in fields(kind) if part.compare and part.type not in _PLAIN)
