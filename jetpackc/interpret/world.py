"""All tasks of a program, and what may be done to them: create, send, claim, finish, sweep, retry.

What is done is done whole or not at all. The caller is the clock: it sets `now`, and time goes on for no other reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from types import MappingProxyType
from typing import Any

from jetpackc.interpret import payloads
from jetpackc.interpret.dispatch import Dispatch
from jetpackc.interpret.errors import BAD_CALL, CONFLICT, NO_TASK, RefusedError, UndoneError
from jetpackc.interpret.expressions import Scope
from jetpackc.interpret.model import Event, Hop, Lease, Sent, Spawned, Stuck, Task
from jetpackc.interpret.values import Enums, cast
from jetpackc.ir import chart, model as ir

NewId = Callable[[str, int | None], int]
"""Gives the id of a new task, from its machine and its parent."""

_FALLS = frozenset(("RELEASED", "TIMEOUT", "LEASE_EXPIRED"))
NO_TIME = timedelta()
SWEEPER = "jet.tick"
_MOMENT = timedelta(microseconds=1)


def counting() -> NewId:
    """Ids 1, 2, 3, …"""
    numbers = count(1)
    return lambda _machine, _parent: next(numbers)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: what its handler returned or raised, and what it set."""

    id: int
    token: int
    event: str
    payload: Any = None
    set: Mapping[str, Any] = field(default_factory=dict)


