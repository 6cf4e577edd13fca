"""The lines of the step function: what each state does with each event, and what entering and leaving do."""

from __future__ import annotations

from jetpackc.emit import timers
from jetpackc.emit.expressions import typed
from jetpackc.emit.sql import Sql, kind_name, literal
from jetpackc.emit.statements import Context, block, conditional, indent, place
from jetpackc.ir import chart, model as ir, text
from jetpackc.records import dataclass, replace

LOCKED = "LOCKED_BY_WORKER"
SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True)
class PlainClaim:
    """A claim that does nothing but move and, perhaps, count the attempt."""

    state: Sql
    target: Sql
    increments: bool
    place: Sql


@dataclass(frozen=True, slots=True)
class PlainEnd:
    """A SUCCESS that only sets something and moves to where no work waits: how most runs end."""

    state: Sql
    target: Sql
    ended: Sql
    needs: list[Sql]
    sets: list[Sql]
    clears: bool
    place: Sql


def plain_claims(machine: ir.Machine) -> list[PlainClaim]:
    """The claims whose step needs none of the general machinery, and whose history can wait for the next hop."""
    return [found for state in chart.claimable(machine) if (found := _plain_claim(machine, state)) is not None]


def _plain_claim(machine: ir.Machine, state: ir.State) -> PlainClaim | None:
    clause = chart.clauses(machine, state.name, LOCKED)[0]
    *effects, last = clause.body
    if clause.guard is not None or not isinstance(last, ir.Goto) or last.delay is not None or last.reenter:
        return None
    if any(not _increments_attempts(effect) for effect in effects) or len(effects) > 1:
        return None
    if _entered(machine, last.target, state.name) or _left(machine, state.name, last.target):
        return None
    if not timers.keeps(machine, state.name, last.target):
        return None
    return PlainClaim(literal(state.name), literal(last.target), bool(effects), Sql(place(clause.span) or "a claim"))


def plain_ends(context: Context) -> list[PlainEnd]:
    """The ends of work whose step needs none of the general machinery."""
    return [found for state in chart.running(context.machine) if (found := _plain_end(context, state)) is not None]


def _plain_end(context: Context, state: ir.State) -> PlainEnd | None:
    machine = context.machine
    clause = next(iter(chart.clauses(machine, state.name, SUCCESS)), None)
    if clause is None or not clause.body:
        return None
    *effects, last = clause.body
    if clause.guard is not None or not isinstance(last, ir.Goto) or last.delay is not None or last.reenter:
        return None
    target = chart.states(machine)[last.target]
    if (
        target.result is not None
        or target is state
        or target.run is not None
        or chart.clauses(machine, target.name, LOCKED)
    ):
        return None
    if not all(isinstance(effect, ir.Set) for effect in effects):
        return None
    if _entered(machine, target.name, state.name) or _left(machine, state.name, target.name):
        return None
    if any(one.default is not None for one in chart.fields(machine, SUCCESS, state.name)):
        return None
    clears = bool(chart.timers(machine, state.name)) and not chart.timers(machine, target.name)
    if not clears and not timers.keeps(machine, state.name, target.name):
        return None
    return PlainEnd(
        literal(state.name),
        literal(target.name),
        Sql("false" if target.kind == "plain" else "true"),
        [literal(one.name) for one in _required(machine, SUCCESS, state)],
        [Sql(line) for line in block(tuple(effects), context)] if effects else [],
        clears,
        Sql(place(clause.span) or "a success"),
    )


@dataclass(frozen=True, slots=True)
class Filled:
    """A field of an event that takes its default where it is missing or null. `test`: whether it is that event."""

    test: Sql
    key: Sql
    value: Sql


def filled(context: Context) -> list[Filled]:
    """Every field with a default, of every event of the machine."""
    return [
        Filled(_is_event(signature, context.machine), literal(field.name), typed(field.default, context.scope))
        for signature in context.machine.signatures
        for field in signature.fields
        if field.default is not None
    ]


