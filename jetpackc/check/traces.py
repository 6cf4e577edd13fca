"""How a task gets somewhere: the shortest chain of events from its creation, for messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property

from jetpackc.check import walk
from jetpackc.ir import chart, model as ir, text
from jetpackc.records import dataclass

_SHOWN = 6
"""How many hops of a chain are written out; of a longer one the middle is left out."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A move from one leaf to another: by an event or a timer, or (empty) by an `enter`."""

    source: str
    event: str
    target: str

    def __str__(self) -> str:
        return f" -{self.event}-> {self.target}" if self.event else f" -> {self.target}"


@dataclass(frozen=True)
class Traces:
    """The hops of one machine, guards aside."""

    machine: ir.Machine

    def hops(self, leaf: str) -> Iterator[Hop]:
        """The hops from a leaf: those of the events it answers, of its timers, then those of the `enter`s around it."""
        for event in chart.events(self.machine, leaf):
            for goto in walk.gotos(chart.clauses(self.machine, leaf, event)):
                yield Hop(leaf, event, goto.target)
        for timer in chart.timers(self.machine, leaf):
            for goto in walk.gotos([timer.clause]):
                yield Hop(leaf, text.timer(timer), goto.target)
        for state in chart.ancestors(self.machine, leaf):
            for goto in walk.gotos(state.enter):
                yield Hop(leaf, "", goto.target)

    @cached_property
    def arrivals(self) -> dict[str, Hop | None]:
        """Every leaf that a task can get to, with the last hop of a shortest way; None for the one it starts in."""
        found: dict[str, Hop | None] = {self.machine.initial: None}
        pending = deque([self.machine.initial])
        while pending:
            for hop in self.hops(pending.popleft()):
                if hop.target not in found:
                    found[hop.target] = hop
                    pending.append(hop.target)
        return found

    @cached_property
    def entries(self) -> dict[str, Hop]:
        """For each leaf the first hop into it from another one, whether a task gets there or not."""
        found: dict[str, Hop] = {}
        for leaf in chart.leaves(self.machine):
            for hop in self.hops(leaf.name):
                if hop.target != leaf.name:
                    found.setdefault(hop.target, hop)
        return found

    def way(self, leaf: str, behind: Sequence[Hop] = ()) -> str | None:
        """`placed -PAY-> charging -> refused`: a shortest way to a leaf, and on over what is behind it; None where
        none leads there."""
        if leaf not in self.arrivals:
            return None
        hops: list[Hop] = []
        while (hop := self.arrivals[hops[-1].source if hops else leaf]) is not None:
            hops.append(hop)
        return shown([*reversed(hops), *behind], self.machine.initial)


def shown(hops: Sequence[Hop], start: str) -> str:
    """The hops in a row, the middle of many left out."""
    if len(hops) <= _SHOWN:
        return start + "".join(map(str, hops))
    front, back = hops[: _SHOWN // 2], hops[-_SHOWN // 2 :]
    return f"{start}{''.join(map(str, front))} … {back[0].source}{''.join(map(str, back))}"
