"""The timers of a machine: which moments a task keeps, when they are set and put out, and what fires them.

A task keeps a moment for each timer that runs in its leaf, in the order of `chart.timers`. So a timer more in one state
moves none of another state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jetpackc.check import walk
from jetpackc.emit import retention, uniques
from jetpackc.emit.expressions import top
from jetpackc.emit.objects import SqlObject, function
from jetpackc.emit.render import render
from jetpackc.emit.schedules import fire_slots
from jetpackc.emit.shape import PINNED, SETTINGS, Shape
from jetpackc.emit.sql import Sql, ident, literal, qualified
from jetpackc.emit.statements import Context, indent, place
from jetpackc.ir import chart, model as ir
from jetpackc.records import dataclass

EVENT = "timer"
"""The engine's own event: the first timer that is due fires. The history tells which one that was."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A state with timers, the leaves in which they run, the place of its first one among a task's moments."""

    state: ir.State
    leaves: tuple[str, ...]
    first: int


def has_timers(machine: ir.Machine) -> bool:
    """Whether tasks of this machine keep moments."""
    return any(state.timers for state in machine.states)


def numbers(machine: ir.Machine) -> range:
    """The places of the moments that a task keeps, from 1."""
    return range(1, max(len(chart.timers(machine, leaf.name)) for leaf in chart.leaves(machine)) + 1)


def timed(machine: ir.Machine) -> list[Timed]:
    """The states that have timers, outer ones first."""
    return [
        Timed(state, _leaves(machine, state), 1 + sum(len(outer.timers) for outer in _around(machine, state)))
        for state in machine.states
        if state.timers
    ]


def _around(machine: ir.Machine, state: ir.State) -> tuple[ir.State, ...]:
    return chart.ancestors(machine, state.name)[1:]


def _leaves(machine: ir.Machine, state: ir.State) -> tuple[str, ...]:
    return tuple(leaf.name for leaf in chart.leaves_of(machine, state.name) if leaf.kind == "plain")


def reenters(machine: ir.Machine) -> bool:
    """Whether some clause of the machine has `reenter`."""
    return any(goto.reenter for goto in walk.gotos(walk.all_clauses(machine)))


def keeps(machine: ir.Machine, leaf: str, target: str) -> bool:
    """Whether the move sets no timer and puts none out."""
    return [*map(id, chart.timers(machine, leaf))] == [*map(id, chart.timers(machine, target))]


# ---------------------------------------------------------------- in the step function


def in_step(context: Context) -> dict[str, object]:
    """What the template of the step function asks for."""
    machine = context.machine
    if not has_timers(machine):
        return {"timers": [], "moments": [], "born_timers": []}
    places = [*numbers(machine)]
    return {
        "timers": places,
        "moments": [Sql(f"v_timer_{number}") for number in places],
        "born_timers": born_lines(machine),
        "passing_timers": passage_lines(machine, "v_again" if reenters(machine) else ""),
        "resting_timers": rest_lines(context),
    }


def born_lines(machine: ir.Machine) -> list[str]:
    """A new task: the timers of its first state are to be set."""
    return [_ask(number) for number in range(1, len(chart.timers(machine, machine.initial)) + 1)]


def passage_lines(machine: ir.Machine, again: str) -> list[str]:
    """The move from `v_from` to `v_to`: the timers of what it leaves go out, those of what it enters are to be set.
    `again` is the variable of a `reenter`, empty where the machine has none."""
    found = timed(machine)
    out = [line for one in found for line in _passage(one, _passes(machine, one, ("v_from", "v_to", again)), _drop)]
    return out + [
        line for one in found for line in _passage(one, _passes(machine, one, ("v_to", "v_from", again)), _ask)
    ]


def _passage(one: Timed, when: str, does: Callable[[int], str]) -> Iterator[str]:
    yield f"if {when} then"
    yield from indent([does(number) for number, _ in enumerate(one.state.timers, one.first)])
    yield "end if;"


def _passes(machine: ir.Machine, one: Timed, variables: tuple[str, str, str]) -> str:
    """The condition that the state is one of those around the first leaf that the other leaf does not share, or that
    lie in the one left and entered `again`."""
    here, there, again = variables
    listed = ", ".join(map(literal, one.leaves))
    if one.leaves == (one.state.name,):
        return f"{here} = {listed}"
    around = ", ".join(literal(state.name) for state in chart.ancestors(machine, one.state.name))
    returns = f" or {again} in ({around})" if again else ""
    return f"{here} in ({listed}) and ({there} not in ({listed}){returns})"


def _drop(number: int) -> str:
    return f"v_timer_{number} := null;"


def _ask(number: int) -> str:
    """What is to be set holds the past's end until the task rests."""
    return f"v_timer_{number} := '-infinity';"


