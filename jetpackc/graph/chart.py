"""From a machine to what its picture shows: which boxes there are, and which arrows lead where and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from jetpackc.graph.model import Arrow, ArrowKind, Chart, Label, Node
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin, full_name
from jetpackc.ir.text import expression, shortened, timer as timer_name
from jetpackc.records import dataclass

GUARD = 30
"""Characters of a guard, or of a delay, that are shown."""
LINE = 40
"""Characters of a line in a box that are shown."""
START = "*"
ANY = "*any"


def charts_of(program: ir.Program) -> Iterator[Chart]:
    """What pictures of all machines show, in their order."""
    kin = Kin(program)
    return (_chart(kin, module, machine) for module in program.modules for machine in module.machines)


def _chart(kin: Kin, module: ir.Module, machine: ir.Machine) -> Chart:
    happenings = [found for owner in (*machine.states, None) for found in _happenings(owner, machine)]
    told = _Told(kin, module.name, machine)
    arrows = _merged(arrow for found in happenings for arrow in _arrows(machine, found, told))
    used = {arrow.source for arrow in arrows} | {arrow.target for arrow in arrows}
    lines = _lines(happenings)
    claimable = {state.name for state in chart.claimable(machine)}
    nodes = [Node(START, "start", "")]
    if machine.on:
        nodes.append(Node(ANY, "any", "any state", lines=tuple(lines[None])))
    for state in machine.states:
        nodes.append(_state(machine, state, lines[state.name], claimable=state.name in claimable))
        if _any(state.name) in used:
            nodes.append(Node(_any(state.name), "any", f"any {state.name}", parent=state.name))
    others = dict.fromkeys(name for found in happenings for name in told.others(found.does))
    nodes += [Node(_machine(name), "machine", name) for name in others]
    return Chart(f"{module.name}.{machine.name}", machine.doc, tuple(nodes), (Arrow(START, machine.initial), *arrows))


@dataclass(frozen=True, slots=True)
class _Happening:
    """One end of one way through a clause. `owner` is the state that has the clause, None for the machine."""

    owner: str | None
    trigger: str
    guard: str
    does: ir.Goto | ir.Spawn | ir.Send | ir.Raise | ir.Fail | None


@dataclass(frozen=True, slots=True)
class _Told:
    """Whom a machine makes and tells something, by the names that they have in its module."""

    kin: Kin
    module: str
    machine: ir.Machine

    def others(self, does: object) -> Sequence[str]:
        """The machines that a statement may reach."""
        if isinstance(does, ir.Spawn):
            return (does.machine,)
        return tuple(map(self._short, self._receivers(does))) if isinstance(does, ir.Send) else ()

    def _receivers(self, send: ir.Send) -> Sequence[str]:
        """Those that may take it; of a task that was spawned under this name, its machine."""
        name = full_name(self.machine.name, self.module)
        if isinstance(send.to, ir.Ref):
            made = {self.kin.made(name, one) for one in self.kin.spawns[name] if one.alias == send.to.name}
            if made:
                return sorted(made)
        return self.kin.receivers(name, send)

    def _short(self, name: str) -> str:
        return name.removeprefix(f"{self.module}.")


def _happenings(owner: ir.State | None, machine: ir.Machine) -> Iterator[_Happening]:
    name = owner.name if owner else None
    for clause, trigger, guard in _triggers(owner.on if owner else machine.on):
        yield from _ends(name, trigger, guard, clause.body, stays=True)
    if owner is None:
        return
    for timer in owner.timers:
        guards = _guards(timer.clause.guard, otherwise=False)
        yield from _ends(name, timer_name(timer), guards, timer.clause.body, stays=True)
    for word, clauses in (("enter", owner.enter), ("exit", owner.exit)):
        otherwise = False
        for clause in clauses:
            guard = _guards(clause.guard, otherwise=otherwise)
            yield from _ends(name, word, guard, clause.body, stays=False)
            otherwise = otherwise or (clause.guard is not None and isinstance(clause.body[-1], ir.Goto))


def _triggers(clauses: Sequence[ir.Clause]) -> Iterator[tuple[ir.Clause, str, tuple[str, ...]]]:
    """Each clause with the words for its events and its guard; behind a guarded clause of the same, it is `else`."""
    guarded: set[str] = set()
    for clause in clauses:
        otherwise = bool(clause.events) and guarded.issuperset(clause.events)
        words = ", ".join("claim" if event == chart.LOCKED else event for event in clause.events)
        yield clause, words, _guards(clause.guard, otherwise=otherwise)
        if clause.guard is not None:
            guarded.update(clause.events)


def _guards(guard: ir.Expr | None, *, otherwise: bool) -> tuple[str, ...]:
    if guard is not None:
        return (expression(guard),)
    return ("else",) if otherwise else ()


def _joined(guards: tuple[str, ...]) -> str:
    """All of them. `else` behind `else` says no more."""
    return " and ".join(dict.fromkeys(guards))


def _ends(
    owner: str | None, trigger: str, guards: tuple[str, ...], body: Sequence[ir.Statement], *, stays: bool
) -> Iterator[_Happening]:
    """What the ways through a block come to. `stays`: say so where it has no other end."""
    told = False
    guard = _joined(guards)
    for statement in body:
        match statement:
            case ir.When(branches=branches):
                for branch in branches:
                    inner = (*guards, *_guards(branch.guard, otherwise=len(branches) > 1))
                    for found in _ends(owner, trigger, inner, branch.body, stays=False):
                        told = True
                        yield found
            case ir.Goto() | ir.Raise() | ir.Fail() | ir.Spawn() | ir.Send():
                told = told or not isinstance(statement, ir.Spawn | ir.Send)
                yield _Happening(owner, trigger, guard, statement)
            case ir.Set():
                pass
    if stays and not told:
        yield _Happening(owner, trigger, guard, None)


# ---------------------------------------------------------------- boxes


def _state(machine: ir.Machine, state: ir.State, stays: Sequence[str], *, claimable: bool) -> Node:
    leaf = state.initial is None
    around = chart.states(machine)[state.parent] if state.parent else None
    lines = [f"run {state.run}"] if state.run else []
    lines += [f"timeout {expression(state.timeout)}"] if state.timeout else []
    lines += stays
    lines += [f"ignore {', '.join(state.ignore)}"] if state.ignore else []
    return Node(
        state.name,
        state.kind if leaf else "composite",
        state.name,
        state.parent,
        tuple(shortened(line, LINE) for line in lines),
        initial=state.name == (around.initial if around else machine.initial),
        claimable=claimable,
        running=state.run is not None,
    )


def _lines(happenings: Iterable[_Happening]) -> defaultdict[str | None, list[str]]:
    """What happens in each state, or in any, and leads nowhere else."""
    found = defaultdict(list)
    for one in happenings:
        if line := _line(one):
            found[one.owner].append(line)
    return found


def _line(found: _Happening) -> str:
    match found.does:
        case ir.Raise(event=event):
            return f"{_when(found, GUARD)} raises {event}"
        case ir.Fail(message=message):
            return f"{_when(found, GUARD)} fails: {expression(message)}"
        case None:
            return f"{_when(found, GUARD)} stays"
        case _:
            return ""


# ---------------------------------------------------------------- arrows


def _arrows(machine: ir.Machine, found: _Happening, told: _Told) -> Iterator[Arrow]:
    source = _source(machine, found.owner)
    match found.does:
        case ir.Goto(target=target, reenter=reenter, delay=wait):
            delay, again = _delay(wait), " reenter" if reenter else ""
            label = Label(f"{_when(found, GUARD)}{again}{_short(delay)}", f"{_when(found)}{again}{delay}")
            yield Arrow(source, target, (label,))
        case ir.Spawn(root=root, delay=wait):
            words = "spawn root" if root else "spawn"
            label = Label(f"{_when(found, GUARD)}: {words}", f"{_when(found)}: {words}{_delay(wait)}")
            yield from (Arrow(source, _machine(name), (label,), "spawn") for name in told.others(found.does))
        case ir.Send(kin=kin, event=event, to=to):
            whom = kin or (expression(to) if to is not None else "")
            label = Label(
                f"{_when(found, GUARD)}: send {shortened(whom, GUARD)} {event}", f"{_when(found)}: send {whom} {event}"
            )
            yield from (Arrow(source, _machine(name), (label,), "send") for name in told.others(found.does))


def _source(machine: ir.Machine, owner: str | None) -> str:
    """The box that an arrow begins at. A composite has one inside, for an arrow from its border would have to go around
    what is in it."""
    if owner is None:
        return ANY
    return owner if chart.states(machine)[owner].initial is None else _any(owner)


def _delay(delay: ir.Expr | None) -> str:
    return f" in {expression(delay)}" if delay is not None else ""


def _short(delay: str) -> str:
    return f" {shortened(delay, GUARD)}" if delay else ""


def _when(found: _Happening, length: int = 10_000) -> str:
    return f"{found.trigger} [{shortened(found.guard, length)}]" if found.guard else found.trigger


def _merged(arrows: Iterable[Arrow]) -> tuple[Arrow, ...]:
    """One arrow for all of a kind that have the same ends."""
    found: dict[tuple[str, str, ArrowKind], dict[Label, None]] = {}
    for arrow in arrows:
        found.setdefault((arrow.source, arrow.target, arrow.kind), {}).update(dict.fromkeys(arrow.labels))
    return tuple(Arrow(source, target, tuple(labels), kind) for (source, target, kind), labels in found.items())


def _any(state: str) -> str:
    return f"{ANY} {state}"


def _machine(name: str) -> str:
    return f"*machine {name}"