class World:
    """The tasks of one program. `tasks` and `history` are to be read; whatever is called may raise UndoneError."""

    def __init__(self, program: ir.Program, now: datetime, new_id: NewId | None = None) -> None:
        modules = program.modules
        self.now = now
        self.tasks: dict[int, Task] = {}
        self.history: list[Hop] = []
        self._machines = {f"{module.name}.{machine.name}": machine for module in modules for machine in module.machines}
        self._enums = {
            module.name: {enum.name: enum.values for enum in (*module.enums, *module.imported)} for module in modules
        }
        self._new_id = new_id or counting()
        self._tokens = count(1)
        self._resolved: set[int] = set()
        self._answers: dict[tuple[int, str], Sent] = {}

    # ------------------------------------------------------------ for everybody

    def create(self, machine: str, params: Mapping[str, Any], actor: str) -> int:
        """A new task from JSON values, among which may be `_delay` or `_run_at`, `_priority` and `_key`; the id of the
        one that is there, under `unique … or return`, and where a task has this key."""
        return self.create_many(machine, [params], actor)[0]

    def create_many(self, machine: str, tasks: Sequence[Mapping[str, Any]], actor: str) -> list[int]:
        """New tasks, all or none; their ids in the order given."""
        with self._whole():
            return [self._ask(machine, task, actor) for task in tasks]

    def _ask(self, machine: str, task: Mapping[str, Any], actor: str) -> int:
        begun, enums = self._machine(machine), self._enums_of(machine)
        given = payloads.params(begun, {name: task[name] for name in task if name not in payloads.CONTROLS}, enums)
        control = payloads.controls(task, self.now)
        if control.delay is not None and not chart.clauses(begun, begun.initial, chart.LOCKED):
            raise UndoneError(BAD_CALL, f"{machine} starts in {begun.initial}, where no worker takes it: no delay")
        same = (each.id for each in self.tasks.values() if each.machine == machine and each.key == control.key)
        there = None if control.key is None else next(same, None)
        new = Spawned(machine, given, True, control.delay, control.priority, control.key)
        return self._create(new, None, self.now, actor) if there is None else there

    def send(self, id: int, event: str, payload: Any, actor: str, key: str | None = None) -> Sent:
        """Dispatch an event to a task; one that this key was sent with before, not again."""
        task = self._task(id)
        fields = payloads.sent(self._machine(task.machine), event, payload, self._enums_of(task.machine))
        if key is not None and (id, key) in self._answers:
            return self._answers[id, key]
        with self._whole():
            coming = self._begun(task, actor).filled(Event(event, payload, fields, actor))
            try:
                applied = self._dispatch(task, coming)
            except RefusedError as why:
                refused = {"event": event, "payload": payload or None, "reason": str(why)}
                applied, event, coming = False, "refused", replace(coming, payload=refused)
            if not applied:
                self._note(task, event, coming.payload, actor)
            sent = Sent(applied, self.tasks[id].state)
        if key is not None:
            self._answers[id, key] = sent
        return sent

    def retry(self, id: int, actor: str) -> Sent:
        """Dispatch again what a task is stuck on."""
        task = self._task(id)
        stuck = task.stuck
        if stuck is None:
            return Sent(False, task.state)
        with self._whole():
            claimable = chart.clauses(self._machine(task.machine), task.state, chart.LOCKED)
            self._note(task, "unstuck", None, actor, stuck=None, run_at=self.now if claimable else None)
            if stuck.event != chart.LOCKED:
                self._outcome(self.tasks[id], stuck.event, stuck.payload, stuck.set, actor)
            return Sent(True, self.tasks[id].state)

    # ------------------------------------------------------------ for workers

    def claim(self, machine: str, worker: str, limit: int) -> list[Task]:
        """Give a worker up to `limit` tasks to run, first those of the lowest priority, then the oldest."""
        ready = [task for task in self.tasks.values() if task.machine == machine and self._claimable(task)]
        ready.sort(key=lambda task: (task.priority, task.run_at, task.id))
        claimed = (self._claim(task, worker) for task in ready[:limit])
        return [task for task in claimed if task is not None]

    def resolve(self, worker: str, outcomes: Sequence[Finished]) -> dict[int, str]:
        """End runs, in the order of ids: what became of each."""
        return {each.id: self._resolve(worker, each) for each in sorted(outcomes, key=lambda each: each.id)}

    def sweep(self, gone: Sequence[str], grace: timedelta = NO_TIME) -> int:
        """End the runs of workers that are gone, and those that took too long, and `grace` on top, which leaves it to
        a worker that lives to end them itself; gives how many."""
        due = [(task, why) for task in self.tasks.values() if (why := self._due(task, gone, grace))]
        for task, why in due:
            self._finish(task, Finished(task.id, 0, why), SWEEPER)
        return len(due)

    def _claimable(self, task: Task) -> bool:
        queues = chart.clauses(self._machine(task.machine), task.state, chart.LOCKED)
        return bool(queues) and task.stuck is None and task.run_at is not None and task.run_at <= self.now

    def _claim(self, task: Task, worker: str) -> Task | None:
        try:
            with self._whole():
                self._dispatch(task, Event(chart.LOCKED, None, {}, worker))
        except UndoneError as error:
            self._poisoned(task, Stuck(chart.LOCKED, None, {}, str(error)), worker)
            return None
        found = self.tasks[task.id]
        if chart.states(self._machine(found.machine))[found.state].run is None:
            return None
        found.lease = Lease(worker, next(self._tokens), self.now)
        return found

    def _resolve(self, worker: str, outcome: Finished) -> str:
        task = self.tasks.get(outcome.id)
        if task is None:
            return "missing"
        if task.lease is None or (task.lease.worker, task.lease.token) != (worker, outcome.token):
            if outcome.token in self._resolved:
                return "duplicate"
            late = {"event": outcome.event, "payload": outcome.payload}
            self._note(task, "late", late, worker)
            return "lost"
        self._resolved.add(outcome.token)
        return self._finish(task, outcome, worker)

    def _finish(self, task: Task, outcome: Finished, actor: str) -> str:
        try:
            with self._whole():
                return self._outcome(task, outcome.event, outcome.payload, outcome.set, actor)
        except UndoneError as error:
            stuck = Stuck(outcome.event, outcome.payload, outcome.set, str(error))
            return self._poisoned(task, stuck, actor)

    def _due(self, task: Task, gone: Sequence[str], grace: timedelta) -> str | None:
        if task.lease is None:
            return None
        lost, timeout = task.lease.worker in gone, chart.states(self._machine(task.machine))[task.state].timeout
        if timeout is not None:
            allowed = Scope(task, self.now, self._enums_of(task.machine), {}).value(timeout)
            if task.entered_at + allowed + (NO_TIME if lost else grace) <= self.now:
                return "TIMEOUT"
        return "LEASE_EXPIRED" if lost else None

    # ------------------------------------------------------------ outcomes

    def _outcome(self, task: Task, event: str, payload: Any, set: Mapping[str, Any], actor: str) -> str:
        """Dispatch how a run ended; what nothing takes, or does not fit, is an ERROR."""
        machine, enums = self._machine(task.machine), self._enums_of(task.machine)
        misfit = payloads.misfit(machine, task.state, event, payload)
        if misfit is None:
            fields = payloads.returned(machine, task.state, event, payload, enums)
            changed = {} if event == "ERROR" else payloads.changes(machine, set, enums)
            if self._dispatch(task, Event(event, payload, fields, actor), changed):
                return "applied"
        falls = event in _FALLS
        kind, message = (event, event) if falls else ("payload", misfit) if misfit else ("unhandled", event)
        self._error(task, kind, message or "", actor)
        return "applied" if falls else "failed"

    def _error(self, task: Task, kind: str, message: str, actor: str) -> bool:
        payload = {"type": kind, "message": message, "traceback": ""}
        return self._dispatch(task, Event("ERROR", payload, payload, actor))

    def _poisoned(self, task: Task, stuck: Stuck, actor: str) -> str:
        """A step that cannot be made: ERROR once, where it is taken, else the task is set aside."""
        try:
            with self._whole():
                if stuck.event != "ERROR" and self._error(task, "transition", stuck.error, actor):
                    return "failed"
        except UndoneError:
            pass
        self._note(task, "stuck", stuck.error, actor, stuck=stuck, lease=None, run_at=None)
        return "stuck"

    # ------------------------------------------------------------ one dispatch

    def _begun(self, task: Task, actor: str, set: Mapping[str, Any] = MappingProxyType({})) -> Dispatch:
        at = max(self.now, task.last + _MOMENT)
        changing = replace(task, vars={**task.vars, **set}, last=at)
        return Dispatch(self._machine(task.machine), changing, at, self._enums_of(task.machine), actor, assigned={*set})

    def _dispatch(self, task: Task, event: Event, set: Mapping[str, Any] | None = None) -> bool:
        dispatch = self._begun(task, event.actor, set or {})
        if not dispatch.take(event):
            return False
        self._commit(dispatch, event.actor)
        return True

    def _create(self, new: Spawned, parent: Task | None, at: datetime, actor: str) -> int:
        machine, enums = self._machine(new.machine), self._enums_of(new.machine)
        id = self._new_id(new.machine, None if new.root or parent is None else parent.id)
        task = Task(id, new.machine, machine.initial, {}, {}, at, at, at, root=id)
        task.key = new.key
        if parent is not None and not new.root:
            task.parent, task.root, task.depth = parent.id, parent.root, parent.depth + 1
        scope = Scope(task, at, enums, {})
        for param in machine.params:
            value, type = new.arguments.get(param.name, (None, param.type))
            task.params[param.name] = _default(param, scope) if value is None else cast(value, type, param.type, enums)
        for var in machine.vars:
            task.vars[var.name] = _default(var, scope)
        task.priority = new.priority or 0
        if new.priority is None and machine.priority is not None:
            task.priority = scope.value(machine.priority)
        dispatch = Dispatch(machine, task, at, enums, actor)
        dispatch.begin(new.delay)
        there = self._conflict(task, returning=True)
        if there is not None:
            return there
        self._commit(dispatch, actor)
        return id

    def _commit(self, dispatch: Dispatch, actor: str) -> None:
        task = dispatch.task
        self._conflict(task, returning=False)
        self.tasks[task.id] = task
        self.history += dispatch.hops
        for new in dispatch.spawned:
            self._create(new, task, dispatch.at, actor)

    def _conflict(self, task: Task, *, returning: bool) -> int | None:
        """The task that a `unique … or return` finds in the way of a new one; raises where another one does."""
        for unique in self._machine(task.machine).uniques:
            other = self._in_the_way(task, unique)
            if other is not None and returning and unique.verdict == "return":
                return other.id
            if other is not None:
                broken = RefusedError if task.id in self.tasks else UndoneError
                raise broken(CONFLICT, f"there is already a task {other.id} of {task.machine} with these values")
        return None

    def _in_the_way(self, task: Task, unique: ir.Unique) -> Task | None:
        if not self._counts(task, unique):
            return None
        others = (each for each in self.tasks.values() if each.machine == task.machine and each.id != task.id)
        same = (each for each in others if self._counts(each, unique) and _key(each, unique) == _key(task, unique))
        return next(same, None)

    def _counts(self, task: Task, unique: ir.Unique) -> bool:
        if not unique.states:
            return not task.ended
        machine = self._machine(task.machine)
        return any(task.state == leaf.name for name in unique.states for leaf in chart.leaves_of(machine, name))

    # ------------------------------------------------------------ what changes no state

    def _note(self, task: Task, event: str, payload: Any, actor: str, **changes: Any) -> None:
        at = max(self.now, task.last + _MOMENT)
        found = replace(task, seq=task.seq + 1, last=at, **changes)
        self.tasks[task.id] = found
        self.history.append(Hop(task.id, found.seq, at, event, payload, task.state, None, {}, actor))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What is done inside is done whole or not at all."""
        tasks, length = dict(self.tasks), len(self.history)
        try:
            yield
        except UndoneError:
            self.tasks = tasks
            del self.history[length:]
            raise

    def _task(self, id: int) -> Task:
        if id not in self.tasks:
            raise UndoneError(NO_TASK, f"there is no task {id}")
        return self.tasks[id]

    def _machine(self, name: str) -> ir.Machine:
        return self._machines[name]

    def _enums_of(self, machine: str) -> Enums:
        return self._enums[machine.partition(".")[0]]


def _default(field: ir.Field, scope: Scope) -> Any:
    return None if field.default is None else scope.value(field.default, field.type)


def _key(task: Task, unique: ir.Unique) -> list[Any]:
    return [{**task.params, **task.vars}[name] for name in unique.columns]
