"""Chains of `enter` and SUBTREE_FLUSHED that could go on for ever.

A hop is a move from one leaf to another; the `enter`s of the states it enters may cause the next hop, and so may
SUBTREE_FLUSHED where it comes to rest: with nothing unfinished below, that comes at once. A cycle of hops is bounded
when a guard on it reads what the cycle changes (a retry that counts its attempts), one with SUBTREE_FLUSHED by a spawn,
too. Else it is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from jetpackc.check import traces, walk
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import flow as rules
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass
from jetpackc.source import Span

FLUSHED = "SUBTREE_FLUSHED"


@dataclass(frozen=True, slots=True)
class Hop:
    """A move between leaves; `source` None is the creation. `reentered` is the state of a `reenter`."""

    source: str | None
    target: str
    reentered: str | None = None


@dataclass(slots=True)
class Link:
    """One hop may cause another: the names its guards read, the vars set on the way, the place of its arrow; whether
    by SUBTREE_FLUSHED, and whether children may be made on the way."""

    reads: set[str]
    sets: set[str]
    span: Span
    flushes: bool = False
    spawns: bool = False


Links = dict[tuple[Hop, Hop], Link]


def check_cycles(subject: Subject) -> None:
    """Report each cycle of `enter` that no guard bounds, and each with SUBTREE_FLUSHED that no spawn does either."""
    links = _links(subject)
    for cycle, found in _endless({pair: link for pair, link in links.items() if not link.flushes}):
        _report(subject, cycle, found)
    if any(link.flushes for link in links.values()):
        for cycle, found in _endless({pair: link for pair, link in links.items() if not link.spawns}):
            if any(link.flushes for link in found):
                _report(subject, cycle, found)


def _endless(links: Links) -> Iterator[tuple[list[Hop], list[Link]]]:
    """The cycles that no guard bounds, each with what links it; takes them out of the links."""
    while (cycle := _find_cycle(links)) is not None:
        pairs = list(pairwise(cycle))
        changed = set[str]().union(*(links[pair].sets for pair in pairs))
        bounded = [pair for pair in pairs if not changed.isdisjoint(links[pair].reads)]
        if not bounded:
            yield cycle, [links[pair] for pair in pairs]
        for pair in bounded or pairs:
            del links[pair]


def _report(subject: Subject, cycle: list[Hop], links: list[Link]) -> None:
    trace, spans = " -> ".join(hop.target for hop in cycle), [link.span for link in links]
    others = [Label(span, "and on") for span in dict.fromkeys(spans[1:]) if span != spans[0]]
    events = [FLUSHED if link.flushes else "" for link in links]
    round_trip = [
        traces.Hop(hop.target, event, after.target) for (hop, after), event in zip(pairwise(cycle), events, strict=True)
    ]
    way = subject.traces.way(cycle[0].target, round_trip)
    notes = [f"`{way}`, then for ever"] if way else []
    rule, what, label, help = (
        rules.ENDLESS_ENTER,
        "`enter`",
        "no guard ends this",
        "add a guard that reads a var which one of these states changes",
    )
    if any(events):
        rule, what = rules.ENDLESS_FLUSH, f"`{FLUSHED}`"
        label = "it comes at once, and no spawn and no guard ends this"
        help = "spawn something on the way, or add a guard that reads a var which one of these states changes"
    subject.add(rule, f"{what} goes on for ever: `{trace}`", spans[0], label, secondary=others, notes=notes, help=help)


def _find_cycle(links: Links) -> list[Hop] | None:
    """Some cycle, its first hop again at the end; it begins at the hop that stands first in the source."""
    before: dict[Hop, list[Hop]] = {}
    for cause, effect in links:
        before.setdefault(effect, []).append(cause)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        cycle: list[Hop] = error.args[1][:-1]
        places = [links[cycle[index - 1], hop].span.start for index, hop in enumerate(cycle)]
        start = places.index(min(places)) - 1
        turned = cycle[start:] + cycle[:start]
        return [*turned, turned[0]]
    return None


def _links(subject: Subject) -> Links:
    """Every pair of hops of which the first may cause the second."""
    machine = subject.machine
    links: Links = {}
    pending = [Hop(None, machine.initial), *_starts(machine)]
    seen = set(pending)
    while pending:
        hop = pending.pop()
        for effect, link in _effects(subject, hop):
            known = links.setdefault((hop, effect), link)
            if known.flushes == link.flushes:
                known.reads &= link.reads
                known.spawns |= link.spawns
            if effect not in seen:
                seen.add(effect)
                pending.append(effect)
    return links


def _starts(machine: ir.Machine) -> Iterator[Hop]:
    """The hops that an event or a timer causes."""
    for leaf in chart.leaves(machine):
        for event in chart.events(machine, leaf.name):
            yield from _hops(machine, leaf.name, chart.clauses(machine, leaf.name, event))
        yield from _hops(machine, leaf.name, [timer.clause for timer in chart.timers(machine, leaf.name)])


def _hops(machine: ir.Machine, leaf: str, clauses: Iterable[ir.Clause]) -> Iterator[Hop]:
    for clause in clauses:
        for goto in walk.gotos([clause]):
            yield _hop(machine, leaf, clause, goto)


def _hop(machine: ir.Machine, leaf: str, clause: ir.Clause, goto: ir.Goto) -> Hop:
    return Hop(leaf, goto.target, chart.reentered(machine, leaf, clause) if goto.reenter else None)


def _effects(subject: Subject, hop: Hop) -> Iterator[tuple[Hop, Link]]:
    """The hops that a hop's `enter`s may cause, until one of them is always taken; then those of SUBTREE_FLUSHED."""
    machine = subject.machine
    if hop.source == hop.target and hop.reentered is None:
        return
    states = entered(machine, hop)
    reads: set[str] = set()
    sets = walk.assigned(clause for state in states for clause in state.enter)
    for clause in (clause for state in states for clause in state.enter):
        guards = () if clause.guard is None else (clause.guard,)
        for arrow, decisive in walk.guarded_arrows(clause.body, guards):
            reads |= {ref.name for guard in decisive for ref in walk.refs(guard)}
            for effect, answers in _taken(machine, hop.target, clause, arrow):
                exits = [each for state in _left(machine, effect) for each in state.exit]
                spawns = _spawns([*(each for state in states for each in state.enter), *answers, *exits])
                yield effect, Link(set(reads), sets | walk.assigned([*answers, *exits]), arrow.span, spawns=spawns)
        if walk.is_unguarded(clause) and walk.always_moves(clause.body, "", subject.covers):
            return
    yield from _flushes(subject, hop, states)


