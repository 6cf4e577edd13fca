"""Limits and turns: a lane is what has the same value of the param that they go by, or the whole machine.

How many tasks of a lane are at work stands in one row, which claims alone write; an end of work adds a row beside it, which
the next claim of that lane counts and takes away. docs/decisions/0014-limits-in-the-claim.md tells why.
"""

from __future__ import annotations

from jetpackc.emit.objects import SqlObject
from jetpackc.emit.render import render
from jetpackc.emit.shape import Shape
from jetpackc.emit.sql import Sql, ident, literal
from jetpackc.ir import model as ir
from jetpackc.records import dataclass

WHOLE = ""
"""The lane of the whole machine. Those of values begin with `=`, that of null is `-`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds one kind of lane: how many may be at work, and how many may begin within some milliseconds."""

    at_work: Sql | None
    rates: list[tuple[int, int]]
    prefix: str
    was: str
    taken: str
    took: str
    """What this claim has taken before, where rates do not tell it yet."""

    def __bool__(self) -> bool:
        return self.at_work is not None or bool(self.rates)

    @property
    def room(self) -> Sql:
        """How many more may begin."""
        rooms = [f"{self.at_work} - {self.prefix}running"] if self.at_work else []
        less = f" - {self.took}" if self.took else ""
        rooms += [f"jet.rate_left({self.prefix}begun, {window}, {count}, v_now){less}" for window, count in self.rates]
        return Sql(rooms[0] if len(rooms) == 1 else f"least({', '.join(rooms)})")

    @property
    def begun(self) -> Sql:
        """What `begun` becomes when `taken` more begin."""
        text = self.was
        for window, _ in self.rates:
            text = f"jet.rate_begun({text}, {window}, {self.taken}, v_now)"
        return Sql(text)


def key(machine: ir.Machine) -> str:
    """The param whose values are lanes; empty where the whole machine is one."""
    return machine.fair or next((limit.by for limit in machine.limits if limit.by), "")


def each(machine: ir.Machine) -> Bounds:
    """The limits of each lane, where there are lanes."""
    name = key(machine)
    return bounds(machine, name) if name else Bounds(None, [], "", "", "", "")


def bounds(machine: ir.Machine, by: str) -> Bounds:
    """The limits of each value of `by`, or with an empty one of the whole machine."""
    own = [limit for limit in machine.limits if limit.by == by]
    counts = [limit.count for limit in own if limit.window is None]
    rates = {limit.window: limit.count for limit in sorted(own, key=lambda one: -one.count) if limit.window is not None}
    prefix, *rest = ("v_", "r.begun", "r.took", "v_took") if by else ("v_wide_", "v_wide_begun", "v_taken", "")
    return Bounds(Sql(str(min(counts))) if counts else None, sorted(rates.items()), prefix, *rest)


def column(shape: Shape) -> Sql | None:
    """The generated column that says which lane a task is in."""
    name = key(shape.machine)
    if not name or not shape.works:
        return None
    optional = next(param.type.optional for param in shape.machine.params if param.name == name)
    lane = f"'=' || {ident(name)}::text"
    lane = f"case when {ident(name)} is null then '-' else {lane} end" if optional else lane
    return Sql(f'_lane text collate "C" not null generated always as ({lane}) stored')


def columns(shape: Shape) -> list[SqlObject]:
    """That column, for a table that exists already."""
    definition = column(shape)
    if definition is None:
        return []
    table = shape.names.table
    text = f"alter table {table} add column {definition};"
    drop = f"alter table {table} drop column _lane;"
    return [SqlObject("column", f"{table}._lane", text, drop, within=f"table {table}", identity=definition)]


def definitions(shape: Shape) -> list[Sql]:
    """The same, as it stands in the table."""
    found = column(shape)
    return [] if found is None else [found]


def claim_index(shape: Shape) -> SqlObject:
    """What can be claimed, in the order of claims. One over lanes goes with their column where that changes."""
    table, name = shape.names.table, shape.names.bare("claim")
    full = shape.names.public("claim")
    laned = column(shape)
    over = "_priority, _lane, run_at, id" if laned else "_priority, run_at, id"
    text = f"create index {name} on {table} ({over}) where run_at is not null;"
    drop = f"drop index {'if exists ' if laned else ''}{full};"
    return SqlObject("index", full, text, drop, identity=f"{text} {laned}" if laned else "")


def tables(shape: Shape) -> list[SqlObject]:
    """The rows of the lanes, and what was given back; none where nothing is limited."""
    machine = shape.machine
    if not machine.limits or not shape.works:
        return []
    wide, lane = bounds(machine, WHOLE), each(machine)
    counted = bool(wide.at_work or lane.at_work)
    text = render(
        "lanes_table",
        lanes=shape.names.internal("lanes"),
        freed=shape.names.internal("freed"),
        table=shape.names.table,
        label=Sql(shape.names.label),
        pkey=shape.names.bare_internal("lanes_pkey"),
        by_lane=shape.names.bare_internal("freed_lane"),
        counted=counted,
        wide=wide.at_work is not None,
        each=lane.at_work is not None,
    )
    lanes, freed = shape.names.internal("lanes"), shape.names.internal("freed")
    drop = f"drop table {lanes};" + (f"\ndrop table {freed};" if counted else "")
    # Where the lanes change, what is at work is counted anew.
    identity = f"{text} {column(shape) or ''}"
    return [SqlObject("table", lanes, text, drop, identity=identity)]


def for_claim(shape: Shape) -> dict[str, object]:
    """What the templates of claims ask for."""
    machine = shape.machine
    return {
        "key": Sql(key(machine)),
        "lanes": shape.names.internal("lanes"),
        "freed": shape.names.internal("freed"),
        "wide": bounds(machine, WHOLE),
        "each": each(machine),
        "lock": literal(shape.names.label),
        "again": Sql(_again(machine)),
    }


def _again(machine: ir.Machine) -> str:
    """Seconds after which a worker asks again for what a limit kept back."""
    waits = [0.1 if limit.window is None else min(1.0, max(limit.window / 64_000, 0.01)) for limit in machine.limits]
    return f"{min(waits, default=0.1):g}"


def for_log(shape: Shape) -> dict[str, object]:
    """What the trigger behind each statement gives back: slots of the whole machine, of lanes."""
    machine = shape.machine
    return {
        "freed": shape.names.internal("freed"),
        "free_wide": shape.works and bounds(machine, WHOLE).at_work is not None,
        "free_each": shape.works and each(machine).at_work is not None,
    }
