"""Which transitions the tests of a program take. Pure.

A transition is an arrow that stands in the source: what sugar and templates of the prelude bring along is not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from jetpackc.check import walk
from jetpackc.ir import chart, model as ir, text
from jetpackc.records import dataclass
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
    """Each arrow and the hops (state, event, state) that may be it. What raises an event gives the hop its own name."""
    raised = _raised(machine)
    for owner in (*machine.states, None):
        inside = chart.leaves_of(machine, owner.name) if owner else chart.leaves(machine)
        leaves = [leaf.name for leaf in inside]
        for events, clause in _clauses(owner or machine):
            for goto in walk.gotos([clause]):
                if not _is_written(goto.span, sources):
                    continue
                trigger = ", ".join(events) or "enter"
                targets = leaves if goto.reenter else [goto.target]
                path = Path(name, owner.name if owner else "", trigger, goto.target or "reenter", goto.span)
                begun = {(leaf, event) for leaf in leaves for event in events or ("",)}
                begun |= {(leaf, cause) for leaf, event in begun for cause in raised.get((leaf, event), ())}
                yield path, {(*start, to) for start in begun for to in targets}


def _raised(machine: ir.Machine) -> Mapping[tuple[str, str], set[str]]:
    """By leaf and event, the events there whose clauses raise it."""
    found: dict[tuple[str, str], set[str]] = {}
    for leaf in chart.leaves(machine):
        for event in chart.events(machine, leaf.name):
            for raised in walk.raises(chart.clauses(machine, leaf.name, event)):
                found.setdefault((leaf.name, raised.event), set()).add(event)
    return found


def _clauses(owner: ir.State | ir.Machine) -> Iterator[tuple[tuple[str, ...], ir.Clause]]:
    for clause in owner.on:
        yield clause.events, clause
    if isinstance(owner, ir.State):
        for clause in owner.enter:
            yield (), clause
        for timer in owner.timers:
            yield (text.timer(timer),), timer.clause


def _is_written(span: Span, sources: Mapping[str, Source]) -> bool:
    source = sources.get(span.path)
    return source is not None and source.text.startswith(("->", "reenter"), span.start)
