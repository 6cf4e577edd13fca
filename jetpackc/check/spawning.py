"""Tasks whose creation creates tasks whose creation creates tasks, and so on for ever.

What a creation is sure to spawn is found by following the `enter`s of the state that a task starts in, and on along
their arrows, as far as no guard decides: a guard on the way may end it, and so may a `unique` of what is spawned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from jetpackc.check import walk
from jetpackc.check.cycles import Hop, entered
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import kin, model as ir

Spawns = Mapping[str, dict[str, ir.Spawn]]
"""For each machine those that its creation is sure to spawn, each with the first place where it does."""


def check_spawning(subjects: Mapping[str, Subject]) -> None:
    """Report each cycle of creations that no guard bounds. Machines are named with their modules, as `shop.order`."""
    spawns = {name: _spawns(name, subjects) for name in subjects}
    while (cycle := _find_cycle(spawns)) is not None:
        pairs = list(pairwise(cycle))
        _report(
            subjects[cycle[0]],
            [name.partition(".")[2] for name in cycle],
            [spawns[maker][made] for maker, made in pairs],
        )
        for maker, made in pairs:
            del spawns[maker][made]


def _report(subject: Subject, cycle: Sequence[str], places: Sequence[ir.Spawn]) -> None:
    message = f"the creation of `{cycle[0]}` goes on for ever"
    trace = " -> ".join(f"spawns `{name}`" for name in cycle[1:])
    others = [Label(spawn.span, "and on") for spawn in places[1:]]
    subject.add(
        rules.ENDLESS_SPAWN,
        message,
        places[0].span,
        "no guard ends this",
        secondary=others,
        notes=[f"`{cycle[0]}` (created) -> {trace}, then for ever"],
        help="spawn it `when` a param that each generation changes says so, or in answer to an event",
    )


def _find_cycle(spawns: Spawns) -> list[str] | None:
    """Some cycle, its first machine again at the end; it begins with the one that stands first in the source."""
    try:
        TopologicalSorter(spawns).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]
        order = [*spawns]
        first = min(range(len(cycle)), key=lambda index: order.index(cycle[index]))
        turned = cycle[first:] + cycle[:first]
        return [*turned, turned[0]]
    return None


def _spawns(maker: str, known: Mapping[str, Subject]) -> dict[str, ir.Spawn]:
    found: dict[str, ir.Spawn] = {}
    if not kin.spawns(known[maker].machine):  # most machines have none, and their charts need not be followed
        return found
    for spawn in _sure(known[maker].machine):
        made = spawn.machine if "." in spawn.machine else f"{maker.partition('.')[0]}.{spawn.machine}"
        bounded = spawn.items is not None  # by an array that ends, or is empty
        if made in known and not known[made].machine.uniques and not bounded:
            found.setdefault(made, spawn)
    return found


def _sure(machine: ir.Machine) -> Iterator[ir.Spawn]:
    """The spawns that no creation goes without, as far as can be told."""
    source, leaf, seen = None, machine.initial, set[str]()
    while leaf not in seen:
        seen.add(leaf)
        statements = [*_run(machine, Hop(source, leaf))]
        yield from (statement for statement in statements if isinstance(statement, ir.Spawn))
        last = statements[-1] if statements else None
        if not isinstance(last, ir.Goto):
            return
        source, leaf = leaf, last.target


def _run(machine: ir.Machine, hop: Hop) -> Iterator[ir.Statement]:
    """The statements that are sure to run when a state is entered, until one goes on or may do so."""
    for clause in (clause for state in entered(machine, hop) for clause in state.enter):
        guarded = ir.When((ir.Branch(clause.guard, clause.body),))
        for statement in clause.body if walk.is_unguarded(clause) else (guarded,):
            yield statement
            if any(isinstance(each, ir.Goto | ir.Raise | ir.Fail) for each in walk.flatten([statement])):
                return
