"""One event to one task, run to completion: clause, effects, exits, the state, enters, and on until it rests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from jetpackc.interpret.errors import FAIL, NO_VALUE, TOO_MANY_HOPS, UndoneError
from jetpackc.interpret.expressions import Scope
from jetpackc.interpret.model import Event, Hop, Spawned, Task
from jetpackc.interpret.values import Enums, to_json
from jetpackc.ir import chart, model as ir

MAX_HOPS = 100


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
    task: Task
    at: datetime
    enums: Enums
    actor: str
    hops: list[Hop] = field(default_factory=list)
    spawned: list[Spawned] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    """The vars that this hop has set so far."""

    def begin(self, delay: timedelta | None) -> None:
        """A new task: the enters of its initial state, and on. Raises UndoneError."""
        target = self.task.state
        self._stand(target, delay)
        move = self._enter(chart.ancestors(self.machine, target)[::-1])
        self._record(None, None)
        self._go_on(move)

    def take(self, event: Event) -> bool:
        """Take an event; False, and nothing has changed, where no clause takes it. Raises UndoneError."""
        event = self.filled(event)
        clause = self._pick(event.name, event.fields)
        if clause is None:
            return False
        state = self.task.state
        move = self._clause(clause, event.fields)
        following = self._move(move) if move else None
        self._record(event, state)
        self._go_on(following)
        return True

    def filled(self, event: Event) -> Event:
        """The event with the defaults of the fields that are missing or null."""
        payload, fields = dict(event.payload or {}), dict(event.fields)
        for each in chart.fields(self.machine, event.name, self.task.state):
            if each.default is not None and payload.get(each.name) is None:
                fields[each.name] = self._scope({}).value(each.default, each.type)
                payload[each.name] = to_json(fields[each.name], each.type.kind)
        return replace(event, payload=payload or event.payload, fields=fields)

    def _go_on(self, move: Move | None) -> None:
        while move is not None:
            state = self.task.state
            following = self._move(move)
            self._record(None, state)
            move = following
        self._refuse_nulls()

    def _refuse_nulls(self) -> None:
        """An ERROR that lacks a field, which no worker sends, is null where the program's types say it is not."""
        for var in self.machine.vars:
            if self.task.vars[var.name] is None and not var.type.optional:
                raise UndoneError(NO_VALUE, f"{var.name} of {self.task.machine} is null")

    # ------------------------------------------------------------ one hop

    def _pick(self, event: str, fields: Mapping[str, Any]) -> ir.Clause | None:
        scope = self._scope(fields)
        found = chart.clauses(self.machine, self.task.state, event)
        return next((clause for clause in found if scope.holds(clause.guard)), None)

    def _move(self, move: Move) -> Move | None:
        """Leave, arrive, enter; gives the arrow that an enter took."""
        source = chart.ancestors(self.machine, self.task.state)
        target = chart.ancestors(self.machine, move.target)
        if move.target == self.task.state and move.reenters is None:
            if move.delay is not None and self.task.stuck is None:
                self.task.run_at = self._later(move.delay)
            return None
        shared = self._shared(source, target, move.reenters)
        for state in source[: len(source) - shared]:
            for clause in state.exit:
                if self._scope({}).holds(clause.guard):
                    self._block(clause.body, {}, clause)
        self._stand(move.target, move.delay)
        return self._enter(target[: len(target) - shared][::-1])

    def _shared(self, source: Sequence[ir.State], target: Sequence[ir.State], reenters: str | None) -> int:
        """How many states around both are neither left nor entered."""
        if reenters is not None:
            return next(n for n, state in enumerate(source[::-1]) if state.name == reenters)
        around = {state.name for state in source}
        return sum(state.name in around for state in target)

    def _stand(self, target: str, delay: timedelta | None) -> None:
        task = self.task
        task.state, task.entered_at = target, self.at
        task.ended = chart.is_final(self.machine, target)
        task.lease = task.stuck = None
        if chart.clauses(self.machine, target, chart.LOCKED):
            task.run_at = self._later(delay or timedelta())
        elif chart.states(self.machine)[target].run is None:
            task.run_at = None

    def _later(self, delay: timedelta) -> datetime:
        return self.at + max(delay, timedelta())

    def _enter(self, states: Sequence[ir.State]) -> Move | None:
        for state in states:
            for clause in state.enter:
                if self._scope({}).holds(clause.guard) and (move := self._clause(clause, {})):
                    return move
        return None

    # ------------------------------------------------------------ statements

    def _clause(self, clause: ir.Clause, fields: Mapping[str, Any]) -> Move | None:
        """Do what a clause says, and what answers the event that it raises."""
        taken = self._block(clause.body, fields, clause)
        if not isinstance(taken, ir.Raise):
            return taken
        answer = self._pick(taken.event, {})
        return self._clause(answer, {}) if answer else None

    def _block(
        self, body: Sequence[ir.Statement], fields: Mapping[str, Any], clause: ir.Clause
    ) -> Move | ir.Raise | None:
        for statement in body:
            taken = self._statement(statement, fields, clause)
            if taken is not None:
                return taken
        return None

    def _statement(
        self, statement: ir.Statement, fields: Mapping[str, Any], clause: ir.Clause
    ) -> Move | ir.Raise | None:
        scope = self._scope(fields)
        match statement:
            case ir.Set():
                self._set(statement, scope)
            case ir.Goto():
                owner = chart.owner(self.machine, self.task.state, clause) or self.task.state
                delay = None if statement.delay is None else scope.value(statement.delay)
                return Move(statement.target, delay, owner if statement.reenter else None)
            case ir.Raise():
                return statement
            case ir.Fail():
                raise UndoneError(FAIL, scope.value(statement.message))
            case ir.Spawn():
                self._spawn(statement, scope)
            case ir.When():
                arms = (branch.body for branch in statement.branches if scope.holds(branch.guard))
                return self._block(next(arms, ()), fields, clause)
        return None

    def _set(self, statement: ir.Set, scope: Scope) -> None:
        if statement.name == "attempts":
            self.task.attempts = scope.value(statement.value, ir.Type("int"))
            return
        var = next(var for var in self.machine.vars if var.name == statement.name)
        self.assigned.add(var.name)
        self.task.vars[var.name] = scope.value(statement.value, var.type)

    def _spawn(self, statement: ir.Spawn, scope: Scope) -> None:
        module, _, machine = statement.machine.rpartition(".")
        module = module or self.task.machine.partition(".")[0]
        given = {name: (scope.value(value), value.type) for name, value in statement.arguments}
        delay = None if statement.delay is None else scope.value(statement.delay)
        self.spawned.append(Spawned(f"{module}.{machine}", given, statement.root, delay))

    def _scope(self, fields: Mapping[str, Any]) -> Scope:
        return Scope(self.task, self.at, self.enums, fields)

    # ------------------------------------------------------------ history

    def _record(self, event: Event | None, source: str | None) -> None:
        task = self.task
        if len(self.hops) == MAX_HOPS:
            message = f"more than {MAX_HOPS} hops from one event to {task.machine} {task.id}, in state {task.state}"
            raise UndoneError(TOO_MANY_HOPS, message)
        task.seq += 1
        changed = {} if source is None else {name: task.vars[name] for name in self.assigned}
        self.assigned = set()
        name, payload = (event.name, event.payload) if event else (None, None)
        self.hops.append(Hop(task.id, task.seq, self.at, name, payload, source, task.state, changed, self.actor))