def rest_lines(context: Context) -> list[str]:
    """The task rests: the moments of the timers that are to be set."""
    lines: list[str] = []
    for one in timed(context.machine):
        for number, timer in enumerate(one.state.timers, one.first):
            lines += _set(one, number, timer, context)
    return lines


def _set(one: Timed, number: int, timer: ir.Timer, context: Context) -> Iterator[str]:
    name = f"v_timer_{number}"
    if where := place(timer.span):
        yield f"-- {where}"
    listed = ", ".join(map(literal, one.leaves))
    yield f"if {name} = '-infinity' and new.state in ({listed}) then"
    value = top(timer.value, context.scope)
    yield f"  {name} := {value if timer.kind == 'at' else _later(timer.value, value)};"
    if timer.kind == "at":
        yield f"  if {name} < v_now then"
        yield f"    {name} := v_now;"
        yield "  end if;"
    yield "end if;"


def _later(value: ir.Expr, text: Sql) -> str:
    if isinstance(value, ir.Literal) and isinstance(value.value, int) and value.value >= 0:
        return f"v_now + {text}"
    return f"v_now + greatest({text}, interval '0 s')"


# ---------------------------------------------------------------- what fires them


def timer_objects(shape: Shape) -> list[SqlObject]:
    """`m_fire`, for a machine that has timers."""
    if not has_timers(shape.machine):
        return []
    name = shape.names.public("fire")
    text = render(
        "fire",
        fire=name,
        table=shape.names.table,
        trouble=shape.names.internal("trouble"),
        unmet=uniques.unmet(shape),
        settings=SETTINGS,
        pinned=PINNED,
    )
    return [function(name, text, "integer, jsonb")]


def timers_of(module: ir.Module, shapes: list[Shape]) -> list[SqlObject]:
    """What a module with timers, schedules or retention hangs on `jet.pulse`, and what says when something comes due."""
    fires = [
        Sql(f"({shape.names.public('fire')}(new.quota) ->> 'fired')::integer")
        for shape in shapes
        if has_timers(shape.machine)
    ]
    fires += [call for shape in shapes for call in retention.calls(shape)]
    if module.schedules:
        fires.append(Sql(f"{fire_slots(module)}(new.quota)"))
    return [*(_pulse(module, fires) if fires else []), *_due(module, shapes)]


def _pulse(module: ir.Module, fires: list[Sql]) -> list[SqlObject]:
    name, trigger = qualified(module.name, "_fire"), ident(f"{module.name}_fire")
    text = f"create trigger {trigger} after update of fires on jet.pulse\n  for each row execute function {name}();"
    return [
        function(name, render("fire_all", fire_all=name, fires=fires), ""),
        SqlObject("trigger", f"jet.pulse.{trigger}", text, f"drop trigger {trigger} on jet.pulse;"),
    ]


def _due(module: ir.Module, shapes: list[Shape]) -> list[SqlObject]:
    queries = [
        f"select min(t.{column}) as at from {shape.names.table} t where t.{column} > _after{among}"
        for shape in shapes
        for column, among in _dues(shape)
    ]
    if module.schedules:
        queries.append(f"select jet.next_slot({literal(module.name)}, _after) as at")
    if not queries:
        return []
    name = qualified(module.name, "_due")
    lines = [*(f"{query} union all" for query in queries[:-1]), queries[-1]]
    return [function(name, render("due", due=name, queries=lines), "timestamptz")]


def _dues(shape: Shape) -> Iterator[tuple[str, str]]:
    if shape.works:
        yield "run_at", f" and t.state in ({shape.claimable_list})"
    if has_timers(shape.machine):
        yield "_timer_at", ""