def _is_event(signature: ir.Signature, machine: ir.Machine) -> Sql:
    event = f"v_event = {literal(signature.event)}"
    if not signature.state:
        return Sql(event)
    own = [
        leaf.name
        for leaf in chart.leaves_of(machine, signature.state)
        if chart.fields(machine, signature.event, leaf.name) is signature.fields
    ]
    return Sql(f"{event} and new.state in ({', '.join(map(literal, own)) or 'null'})")


def _increments_attempts(node: ir.Statement) -> bool:
    match node:
        case ir.Set("attempts", ir.Binary("+", ir.Ref("builtin", "attempts"), ir.Literal(1))):
            return True
        case _:
            return False


def _entered(machine: ir.Machine, leaf: str, former: str | None) -> list[ir.State]:
    """The states with something to do on entry to `leaf`, from outer to inner."""
    around = () if former is None else {state.name for state in chart.ancestors(machine, former)}
    return [state for state in reversed(chart.ancestors(machine, leaf)) if state.enter and state.name not in around]


def _left(machine: ir.Machine, leaf: str, target: str) -> list[ir.State]:
    around = {state.name for state in chart.ancestors(machine, target)}
    return [state for state in chart.ancestors(machine, leaf) if state.exit and state.name not in around]


def begins(machine: ir.Machine) -> bool:
    """Whether creating a task runs anything: an `enter` that does more than set the attempts to the 0 they are, or a
    timer that is set."""
    return bool(chart.timers(machine, machine.initial)) or any(
        not (clause.guard is None and all(_zeroes_attempts(node) for node in clause.body))
        for state in _entered(machine, machine.initial, None)
        for clause in state.enter
    )


def _zeroes_attempts(node: ir.Statement) -> bool:
    match node:
        case ir.Set("attempts", ir.Literal(0)):
            return True
        case _:
            return False


def dispatch_lines(context: Context) -> list[str]:
    """Which clause takes `v_event` in `new.state`; those at work first, since most events come to them."""
    machine = context.machine
    leaves = sorted(chart.leaves(machine), key=lambda leaf: leaf.run is None)
    arms = [(leaf, found) for leaf in leaves if (found := _events(leaf, context))]
    if not arms:
        return ["v_taken := false;"]
    lines: list[str] = []
    for index, (leaf, body) in enumerate(arms):
        lines.append(f"{'els' if index else ''}if new.state = {literal(leaf.name)} then")
        lines.extend(indent(body))
    return [*lines, "else", "  v_taken := false;", "end if;"]


def _events(leaf: ir.State, context: Context) -> list[str]:
    lines: list[str] = []
    for event in chart.events(context.machine, leaf.name):
        lines.append(f"{'els' if lines else ''}if v_event = {literal(event)} then")
        body = _clauses(leaf, event, context)
        lines.extend(indent(_checked(leaf, event, body, context)))
    for line in _timers(leaf, context):
        lines.append(f"{'els' if lines and line == _IF_TIMER else ''}{line}")
    return [*lines, "else", "  v_taken := false;", "end if;"] if lines else []


_IF_TIMER = f"if v_event = {literal(timers.EVENT)} then"


def _timers(leaf: ir.State, context: Context) -> list[str]:
    """What each timer does that runs in a leaf; the history has its name for the event."""
    lines: list[str] = []
    for number, timer in enumerate(chart.timers(context.machine, leaf.name), 1):
        lines.append(f"{'els' if lines else ''}if v_timer = {number} then")
        lines.append(f"  new._event := {literal(text.timer(timer))};")
        lines.extend(indent(_arms(leaf, (timer.clause,), context)))
    return [_IF_TIMER, *indent([*lines, "else", "  v_taken := false;", "end if;"])] if lines else []


def _checked(leaf: ir.State, event: str, body: list[str], context: Context) -> list[str]:
    """A worker's outcome that lacks a field is not taken; one sent from outside was checked where it came in."""
    required = _required(context.machine, event, leaf)
    if not required:
        return body
    lines: list[str] = []
    for one in required:
        told = literal(f"{event} needs field '{one.name}' ({kind_name(one.type)}{'[]' if one.type.array else ''})")
        lines.append(
            f"{'els' if lines else ''}if new._fence is not null and (new._payload ->> {literal(one.name)}) is null then"
        )
        lines += [f"  v_unfit := {told};", "  v_taken := false;"]
    return [*lines, "else", *indent(body), "end if;"]


