"""What holds of every history, whatever died meanwhile: the tables of a program against its IR. Pure.

`broken` gives a sentence for each thing that does not hold; what a load must have come to besides (how many tasks,
which sums) is the load's own matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from arrows import NOTES, Arrows
from evidence import Evidence, Hop, Row

from jetpackc.emit.company import Company
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import DONE, News


def broken(evidence: Evidence, program: ir.Program) -> list[str]:
    """Everything that does not hold, a sentence each, with the task it is about."""
    kin = Kin(program)
    found: list[str] = []
    for name, (_, machine) in kin.machines.items():
        arrows = Arrows(machine)
        gone = evidence.hops[name].keys() - evidence.rows[name].keys()
        found += [f"{name} {id}: it has a history and no row" for id in gone]
        for id, row in evidence.rows[name].items():
            hops = evidence.hops[name].get(id, ())
            told = (*_chain(hops), *_moves(hops, arrows), *_fences(hops, machine), *_row(row, hops, machine))
            found += [f"{name} {id}: {what}" for what in (*told, *_attempts(row, hops, arrows))]
    return found + list(_counters(evidence, News(kin))) + list(_ends_told(evidence, kin))


def unfinished(evidence: Evidence, program: ir.Program) -> list[str]:
    """What a database at rest must not hold: messages on their way, tasks that wait for a worker, stuck ones."""
    found = [f"a message {one.event} waits for {one.machine} {one.receiver}" for one in evidence.inbox]
    found += [f"a message {one.event} to {one.receiver} was set aside: {one.reason}" for one in evidence.parked]
    for module in program.modules:
        for machine in module.machines:
            name = f"{module.name}.{machine.name}"
            worked = {leaf.name for leaf in (*chart.claimable(machine), *chart.running(machine))}
            for id, row in evidence.rows[name].items():
                if row["state"] in worked:
                    found.append(f"{name} {id}: it rests in {row['state']}")
                if row["_stuck"] is not None:
                    found.append(f"{name} {id}: it is stuck: {row['_stuck']}")
    return found


def _chain(hops: Sequence[Hop]) -> Iterator[str]:
    """Numbers without a gap, times that do not go back, each hop from where the last one led."""
    if [hop.seq for hop in hops] != list(range(1, len(hops) + 1)):
        yield f"its hops are numbered {[hop.seq for hop in hops]}"
    state = None
    for place, hop in enumerate(hops):
        if hop.from_state != state:
            yield f"hop {hop.seq} ({hop.event}) goes from {hop.from_state}, and it was in {state}"
        if place and hop.at < hops[place - 1].at:
            yield f"hop {hop.seq} ({hop.event}) is before the one before it"
        state = hop.to_state or state


def _moves(hops: Sequence[Hop], arrows: Arrows) -> Iterator[str]:
    """Each hop is an arrow of the machine."""
    for hop in hops:
        if hop.from_state is None:
            if hop.seq != 1 or hop.to_state != arrows.machine.initial:
                yield f"hop {hop.seq} creates it in {hop.to_state}"
        elif hop.to_state is None:
            continue
        elif hop.event in NOTES or not arrows.allow(hop.event, hop.from_state, hop.to_state):
            yield f"hop {hop.seq}: no arrow leads from {hop.from_state} to {hop.to_state} by {hop.event}"


def _fences(hops: Sequence[Hop], machine: ir.Machine) -> Iterator[str]:
    """Who ends a run has claimed it, and nobody has ended it before; nothing but its worker ends one with SUCCESS."""
    running = {leaf.name for leaf in chart.running(machine)}
    holder: Hop | None = None
    retried = False
    for dispatch in _dispatches(hops):
        first, token = dispatch[0], dispatch[-1].token
        if token is not None and (holder is None or token != holder.seq):
            yield f"hop {first.seq} ({first.event}) came with token {token}; the claim was {holder and holder.seq}"
        elif token is not None and holder is not None and first.actor != holder.actor and not retried:
            yield f"hop {first.seq} ({first.event}) is by {first.actor}, the claim was by {holder.actor}"
        if first.event == "SUCCESS" and first.from_state in running and first.to_state is not None and token is None:
            yield f"hop {first.seq} (SUCCESS) came without a token"
        retried = first.event == "unstuck"
        for hop in dispatch:
            if hop.to_state is not None:
                claimed = hop.event == chart.LOCKED and hop.to_state in running
                holder = hop if claimed else holder if hop.to_state in running else None


def _dispatches(hops: Sequence[Hop]) -> Iterator[list[Hop]]:
    """What belongs to one dispatch has one time."""
    for _, group in groupby(hops, key=lambda hop: hop.at):
        yield list(group)


def _row(row: Row, hops: Sequence[Hop], machine: ir.Machine) -> Iterator[str]:
    """The row is what its last hop left."""
    taken = [hop for hop in hops if hop.to_state is not None]
    if not taken:
        yield "it has no history"
        return
    state = taken[-1].to_state
    if row["state"] != state:
        yield f"its row says {row['state']}, its history {state}"
    if row["_seq"] != len(hops):
        yield f"its row counts {row['_seq']} hops, its history {len(hops)}"
    if row["_at"] != hops[-1].at:
        yield f"its row is of {row['_at']}, its last hop of {hops[-1].at}"
    if row["_ended"] != chart.is_final(machine, row["state"]):
        yield f"its row says {'ended' if row['_ended'] else 'alive'} in {row['state']}"
    running = {leaf.name for leaf in chart.running(machine)}
    if (row["_worker"] is not None) != (row["_token"] is not None):
        yield "it has a worker and no token, or a token and no worker"
    if row["_worker"] is not None and row["state"] not in running:
        yield f"worker {row['_worker']} holds it in {row['state']}"
    if row["state"] in running and row["_worker"] is None and row["_stuck"] is None:
        yield f"nobody works it in {row['state']}"
    due = running | {leaf.name for leaf in chart.claimable(machine)}
    if (row["run_at"] is not None) != (row["state"] in due and row["_stuck"] is None):
        yield f"its run_at is {row['run_at']} in {row['state']}"


def _attempts(row: Row, hops: Sequence[Hop], arrows: Arrows) -> Iterator[str]:
    """`attempts` are what the arrows make of them, where that is told by constants."""
    possible: set[int] | None = {0}
    for dispatch in _dispatches(hops):
        stood = dispatch[-1].attempts
        if stood is not None:
            if possible is not None and stood not in possible:
                yield f"hop {dispatch[0].seq} ({dispatch[0].event}) found attempts {stood}, not {sorted(possible)}"
            possible = {stood}
        for hop in dispatch:
            possible = _stepped(possible, hop, arrows)
    if possible is not None and row["attempts"] not in possible:
        yield f"its attempts are {row['attempts']}, not {sorted(possible)}"


def _stepped(possible: set[int] | None, hop: Hop, arrows: Arrows) -> set[int] | None:
    if possible is None or hop.to_state is None or hop.from_state is None:
        return possible
    found: set[int] = set()
    for before in possible:
        after = arrows.attempts(hop.event, hop.from_state, hop.to_state, before)
        if after is None:
            return None
        found |= after
    return found


def _counters(evidence: Evidence, news: News) -> Iterator[str]:
    """Counts of children and descendants are those of a recount, where no news of them is on its way."""
    family = _Family(evidence, news)
    moving = {one.receiver for one in (*evidence.inbox, *evidence.parked) if one.event == "news"}
    for name, rows in evidence.rows.items():
        company = Company(name, news)
        for id, row in rows.items():
            if not family.still(id, moving):
                continue
            if company.counts_children and (row["_children"] or {}) != (counted := family.children(name, id)):
                yield f"{name} {id}: it counts children {row['_children']}, there are {counted}"
            if company.counts_subtree and (row["_subtree"] or {}) != (counted := family.subtree(name, id)):
                yield f"{name} {id}: it counts descendants {row['_subtree']}, there are {counted}"


class _Family:
    """Who is whose child, and what each counts as."""

    def __init__(self, evidence: Evidence, news: News) -> None:
        self._news = news
        self._below: dict[int, list[tuple[str, int, str]]] = {}
        for name, rows in evidence.rows.items():
            for id, row in rows.items():
                if row["parent"] is not None:
                    self._below.setdefault(row["parent"], []).append((name, id, row["state"]))

    def still(self, id: int, moving: set[int]) -> bool:
        """Whether no news is on its way to it or to one below it."""
        return id not in moving and all(self.still(child, moving) for _, child, _ in self._below.get(id, ()))

    def children(self, name: str, id: int) -> dict[str, int]:
        told = self._news.told(name)
        keys = (self._news.key(child, state) for child, _, state in self._below.get(id, ()) if child in told)
        return dict(Counter(keys))

    def subtree(self, name: str, id: int) -> dict[str, int]:
        found = Counter(self.children(name, id))
        for child, other, _ in self._below.get(id, ()):
            found.update(self.subtree(child, other))
        return dict(found)


def _ends_told(evidence: Evidence, kin: Kin) -> Iterator[str]:
    """No parent hears of a child's end more often than it ended."""
    ends = Counter(
        (id, hop.to_state)
        for name, tasks in evidence.hops.items()
        for id, hops in tasks.items()
        for hop in hops
        if hop.to_state is not None and chart.is_final(kin.machines[name][1], hop.to_state)
    )
    heard = Counter(
        (hop.payload["id"], hop.payload["state"])
        for tasks in evidence.hops.values()
        for hops in tasks.values()
        for hop in hops
        if hop.event == DONE and hop.payload
    )
    for (id, state), times in heard.items():
        if times > ends[id, state]:
            yield f"task {id} ended in {state} {ends[id, state]} times, and its parent heard of {times}"
