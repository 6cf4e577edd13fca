"""One event to one task, run to completion: clause, effects, exits, the state, enters, and on until it rests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from jetpackc.interpret.expressions import Scope
from jetpackc.interpret.model import Event, Hop, Spawned, Task
from jetpackc.ir import chart, model as ir, text
from jetpackc.ir.kin import full_name
from jetpackc.records import dataclass, replace
from jetpackc.values.convert import cast, to_json
from jetpackc.values.errors import BAD_CALL, FAIL, NO_VALUE, TOO_MANY_HOPS, UndoneError
from jetpackc.values.fields import lacking, values
from jetpackc.values.text import Enums

MAX_HOPS = 100
FLUSHED = "SUBTREE_FLUSHED"
_INT = ir.Type("int")
_NOW = timedelta()
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Move:
    """An arrow that was taken: where to, how long until it can be claimed, and what `reenter` leaves."""

    target: str
    delay: timedelta | None
    reenters: str | None


@dataclass(slots=True)
class Dispatch:
    """One dispatch. `task` is a copy that changes on the way; `hops` and `spawned` are what came of it."""

    machine: ir.Machine
    enums: Enums
    task: Task
    at: datetime
    actor: str
    hops: list[Hop] = field(default_factory=list)
    spawned: list[Spawned] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    """The vars that this hop has set so far."""
    sent: list[tuple[str, int | None, Event]] = field(default_factory=list)
    """Messages: for which kin, or whom, and what."""
    results: Callable[[], Any] = list
    meet: Callable[[Spawned, bool], tuple[Spawned, bool]] = lambda new, _named: (new, True)
    """A task to be made, with the id that it will have or that of the one it meets, where that matters; whether it is
    one more to be made."""
    meets: Callable[[Spawned], bool] = bool
    """Whether a task to be made would meet one that is there."""
    rests: bool = False
    """Whether it has entered a state since SUBTREE_FLUSHED."""
    asked: bool = False
    """Whether it has come to rest in a state that handles SUBTREE_FLUSHED, with nothing unfinished below."""

    def begin(self, new: Spawned) -> None:
        """Tasks: params as they are given, else defaults; then the enters of the initial state. Raises UndoneError."""
        scope, task = self._scope(), self.task
        for param in self.machine.params:
            value, type = new.arguments.get(param.name, (None, param.type))
            given = cast(value, type, param.type, self.enums)
            task.params[param.name] = _default(param, scope) if given is None else given
            if task.params[param.name] is None and not param.type.optional:
                raise UndoneError(BAD_CALL, f"{task.machine} needs {param.name}")
        for var in self.machine.vars:
            task.vars[var.name] = _default(var, scope)
        if new.priority is not None:
            task.priority = new.priority
        elif self.machine.priority is not None:
            task.priority = scope.value(self.machine.priority, _INT)
        self._stand(task.state, new.delay)
        move = self._enter(chart.ancestors(self.machine, task.state)[::-1])
        self.record(None, None, None, task.state)
        self._go_on(move)

    def take(self, event: Event) -> bool:
        """Events: do what the first clause whose guard is true says; False where there is none. Raises UndoneError.

        Work: what a handler set counts before the guards do; ERROR drops it."""
        if not chart.clauses(self.machine, self.task.state, event.name):
            return False
        if event.name != "ERROR":
            given = [var for var in self.machine.vars if var.name in event.set]
            self.task.vars |= values(given, event.set, self.enums)
            self.assigned |= {var.name for var in given}
        payload, fields = self.read(event)
        clause, state = self._pick(event.name, fields), self.task.state
        if clause is None:
            return False
        move = self._clause(clause, fields)
        following = self._move(move) if move else None
        self.record(event.name, payload, state, self.task.state)
        self._go_on(following)
        return True

    def fire(self) -> None:
        """Timers: the one that is due first does what its clause says, if its guard is true. Raises UndoneError."""
        timer, payload = self.spend()
        state, holds = self.task.state, self._scope().holds(timer.clause.guard)
        move = self._clause(timer.clause) if holds else None
        following = self._move(move) if move else None
        self.record(text.timer(timer), payload, state, self.task.state if holds else None)
        self._go_on(following)

    def spend(self) -> tuple[ir.Timer, dict[str, Any]]:
        """Timers: the one that is due first, of several due at once the one that stands first, and what the history
        tells of its firing. It fires no more."""
        timers = self.task.timers
        due, place = min((moment, place) for place, moment in enumerate(timers) if moment is not None)
        self.task.timers = (*timers[:place], None, *timers[place + 1 :])
        lag = Decimal((self.at - due) // timedelta(microseconds=1)) / 1_000_000
        return chart.timers(self.machine, self.task.state)[place], {"due": to_json(due, "timestamptz"), "lag": lag}

    def read(self, event: Event) -> tuple[Any, dict[str, Any]]:
        """Events: the payload with its defaults, which stand in for what is left out or null; its fields' values."""
        payload, fields = dict(event.payload or {}), self._fields(event)
        for each in fields:
            if each.default is not None and payload.get(each.name) is None:
                payload[each.name] = to_json(_default(each, self._scope()), each.type.kind)
        return payload or event.payload, values(fields, payload, self.enums)

    def lacking(self, event: Event) -> str | None:
        """Work: which field of what a handler returned is missing; None where it fits, or where no clause takes it."""
        if event.name == "ERROR" or not chart.clauses(self.machine, self.task.state, event.name):
            return None
        return lacking(event.name, event.payload or {}, self._fields(event))

    def _fields(self, event: Event) -> tuple[ir.Field, ...]:
        return chart.ERROR_FIELDS if event.name == "ERROR" else chart.fields(self.machine, event.name, self.task.state)

    # ------------------------------------------------------------ from hop to hop

    def _go_on(self, move: Move | None) -> None:
        """One dispatch: on, until the task rests."""
        while move is not None:
            state = self.task.state
            move = self._move(move)
            self.record(None, None, state, self.task.state)
        if self._is_flushed() and (clause := self._pick(FLUSHED, _NONE)):
            state = self.task.state
            move = self._clause(clause)
            following = self._move(move) if move else None
            self.record(FLUSHED, None, state, self.task.state)
            self._go_on(following)
        unset = chart.timers(self.machine, self.task.state)[len(self.task.timers) :]
        self.task.timers += tuple(map(self._moment, unset))
        for var in self.machine.vars:  # an ERROR that no worker sends may lack fields: null, where types say it is not
            if self.task.vars[var.name] is None and not var.type.optional:
                raise UndoneError(NO_VALUE, f"{var.name} of {self.task.machine} is null")

    def _moment(self, timer: ir.Timer) -> datetime | None:
        """Timers: when one that is set now is due, which is never in the past."""
        value = self._scope().value(timer.value)
        if timer.kind == "after":
            return self._later(value)
        return None if value is None else max(value, self.at)

    def _is_flushed(self) -> bool:
        """Trees: it has come to rest, and none below it is unfinished, of those it makes now neither."""
        if not (self.rests and chart.clauses(self.machine, self.task.state, FLUSHED)):
            return False
        self.rests = False
        made = any(not new.root and not self.meets(new) for new in self.spawned)
        flushed = not made and all(one.kind != "plain" for one in self.task.known.values())
        self.asked = self.asked or flushed
        return flushed

    def _pick(self, event: str, fields: Mapping[str, Any]) -> ir.Clause | None:
        """Events: clauses from top to bottom, then those of the states around, then the machine's."""
        scope, clauses = self._scope(fields), chart.clauses(self.machine, self.task.state, event)
        return next((clause for clause in clauses if scope.holds(clause.guard)), None)

    def _move(self, move: Move) -> Move | None:
        """One dispatch: exits from inner to outer, the state, enters from outer to inner; gives an enter's arrow."""
        if move.target == self.task.state and move.reenters is None:
            if move.delay is not None and self.task.stuck is None:
                self.task.run_at = self._later(move.delay)
            return None
        source, target = (chart.ancestors(self.machine, leaf) for leaf in (self.task.state, move.target))
        shared = _shared(source, target, move.reenters)
        for state in source[: len(source) - shared]:
            for clause in state.exit:
                if self._scope().holds(clause.guard):
                    self._clause(clause)
        kept = [timer for state in source[len(source) - shared :] if not self.task.ended for timer in state.timers]
        self._stand(move.target, move.delay)
        self.task.timers = () if self.task.ended else self.task.timers[: len(kept)]
        return self._enter(target[: len(target) - shared][::-1])

    def _stand(self, leaf: str, delay: timedelta | None) -> None:
        """States: the column holds the innermost. Work: one with a LOCKED_BY_WORKER clause is a queue."""
        task = self.task
        task.state, task.entered_at = leaf, self.at
        self.rests = True
        task.lease = task.stuck = None
        task.ended = chart.is_final(self.machine, leaf)
        if chart.clauses(self.machine, leaf, chart.LOCKED):
            task.run_at = self._later(delay or _NOW)
        elif chart.states(self.machine)[leaf].run is None:
            task.run_at = None

    def _later(self, delay: timedelta) -> datetime:
        return self.at + max(delay, _NOW)

    def _enter(self, states: Sequence[ir.State]) -> Move | None:
        """Effects: all `enter`s that hold run, in order, until one takes an arrow."""
        for state in states:
            for clause in state.enter:
                if self._scope().holds(clause.guard) and (move := self._clause(clause)):
                    return move
        return None

    # ------------------------------------------------------------ effects

    def _clause(self, clause: ir.Clause, fields: Mapping[str, Any] = _NONE) -> Move | None:
        """Effects: do what a clause says, and what answers the event that it raises; gives its arrow."""
        scope = self._scope(fields)
        match self._block(clause.body, scope):
            case ir.Raise(event):
                answer = self._pick(event, _NONE)
                return self._clause(answer) if answer else None
            case ir.Goto(target, delay, reenter):
                left = chart.reentered(self.machine, self.task.state, clause) if reenter else None
                return Move(target, None if delay is None else scope.value(delay), left)
        return None

    def _block(self, body: Sequence[ir.Statement], scope: Scope) -> ir.Goto | ir.Raise | None:
        for statement in body:
            taken = self._statement(statement, scope)
            if taken is not None:
                return taken
        return None

    def _statement(self, statement: ir.Statement, scope: Scope) -> ir.Goto | ir.Raise | None:
        """Effects: one row of the table there; what ends a block is given back."""
        match statement:
            case ir.Goto() | ir.Raise():
                return statement
            case ir.When():
                arms = (branch.body for branch in statement.branches if scope.holds(branch.guard))
                return self._block(next(arms, ()), scope)
            case ir.Set(name="attempts"):
                self.task.attempts = scope.value(statement.value, _INT)
            case ir.Set():
                var = next(var for var in self.machine.vars if var.name == statement.name)
                self.task.vars[var.name] = scope.value(statement.value, var.type)
                self.assigned.add(var.name)
            case ir.Spawn():
                self._spawn(statement, scope)
            case ir.Send():
                self._send(statement, scope)
            case ir.Fail():
                raise UndoneError(FAIL, scope.value(statement.message))
        return None

    def _spawn(self, statement: ir.Spawn, scope: Scope) -> None:
        """Trees: one task, or one an element; the var behind `as` keeps its id."""
        items = [None] if statement.items is None else scope.value(statement.items)
        for item in items:
            new, another = self.meet(self._new(statement, replace(scope, item=item)), bool(statement.alias))
            if statement.alias:
                self.task.vars[statement.alias] = new.id
                self.assigned.add(statement.alias)
            if another:
                self.spawned.append(new)

    def _new(self, statement: ir.Spawn, scope: Scope) -> Spawned:
        name = full_name(statement.machine, self.task.machine.partition(".")[0])
        given = {param: (scope.value(value), value.type) for param, value in statement.arguments}
        delay = None if statement.delay is None else scope.value(statement.delay)
        return Spawned(name, given, statement.root, delay)

    def _send(self, statement: ir.Send, scope: Scope) -> None:
        payload = {name: to_json(scope.value(value), value.type.kind) for name, value in statement.arguments}
        to = None if statement.to is None else scope.value(statement.to)
        self.sent.append((statement.kin, to, Event(statement.event, payload or None)))

    def _scope(self, fields: Mapping[str, Any] = _NONE) -> Scope:
        return Scope(self.task, self.at, self.enums, fields, results=self.results)

    # ------------------------------------------------------------ history

    def record(self, event: str | None, payload: Any, source: str | None, target: str | None) -> None:
        """One dispatch: a hop is a row of the history, and more than 100 are an error."""
        task = self.task
        if len(self.hops) == MAX_HOPS:
            message = f"more than {MAX_HOPS} hops from one event to {task.machine} {task.id}, in state {task.state}"
            raise UndoneError(TOO_MANY_HOPS, message)
        task.seq += 1
        changed = {} if source is None else {name: task.vars[name] for name in self.assigned}
        self.assigned = set()
        self.hops.append(Hop(task.id, task.seq, self.at, event, payload, source, target, changed, self.actor))


def _shared(source: Sequence[ir.State], target: Sequence[ir.State], reenters: str | None) -> int:
    """How many states around both are neither left nor entered."""
    if reenters is not None:
        return next(n for n, state in enumerate(source[::-1]) if state.name == reenters)
    around = {state.name for state in source}
    return sum(state.name in around for state in target)


def _default(field: ir.Field, scope: Scope) -> Any:
    return None if field.default is None else scope.value(field.default, field.type)
