"""Who makes whom: what can be known of the trees of tasks before there are any. Machines go by `module.name`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from jetpackc.ir.model import Clause, Machine, Module, Program, Send, Spawn, Statement, When
from jetpackc.records import dataclass


@dataclass(frozen=True)
class Kin:
    """The machines of a program and what they are to each other."""

    program: Program

    @cached_property
    def machines(self) -> Mapping[str, tuple[Module, Machine]]:
        """Every machine with its module."""
        return {
            f"{module.name}.{machine.name}": (module, machine)
            for module in self.program.modules
            for machine in module.machines
        }

    def made(self, maker: str, spawn: Spawn) -> str:
        """The machine that a spawn makes a task of."""
        return full_name(spawn.machine, maker.partition(".")[0])

    @cached_property
    def spawns(self) -> Mapping[str, tuple[Spawn, ...]]:
        """What each machine makes."""
        return {name: tuple(found) for name, (_, machine) in self.machines.items() for found in [spawns(machine)]}

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """The machines of each one's children, by name."""
        return {
            name: tuple(sorted({self.made(name, spawn) for spawn in found if not spawn.root} & self.machines.keys()))
            for name, found in self.spawns.items()
        }

    @cached_property
    def spawned(self) -> frozenset[str]:
        """The machines whose tasks some task or schedule makes, free ones too."""
        found = {self.made(name, spawn) for name, spawns in self.spawns.items() for spawn in spawns}
        slots = (
            full_name(one.spawn.machine, module.name) for module in self.program.modules for one in module.schedules
        )
        return frozenset({*found, *slots} & self.machines.keys())

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """The machines that each one's parent may be of."""
        found: dict[str, list[str]] = {name: [] for name in self.machines}
        for parent, children in self.children.items():
            for child in children:
                found[child].append(parent)
        return {name: tuple(parents) for name, parents in found.items()}

    def below(self, name: str) -> tuple[str, ...]:
        """The machines that descendants may be of; itself too, if it makes its like."""
        return _reached(self.children, name)

    def above(self, name: str) -> tuple[str, ...]:
        """The machines that ancestors may be of."""
        return _reached(self.parents, name)

    @cached_property
    def named(self) -> frozenset[str]:
        """Those whose tasks somebody gives an id to before they are made: `spawn … as`."""
        return frozenset(
            self.made(maker, spawn) for maker, found in self.spawns.items() for spawn in found if spawn.alias
        )

    @cached_property
    def sends(self) -> Mapping[str, tuple[Send, ...]]:
        """What each machine says to others."""
        return {name: tuple(sends(machine)) for name, (_, machine) in self.machines.items()}

    def company(self, name: str, kin: str) -> tuple[str, ...]:
        """The machines that such kin of a task may be of; all of them, where it goes by an id."""
        if kin == "parent":
            return self.parents[name]
        if kin == "root":
            return tuple(sorted({name, *self.above(name)}))
        if kin == "siblings":
            return tuple(sorted({child for parent in self.parents[name] for child in self.children[parent]}))
        if kin == "children":
            return self.children[name]
        return self.below(name) if kin == "subtree" else tuple(self.machines)

    def receivers(self, name: str, send: Send) -> tuple[str, ...]:
        """The machines that may get a message and take its event in some state."""
        return tuple(one for one in self.company(name, send.kin) if self.takes(one, send.event))

    @cached_property
    def heard(self) -> frozenset[str]:
        """The machines that may get a message."""
        return frozenset(
            one for name, found in self.sends.items() for send in found for one in self.receivers(name, send)
        )

    def takes(self, name: str, event: str) -> bool:
        """Whether a machine takes an event in some state, ignores or defers it."""
        return any(each.event == event and not each.state for each in self.machines[name][1].signatures)


def sends(machine: Machine) -> list[Send]:
    """Every send of a machine."""
    return [node for clause in clauses(machine) for node in statements(clause.body) if isinstance(node, Send)]


def full_name(machine: str, module: str) -> str:
    """A machine's name with its module, from one that leaves it out where it is `module`."""
    return machine if "." in machine else f"{module}.{machine}"


def clauses(machine: Machine) -> Iterator[Clause]:
    """Every clause of a machine."""
    yield from machine.on
    for state in machine.states:
        yield from (*state.on, *state.enter, *state.exit, *(timer.clause for timer in state.timers))


def statements(body: tuple[Statement, ...]) -> Iterator[Statement]:
    """Every statement of a block and of the blocks in it."""
    for node in body:
        yield node
        if isinstance(node, When):
            for branch in node.branches:
                yield from statements(branch.body)


def spawns(machine: Machine) -> list[Spawn]:
    """Every spawn of a machine."""
    return [node for clause in clauses(machine) for node in statements(clause.body) if isinstance(node, Spawn)]


def _reached(edges: Mapping[str, tuple[str, ...]], start: str) -> tuple[str, ...]:
    found: set[str] = set()
    pending = [*edges[start]]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += edges[name]
    return tuple(sorted(found))
