"""Which transitions the tests of a program take. Pure.

A transition is an arrow that stands in the source: what sugar and templates of the prelude bring along is not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jetpackc.ir import chart, model as ir
from jetpackc.source import Source, Span
from jetpackc.testing.model import Hopped


@dataclass(frozen=True, slots=True)
class Path:
    """One arrow. `state` is the one that has it, empty for the machine; `trigger` are its events, or `enter`."""

    machine: str
    state: str
    trigger: str
    target: str
    span: Span

    def __str__(self) -> str:
        return f"{self.state or 'any state'} -{self.trigger}-> {self.target}"


def paths(program: ir.Program, sources: Mapping[str, Source], taken: Collection[Hopped]) -> list[tuple[Path, bool]]:
    """All transitions, in the order of their text, and whether each was taken."""
    found: dict[Path, bool] = {}
    for module in program.modules:
        for machine in module.machines:
            name = f"{module.name}.{machine.name}"
            hops = {hop[1:] for hop in taken if hop[0] == name}
            for path, ways in _of(name, machine, sources):
                found[path] = found.get(path, False) or not hops.isdisjoint(ways)
    return sorted(found.items(), key=lambda item: (item[0].span.path, item[0].span.start, item[0].machine))


def _of(name: str, machine: ir.Machine, sources: Mapping[str, Source]) -> Iterator[tuple[Path, set[tuple[str, ...]]]]:
    """Each arrow and the hops (state, event, state) that may be it."""
    for owner in (*machine.states, None):
        inside = chart.leaves_of(machine, owner.name) if owner else chart.leaves(machine)
        leaves = [leaf.name for leaf in inside]
        for events, clause in _clauses(owner or machine):
            for goto in _gotos(clause.body):
                if not _is_written(goto.span, sources):
                    continue
                trigger = ", ".join(events) or "enter"
                targets = leaves if goto.reenter else [goto.target]
                path = Path(name, owner.name if owner else "", trigger, goto.target or "reenter", goto.span)
                yield path, {(leaf, event, to) for leaf in leaves for event in events or ("",) for to in targets}


def _clauses(owner: ir.State | ir.Machine) -> Iterator[tuple[tuple[str, ...], ir.Clause]]:
    for clause in owner.on:
        yield clause.events, clause
    if isinstance(owner, ir.State):
        for clause in owner.enter:
            yield (), clause


def _gotos(body: Sequence[ir.Statement]) -> Iterator[ir.Goto]:
    for statement in body:
        if isinstance(statement, ir.Goto):
            yield statement
        elif isinstance(statement, ir.When):
            for branch in statement.branches:
                yield from _gotos(branch.body)


def _is_written(span: Span, sources: Mapping[str, Source]) -> bool:
    source = sources.get(span.path)
    return source is not None and source.text.startswith(("->", "reenter"), span.start)