def _required(machine: ir.Machine, event: str, leaf: ir.State) -> list[ir.Field]:
    """The fields that a worker's outcome must have."""
    fields = chart.fields(machine, event, leaf.name) if leaf.run is not None and event != "ERROR" else ()
    return [one for one in fields if not one.type.optional and one.default is None]


def _clauses(leaf: ir.State, event: str, context: Context) -> list[str]:
    return _arms(leaf, chart.clauses(context.machine, leaf.name, event), context)


def _arms(leaf: ir.State, clauses: tuple[ir.Clause, ...], context: Context) -> list[str]:
    arms = []
    for clause in clauses:
        comment = [f"-- {where}"] if (where := place(clause.span)) else []
        inside = replace(context, reentered=chart.reentered(context.machine, leaf.name, clause))
        arms.append((clause.guard, comment + list(block(clause.body, inside))))
    return list(conditional(tuple(arms), context, otherwise="v_taken := false;"))


def tracks_origin(machine: ir.Machine) -> bool:
    """Whether entering or leaving depends on where the task comes from or goes: an `exit`, a timer, or a composite's
    `enter`."""
    return timers.has_timers(machine) or any(
        state.exit or (state.enter and chart.leaves_of(machine, state.name) != (state,)) for state in machine.states
    )


def _if_any(context: Context, variable: str) -> str:
    """The variable that tells of a `reenter`, which a machine without one does not have."""
    return variable if timers.reenters(context.machine) else ""


def enter_lines(context: Context) -> list[str]:
    """What entering `new.state` from `v_from` does, from outer to inner; all whose guard is true, until one moves on."""
    states = sorted(context.machine.states, key=lambda state: len(chart.ancestors(context.machine, state.name)))
    return _passages(
        context, [(state, state.enter) for state in states], "new.state", "v_from", _if_any(context, "v_again")
    )


def exit_lines(context: Context) -> list[str]:
    """What leaving `v_from` for `v_to` does, from inner to outer."""
    states = sorted(context.machine.states, key=lambda state: -len(chart.ancestors(context.machine, state.name)))
    return _passages(
        context, [(state, state.exit) for state in states], "v_from", "v_to", _if_any(context, "v_reenter")
    )


def _passages(
    context: Context, states: list[tuple[ir.State, tuple[ir.Clause, ...]]], here: str, there: str, again: str
) -> list[str]:
    """The clauses of each state that `here` is inside of and `there` is not, or that lies in the one reentered."""
    lines: list[str] = []
    for state, clauses in states:
        if clauses:
            lines.append(f"if {_inside(context.machine, state, here, there, again)} then")
            for clause in clauses:
                lines.extend(indent(_entry(clause, replace(context, reentered=state.name))))
            lines.append("end if;")
    return lines


def _entry(clause: ir.Clause, context: Context) -> list[str]:
    comment = [f"-- {where}"] if (where := place(clause.span)) else []
    return comment + list(conditional(((clause.guard, list(block(clause.body, context, tail=False))),), context))


def _inside(machine: ir.Machine, state: ir.State, here: str, there: str, again: str) -> str:
    """`here` is inside the state and `there` is not (or nowhere), or it is left and entered `again`, as a leaf always is
    and any other when it lies in the state that `reenter` means."""
    names = [leaf.name for leaf in chart.leaves_of(machine, state.name)]
    if names == [state.name]:
        return f"{here} = {literal(state.name)}"
    listed = ", ".join(literal(name) for name in names)
    around = ", ".join(literal(outer.name) for outer in chart.ancestors(machine, state.name))
    returns = f" or {again} in ({around})" if again else ""
    return f"{here} in ({listed}) and ({there} is null or {there} not in ({listed}){returns})"
