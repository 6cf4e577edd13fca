"""What a machine has to do with other tasks: what it says to them, what it hears, and the columns that this takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from jetpackc.emit.names import Names
from jetpackc.emit.sql import Sql, array_literal, json_literal, literal
from jetpackc.ir import chart, model as ir
from jetpackc.ir.news import DONE, FLUSHED, UPDATE, News
from jetpackc.records import dataclass

Routes = dict[str, set[str]]
"""The events that go to tasks of each machine."""


@dataclass(frozen=True)
class Company:
    """One machine (`module.name`) among the others."""

    name: str
    news: News

    @cached_property
    def machine(self) -> ir.Machine:
        """The machine itself."""
        return self.news.kin.machines[self.name][1]

    # ------------------------------------------------------------ what it hears

    @cached_property
    def hears(self) -> bool:
        """Whether messages come to it, or news of its children."""
        return bool(self.told or self.handed_on or self.spread) or self.name in self.news.kin.heard

    @cached_property
    def told(self) -> tuple[str, ...]:
        """The machines of the children that report to it."""
        return self.news.told(self.name)

    @cached_property
    def handed_on(self) -> frozenset[str]:
        """The events that a child sends to its siblings, which go through their parent."""
        kin = self.news.kin
        return frozenset(
            send.event for child in kin.children[self.name] for send in kin.sends[child] if send.kin == "siblings"
        )

    @cached_property
    def spread(self) -> frozenset[str]:
        """The events that come from above for it and all below it."""
        kin = self.news.kin
        return frozenset(
            send.event
            for sender in kin.above(self.name)
            for send in kin.sends[sender]
            if send.kin == "subtree" and self._wanted(self.name, send.event)
        )

    def _wanted(self, name: str, event: str) -> bool:
        kin = self.news.kin
        return any(kin.takes(one, event) for one in (name, *kin.below(name)))

    @cached_property
    def defers(self) -> bool:
        """Whether it keeps early events."""
        return any(chart.deferred(self.machine, leaf.name) for leaf in chart.leaves(self.machine))

    @cached_property
    def queues(self) -> bool:
        """Whether one statement may dispatch several events to it."""
        return self.hears or self.defers

    @cached_property
    def counts_subtree(self) -> bool:
        """Whether it keeps count of all its descendants."""
        return bool(self.told) and self.news.reads_subtree(self.name)

    @cached_property
    def counts_children(self) -> bool:
        """Whether it keeps count of its children."""
        return bool(self.told) and self.news.reads_children(self.name)

    @cached_property
    def forwards(self) -> bool:
        """Whether it hands the news of its children on."""
        return bool(self.told) and self.news.forwards(self.name)

    def handling(self, event: str) -> tuple[str, ...]:
        """The leaves that handle an event."""
        return tuple(leaf.name for leaf in chart.leaves(self.machine) if chart.clauses(self.machine, leaf.name, event))

    @cached_property
    def flushes(self) -> tuple[str, ...]:
        """The leaves that handle SUBTREE_FLUSHED."""
        return self.handling(FLUSHED)

    @cached_property
    def updates(self) -> tuple[str, ...]:
        """The leaves that handle SUBTREE_UPDATE."""
        return self.handling(UPDATE)

    @cached_property
    def hears_done(self) -> tuple[str, ...]:
        """The leaves that handle CHILD_DONE."""
        return self.handling(DONE)

    # ------------------------------------------------------------ what it says

    @cached_property
    def tells(self) -> bool:
        """Whether it reports to its parent."""
        return self.news.tells(self.name)

    @cached_property
    def stirs(self) -> bool:
        """Whether changes of its state are told though no count changes with them."""
        return self.news.stirs(self.name)

    @cached_property
    def tells_done(self) -> bool:
        """Whether a parent of it handles CHILD_DONE."""
        return self.news.tells_done(self.name)

    @cached_property
    def says(self) -> bool:
        """Whether a dispatch may leave messages."""
        return bool(self.news.kin.sends[self.name] or self.handed_on or (self.spread and self._children))

    @cached_property
    def posts(self) -> bool:
        """Whether anything goes from it to other tasks."""
        return self.says or self.tells

    @cached_property
    def returns(self) -> bool:
        """Whether it has a result."""
        return any(state.result is not None for state in self.machine.states)

    @cached_property
    def sought(self) -> bool:
        """Whether its tasks are looked for by their parent."""
        for parent in self.news.kin.parents[self.name]:
            other = Company(parent, self.news)
            if self.name in other.to_children or self.name in other.to_subtree:
                return True
            if self.news.reads_results(parent) and self.returns:
                return True
        return False

    @cached_property
    def _children(self) -> tuple[str, ...]:
        return self.news.kin.children[self.name]

    @cached_property
    def to_one(self) -> Routes:
        """What goes to one task."""
        found = _routes(
            (receiver, send.event)
            for send in self.news.kin.sends[self.name]
            if send.kin in {"parent", "root", ""}
            for receiver in self.news.kin.receivers(self.name, send)
        )
        for parent in self.news.kin.parents[self.name] if self.tells else ():
            if self.name in self.news.told(parent):
                found.setdefault(parent, set()).add("news")
        return found

    @cached_property
    def to_siblings(self) -> Routes:
        """What goes to a parent, for it to hand on."""
        return _routes(
            (parent, send.event)
            for send in self.news.kin.sends[self.name]
            if send.kin == "siblings"
            for parent in self.news.kin.parents[self.name]
        )

    @cached_property
    def to_children(self) -> Routes:
        """What goes to children."""
        own = {send.event for send in self.news.kin.sends[self.name] if send.kin == "children"}
        return _routes(
            (child, event)
            for child in self._children
            for event in own | self.handed_on
            if self.news.kin.takes(child, event)
        )

    @cached_property
    def to_subtree(self) -> Routes:
        """What goes to children, and on to theirs."""
        own = {send.event for send in self.news.kin.sends[self.name] if send.kin == "subtree"}
        return _routes(
            (child, event) for child in self._children for event in own | self.spread if self._wanted(child, event)
        )

    @cached_property
    def reached(self) -> list[str]:
        """The machines that something goes to."""
        return sorted({*self.to_one, *self.to_siblings, *self.to_children, *self.to_subtree})

    def arms(self) -> list[str]:
        """The queries that find who gets what."""
        found: list[str] = []
        for way, routes in (("one", self.to_one), ("siblings", self.to_siblings)):
            for name, events in sorted(routes.items()):
                found.append(
                    f"select {literal(name)}, p.receiver where p.way = '{way}' and p.event in ({_listed(events)})"
                    f" and exists (select from {_table(name)} t where t.id = p.receiver)"
                )
        for way, routes in (("children", self.to_children), ("subtree", self.to_subtree)):
            for name, events in sorted(routes.items()):
                found.append(
                    f"select {literal(name)}, t.id from {_table(name)} t where p.way = '{way}' and p.event in"
                    f" ({_listed(events)}) and t.parent = p.sender and t.id is distinct from p.but"
                )
        return [f"{'' if index == 0 else 'union all '}{arm}" for index, arm in enumerate(found)]

    # ------------------------------------------------------------ how it counts

    @cached_property
    def columns(self) -> list[Sql]:
        """The columns that all this takes."""
        found = {
            "_log jsonb": self.queues,
            '_told text collate "C"': self.queues,
            "_deferred jsonb": self.defers,
            "_posts jsonb": self.says,
            "_news jsonb": self.forwards,
            "_subtree jsonb": self.counts_subtree,
            "_children jsonb": self.counts_children,
            "_result jsonb": self.returns,
        }
        return [Sql(column) for column, there in found.items() if there]

    def key_of(self, state: str) -> Sql:
        """What a state counts as, of an expression for the state."""
        keys = self.news.keys(self.name)
        if len(set(keys.values())) == 1:
            return literal(next(iter(keys.values())))
        arms = " ".join(f"when {literal(leaf)} then {literal(key)}" for leaf, key in keys.items())
        return Sql(f"case {state} {arms} end")

    def look(self, tree: ir.Tree, column: Callable[[str], Sql]) -> Sql:
        """What a task sees of its children or descendants."""
        if tree.function == "results":
            return self._results(column("id"))
        if not self.told:
            return Sql({"count": "0", "some": "false", "all": "true"}[tree.function])
        counts = column("_subtree" if tree.of == "subtree" else "_children")
        number = f"jet.tally({counts}, {array_literal(tuple(self.news.asked(self.name, tree)))})"
        if tree.function == "count":
            return Sql(number)
        return Sql(f"({number} > 0)" if tree.function == "some" else f"({number} = jet.tally({counts}, null))")

    def _results(self, id: Sql) -> Sql:
        returning = [child for child in self._children if Company(child, self.news).returns]
        if not returning:
            return Sql("'[]'::jsonb")
        arms = " union all ".join(
            f"select t.id, t._result from {_table(child)} t where t.parent = {id} and t._result is not null"
            for child in returning
        )
        return Sql(f"(select coalesce(jsonb_agg(c._result order by c.id), '[]') from ({arms}) c)")

    @cached_property
    def newborn_keys(self) -> Sql:
        """What new children count as, by machine as a spawn names it."""
        kin = self.news.kin
        keys: Mapping[str, str] = {
            spawn.machine: self.news.key(made, kin.machines[made][1].initial)
            for spawn in kin.spawns[self.name]
            if not spawn.root and (made := kin.made(self.name, spawn)) in self.told
        }
        return json_literal(dict(sorted(keys.items())))


def _routes(pairs: Iterator[tuple[str, str]]) -> Routes:
    found: Routes = {}
    for name, event in pairs:
        found.setdefault(name, set()).add(event)
    return found


def _listed(events: set[str]) -> str:
    return ", ".join(literal(event) for event in sorted(events))


def _table(name: str) -> Sql:
    module, _, machine = name.partition(".")
    return Names(module, machine).table