def _flushes(subject: Subject, hop: Hop, states: list[ir.State]) -> Iterator[tuple[Hop, Link]]:
    """The hops that SUBTREE_FLUSHED may cause where a hop comes to rest."""
    machine = subject.machine
    entering = [clause for state in states for clause in state.enter]
    reads: set[str] = set()
    for clause in chart.clauses(machine, hop.target, FLUSHED):
        guards = () if clause.guard is None else (clause.guard,)
        for arrow, decisive in walk.guarded_arrows(clause.body, guards):
            reads |= {ref.name for guard in decisive for ref in walk.refs(guard)}
            for effect, answers in _taken(machine, hop.target, clause, arrow):
                done = [*entering, clause, *answers, *(each for state in _left(machine, effect) for each in state.exit)]
                yield effect, Link(set(reads), walk.assigned(done), arrow.span, flushes=True, spawns=_spawns(done))
        if walk.is_unguarded(clause):
            return


def _spawns(clauses: Iterable[ir.Clause]) -> bool:
    """Whether some clauses may make children."""
    made = (node for clause in clauses for node in walk.flatten(clause.body))
    return any(isinstance(node, ir.Spawn) and not node.root for node in made)


def _taken(
    machine: ir.Machine, leaf: str, clause: ir.Clause, arrow: walk.Arrow
) -> Iterator[tuple[Hop, tuple[ir.Clause, ...]]]:
    """The hop of an arrow; of a `raise`, those of the clauses that answer it, each with its clause."""
    if isinstance(arrow, ir.Goto):
        yield _hop(machine, leaf, clause, arrow), ()
        return
    for answer in chart.clauses(machine, leaf, arrow.event):
        for hop in _hops(machine, leaf, [answer]):
            yield hop, (answer,)


def entered(machine: ir.Machine, hop: Hop) -> list[ir.State]:
    """The states that a hop enters, from outer to inner."""
    return _crossed(machine, hop.target, hop.source, hop.reentered)[::-1]


def _left(machine: ir.Machine, hop: Hop) -> list[ir.State]:
    """The states that a hop leaves, from inner to outer."""
    return [] if hop.source is None else _crossed(machine, hop.source, hop.target, hop.reentered)


def _crossed(machine: ir.Machine, leaf: str, other: str | None, reentered: str | None) -> list[ir.State]:
    """The states around a leaf that are not around the other; with `reenter`, those up to the state reentered."""
    around = chart.ancestors(machine, leaf)
    if reentered is not None:
        names = [state.name for state in around]
        return list(around[: names.index(reentered) + 1])
    outside = {state.name for state in chart.ancestors(machine, other)} if other is not None else set()
    return [state for state in around if state.name not in outside]
