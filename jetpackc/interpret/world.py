"""All tasks of a program, and what may be done to them: create, send, claim, resolve, sweep, fire, retry.

What is done is done whole or not at all. The caller is the clock: it sets `now`, and time goes on for no other reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count, groupby
from typing import Any

from jetpackc.interpret.dispatch import Dispatch
from jetpackc.interpret.expressions import Scope
from jetpackc.interpret.lanes import Lanes
from jetpackc.interpret.model import Event, Hop, Known, Lease, Sent, Spawned, Stuck, Task
from jetpackc.interpret.trees import Outbox, Post, Trees
from jetpackc.interpret.uniques import BrokenError, conflict
from jetpackc.ir import chart, model as ir, text
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import News
from jetpackc.records import replace
from jetpackc.values.convert import to_json
from jetpackc.values.errors import BAD_CALL, CONFLICT, NO_TASK, UndoneError
from jetpackc.values.fields import called
from jetpackc.values.text import Enums

NewId = Callable[[Spawned, int | None, datetime, str], int]
"""Gives the id of a new task: what it is made of, its parent, when and by whom it is made."""

NO_TIME = timedelta()
SWEEPER = "jet.tick"
_MOMENT = timedelta(microseconds=1)
_TIMER = Event("timer")
"""What is due first, whichever that is."""

_CONTROLS = (
    ir.Field("_delay", ir.Type("interval", optional=True)),
    ir.Field("_run_at", ir.Type("timestamptz", optional=True)),
    ir.Field("_priority", ir.Type("int", optional=True)),
    ir.Field("_key", ir.Type("text", optional=True)),
)
"""Tasks: what a creation may say besides params; a moment goes before a delay."""

_NEWS = frozenset({"SUBTREE_UPDATE", "SUBTREE_FLUSHED", "CHILD_DONE"})
"""Trees: what no clause takes of this is nothing."""

_UNTAKEN = {
    **{chart.LOCKED: None, "ERROR": None},
    **{event: (event, "applied") for event in ("RELEASED", "TIMEOUT", "LEASE_EXPIRED")},
}
"""Work: what becomes of an event that no clause takes: nothing, or an ERROR of this type, with what its sender is told.
Of any other, an ERROR that says why, and `failed`."""


class World(Trees):
    """The tasks of one program. `tasks` and `history` are to be read; whatever is called may raise UndoneError."""

    def __init__(self, program: ir.Program, now: datetime, new_id: NewId | None = None) -> None:
        self.now = now
        self.tasks: dict[int, Task] = {}
        self.history: list[Hop] = []
        self._machines: dict[str, tuple[ir.Machine, Enums]] = {}
        for module in program.modules:
            enums = {enum.name: enum.values for enum in (*module.enums, *module.imported)}
            self._machines |= {f"{module.name}.{machine.name}": (machine, enums) for machine in module.machines}
        ids = count(1)
        self._new_id = new_id or (lambda *_: next(ids))
        self._tokens = count(1)
        self._resolved: set[int] = set()
        self._lanes = Lanes()
        self._keys: dict[tuple[str, str], int] = {}
        self._answers: dict[tuple[int, str], Sent] = {}
        self.inbox = []
        self.outbox = Outbox()
        self.given: set[int] = set()
        """The ids of tasks that are to be made."""
        self.kin = Kin(program)
        self._news = News(self.kin)

    # ------------------------------------------------------------ for everybody: what fails, the caller is told

    def create(self, machine: str, params: Mapping[str, Any], actor: str) -> int:
        """A new task from JSON values, among which may be `_delay` or `_run_at`, `_priority` and `_key`; the id of the
        one that is there, under `unique … or return`, and where a task has this key."""
        return self.create_many(machine, [params], actor)[0]

    def create_many(self, machine: str, tasks: Sequence[Mapping[str, Any]], actor: str) -> list[int]:
        """New tasks, all or none; their ids in the order given."""
        with self.together():
            return [self._ask(machine, task, actor) for task in tasks]

    def send(self, id: int, event: str, payload: Any, actor: str, key: str | None = None) -> Sent:
        """Events: one that no clause takes changes nothing, and stands in the history. What this key was sent with
        before is not sent again."""
        task = self._task(id)
        machine, enums = self._machines[task.machine]
        signature = next((each for each in machine.signatures if each.event == event and not each.state), None)
        if signature is None or event in chart.LIFECYCLE:
            raise UndoneError(BAD_CALL, f"{machine.name} has no event {event}")
        called(event, {} if payload is None else payload, signature.fields, enums)
        if key is not None and (id, key) in self._answers:
            return self._answers[id, key]
        with self.together():
            told = self.heard(task, Event(event, payload), actor)
        sent = Sent(told == "taken", self.tasks[id].state)
        if key is not None:
            self._answers[id, key] = sent
        return sent

    def retry(self, id: int, actor: str) -> Sent:
        """Dispatch again what a task is stuck on."""
        task = self._task(id)
        if task.stuck is None:
            return Sent(False, task.state)
        with self.whole():
            queues = chart.clauses(self.machine_of(task), task.state, chart.LOCKED)
            self._note(task, "unstuck", None, actor, stuck=None, run_at=self.now if queues else None)
            with self.together():
                self._take_up(self.tasks[id], task.stuck, actor)
            last = next(hop for hop in self.history[::-1] if hop.id == id)
            return Sent(last.event != "refused", self.tasks[id].state)

    def _take_up(self, task: Task, stuck: Stuck, actor: str) -> None:
        if stuck.message is not None:
            own = stuck.message.event is not None and not stuck.message.way
            self.hear(task.id, [replace(stuck.message, actor=actor) if own else stuck.message])
        elif stuck.event.name != chart.LOCKED:
            self._apply(task, stuck.event, actor)

    def _ask(self, machine: str, given: Mapping[str, Any], actor: str) -> int:
        found, enums = self._machines[machine]
        types = {each.name: each.type for each in found.params}
        values = called(found.name, given, (*found.params, *_CONTROLS), enums)
        delay, moment, priority, key = (values.pop(each.name, None) for each in _CONTROLS)
        if moment is not None:
            delay = moment - self.now
        if delay is not None and not chart.clauses(found, found.initial, chart.LOCKED):
            raise UndoneError(BAD_CALL, f"{machine} starts in {found.initial}, where no worker takes it: no delay")
        if key is not None and (machine, key) in self._keys:
            return self._keys[machine, key]
        arguments = {name: (value, types[name]) for name, value in values.items()}
        id = self._create(Spawned(machine, arguments, True, delay, priority, key), None, self.now, actor)
        if key is not None:
            self._keys[machine, key] = id
        return id

    # ------------------------------------------------------------ for workers: what fails, the task is told

    def claim(self, machine: str, worker: str, limit: int) -> list[Task]:
        """Work: give a worker up to `limit` tasks to run, first those of the lowest priority, then the oldest; as the
        machine's limits and turns let it."""
        own = [task for task in self.tasks.values() if task.machine == machine]
        ready = sorted(filter(self._is_claimable, own), key=_turn)
        chosen = self._lanes.choose(self._machines[machine][0], worker, own, ready, limit=limit, now=self.now)
        told: dict[int, str] = {}
        for _, batch in groupby(chosen, key=lambda task: task.priority):
            told |= self._batch([(task, Event(chart.LOCKED)) for task in batch], worker)
        locked = [task.id for task in chosen if told[task.id] == "applied"]
        running = [self.tasks[id] for id in locked if self._state(self.tasks[id]).run is not None]
        for task in running:
            task.lease = Lease(worker, next(self._tokens))
        return running

    def resolve(self, worker: str, ends: Mapping[int, tuple[int, Event]]) -> dict[int, str]:
        """Work: end runs, each known by its token; what became of them. The result behind a lost lease is refused, and
        recorded."""
        mine = {id: self.tasks[id].lease == Lease(worker, token) for id, (token, _) in ends.items() if id in self.tasks}
        self._resolved |= {ends[id][0] for id, held in mine.items() if held}
        told = self._batch([(self.tasks[id], ends[id][1]) for id in sorted(mine) if mine[id]], worker)
        for id in sorted(ends.keys() - told.keys()):
            told[id] = self._late(worker, id, *ends[id])
        return told

    def _late(self, worker: str, id: int, token: int, event: Event) -> str:
        if id not in self.tasks:
            return "missing"
        if token in self._resolved:
            return "duplicate"
        self._note(self.tasks[id], "late", {"event": event.name, "payload": event.payload}, worker)
        return "lost"

    def sweep(self, gone: Sequence[str], grace: timedelta = NO_TIME) -> int:
        """Work: do what is due by now; gives how many. `gone` are workers that are no more; a worker that lives has
        `grace` to end by itself a run that takes too long."""
        count = 0
        for machine in self._machines:
            running = sorted((task for task in self.tasks.values() if task.machine == machine), key=_turn)
            due = [(task, Event(event)) for task in running if (event := self._due(task, gone, grace))]
            self._batch(due, SWEEPER)
            count += len(due)
        return count

    def fire(self, machine: str, limit: int) -> int:
        """Timers: of the tasks whose timers are due by now up to `limit`, the earliest first, each one timer; gives how
        many. One that fails has fired all the same."""
        due = [task for task in self.tasks.values() if task.machine == machine and task.due and task.due <= self.now]
        due.sort(key=lambda task: (task.due, task.id))
        told = self._batch([(task, _TIMER) for task in sorted(due[:limit], key=lambda task: task.id)], SWEEPER)
        return len(told)

    def next_due(self) -> datetime | None:
        """Timers: the next moment at which one is due, which may have passed."""
        return min((task.due for task in self.tasks.values() if task.due), default=None)

    def _is_claimable(self, task: Task) -> bool:
        queues = chart.clauses(self.machine_of(task), task.state, chart.LOCKED)
        return bool(queues) and task.stuck is None and task.run_at is not None and task.run_at <= self.now

    def _due(self, task: Task, gone: Sequence[str], grace: timedelta) -> str | None:
        """Work: the event that time brings to a task; of two, TIMEOUT."""
        if task.lease is None:
            return None
        lost, timeout = task.lease.worker in gone, self._state(task).timeout
        if timeout is not None:
            allowed = Scope(task, self.now, self._machines[task.machine][1], {}).value(timeout)
            if task.entered_at + allowed + (NO_TIME if lost else grace) <= self.now:
                return "TIMEOUT"
        return "LEASE_EXPIRED" if lost else None

    # ------------------------------------------------------------ one step of a batch

    def _batch(self, steps: Sequence[tuple[Task, Event]], actor: str) -> dict[int, str]:
        """What became of each task of a batch: all of them together, or where one cannot make its step each alone.
        Others never stop for it."""
        try:
            with self.together():
                return {task.id: self._apply(task, event, actor) for task, event in steps}
        except UndoneError:
            return {task.id: self._step(self.tasks[task.id], event, actor) for task, event in steps}

    def _step(self, task: Task, event: Event, actor: str) -> str:
        try:
            with self.together():
                return self._apply(task, event, actor)
        except UndoneError as error:
            told = self.trouble(task, Stuck(event, str(error)), actor)
        if event is _TIMER and told == "failed" and self.tasks[task.id].due == task.due:  # it has fired all the same
            dispatch = self.dispatch(self.tasks[task.id], SWEEPER)
            _, payload = dispatch.spend()
            dispatch.record("spent", payload, dispatch.task.state, None)
            with self.together():
                self._commit(dispatch)
        return told

    def trouble(self, task: Task, stuck: Stuck, actor: str) -> str:
        """A step that cannot be made is an ERROR, once, where that is taken; else the task is stuck."""
        if stuck.event.name != "ERROR":
            try:
                with self.together():
                    if self._apply(task, _error("transition", stuck.error), actor) == "applied":
                        return "failed"
            except UndoneError as error:
                stuck = replace(stuck, error=str(error))
        self._note(task, "stuck", stuck.error, actor, stuck=stuck, lease=None, run_at=None)
        return "stuck"

    def _apply(self, task: Task, event: Event, actor: str) -> str:
        """Work: dispatch an event; what no clause takes, or lacks a field of its payload, may be an ERROR instead."""
        if event is _TIMER:
            return self.heard(task, event, actor)
        lacking = self.dispatch(task, actor).lacking(event)
        if lacking is None and self._taken(task, event, actor):
            return "applied"
        instead = _UNTAKEN.get(event.name, ("payload" if lacking else "unhandled", "failed"))
        if instead is None:
            return "waiting"
        kind, told = instead
        self._apply(task, _error(kind, lacking or event.name), actor)
        return told

    # ------------------------------------------------------------ one dispatch

    def heard(self, task: Task, event: Event, actor: str) -> str:
        """What became of an event that ends no work: `taken`, `untaken`, or `refused`. At most one: one that would
        break a `unique` changes nothing, and stands in the history; a timer has fired all the same."""
        given = set(self.given)
        try:
            if self._taken(task, event, actor):
                return "taken"
        except BrokenError as error:
            if error.task != task.id:
                raise
            self.given = given
            self._refuse(task, event, actor, str(error))
            return "refused"
        if event.name not in _NEWS:
            payload, _ = self.dispatch(task, actor).read(event)
            self._untaken(task, Event(event.name, payload or None), actor)
        return "untaken"

    def _refuse(self, task: Task, event: Event, actor: str, why: str) -> None:
        dispatch, name, payload = self.dispatch(task, actor), event.name, event.payload or None
        if event is _TIMER:
            timer, payload = dispatch.spend()
            name = text.timer(timer)
        dispatch.record("refused", {"event": name, "payload": payload, "reason": why}, task.state, None)
        self._commit(dispatch)

    def _taken(self, task: Task, event: Event, actor: str) -> bool:
        """Whether a clause took an event, which is done then."""
        dispatch = self.dispatch(task, actor)
        if event is _TIMER:
            dispatch.fire()
        taken = event is _TIMER or dispatch.take(event)
        if taken:
            self._commit(dispatch)
            self._again(task)
        return taken

    def _again(self, before: Task) -> None:
        """Trees: what came too early is dispatched again, in the order of arrival, when the state has changed."""
        task = self.tasks[before.id]
        if task.state == before.state or not task.deferred:
            return
        self.tasks[task.id] = replace(task, deferred=())
        for event, actor in task.deferred:
            self.heard(self.tasks[task.id], event, actor)

    def _untaken(self, task: Task, event: Event, actor: str) -> None:
        """Events: what no clause takes changes nothing; but it is kept where the state defers it."""
        kept = event.name in chart.deferred(self.machine_of(task), task.state)
        deferred = (*task.deferred, (event, actor)) if kept else task.deferred
        self._note(task, event.name, event.payload, actor, deferred=deferred)

    def dispatch(self, task: Task, actor: str, **changes: Any) -> Dispatch:
        """Of a copy of the task, at a moment that is never before its last dispatch."""
        at = max(self.now, task.last + _MOMENT)
        changed = replace(task, vars={**task.vars}, last=at, **changes)
        return self._begun(*self._machines[task.machine], changed, at, actor)

    def _begun(self, machine: ir.Machine, enums: Enums, task: Task, at: datetime, actor: str) -> Dispatch:
        found = Dispatch(machine, enums, task, at, actor)
        found.results = lambda: self._results(task.id)
        found.meet = lambda new, named: self._meet(new, found, named=named)
        found.meets = lambda new: self._there(new) is not None
        return found

    def _results(self, parent: int) -> list[Any]:
        """Trees: what the children have returned, in the order of their ids."""
        found = sorted((task for task in self.tasks.values() if task.parent == parent), key=lambda task: task.id)
        return [task.result[0] for task in found if task.result is not None]

    def _result(self, task: Task) -> tuple[Any] | None:
        state, enums = self._state(task), self._machines[task.machine][1]
        if state.result is None:
            return None
        value = Scope(task, task.last, enums, {}, results=lambda: self._results(task.id)).value(state.result)
        return (to_json(value, state.result.type.kind),)

    def _meet(self, new: Spawned, dispatch: Dispatch, *, named: bool) -> tuple[Spawned, bool]:
        """Trees: a task with the id that it will have, or that of the one it meets under `unique … or return`, where
        that matters; whether it is another than those that are about to be made."""
        parent = dispatch.task
        if not (named or self._news.keeps(parent.machine, new.machine)):
            return new, True
        coming = [one for maker, one, _, _ in self.outbox.spawned if maker.id == parent.id] + dispatch.spawned
        twin = next((one for one in coming if one.machine == new.machine and self._are_one(one, new)), None)
        if twin is not None:
            return twin, False
        other = self._there(new)
        id = self._give(new, parent, dispatch.at, dispatch.actor) if other is None else other.id
        return replace(new, id=id), True

    def _are_one(self, one: Spawned, new: Spawned) -> bool:
        unique, _ = conflict(self._machines[new.machine][0], self._sketch(new), [self._sketch(one)]) or (None, None)
        return unique is not None and unique.verdict == "return"

    def _give(self, new: Spawned, parent: Task | None, at: datetime, actor: str) -> int:
        id = self._new_id(new, None if new.root or parent is None else parent.id, at, actor)
        self.given.add(id)
        return id

    def _there(self, new: Spawned) -> Task | None:
        """The task that a new one would meet."""
        unique, other = self._conflict(self._sketch(new)) or (None, None)
        return other if unique and unique.verdict == "return" else None

    def _sketch(self, new: Spawned) -> Task:
        machine, enums = self._machines[new.machine]
        task = Task(0, new.machine, machine.initial, {}, {}, self.now, self.now, self.now)
        Dispatch(machine, enums, task, self.now, "").begin(new)
        return task

    def _make(self, spawned: Sequence[tuple[Task, Spawned, datetime, str]]) -> None:
        """Trees: the tasks that a dispatch has spawned, or a batch, machine by machine."""
        for machine in sorted({new.machine for _, new, _, _ in spawned}):
            with self.together():
                for parent, new, at, actor in sorted(spawned, key=lambda one: one[0].id):
                    if new.machine == machine:
                        self._create(new, parent, at, actor)

    def _create(self, new: Spawned, parent: Task | None, at: datetime, actor: str) -> int:
        """Tasks: one more row; or, under `unique … or return`, the one that is there."""
        machine, enums = self._machines[new.machine]
        above = None if new.root else parent
        id = new.id if new.id is not None else self._give(new, parent, at, actor)
        if id in self.tasks:
            return id
        task = Task(id, new.machine, machine.initial, {}, {}, at, at, at, root=id, key=new.key)
        if above:
            task.parent, task.root, task.depth = above.id, above.root, above.depth + 1
        dispatch = self._begun(machine, enums, task, at, actor)
        dispatch.begin(new)
        self.given.discard(id)
        unique, other = self._conflict(task) or (None, None)
        if unique and other and unique.verdict == "return":
            if parent is not None and self._news.keeps(parent.machine, new.machine):
                raise UndoneError(CONFLICT, f"a live task of {new.machine} came between")
            return other.id
        self._commit(dispatch)
        return id

    def _commit(self, dispatch: Dispatch) -> None:
        """One dispatch: what came of it holds from now on; what it spawns is counted."""
        task, before = dispatch.task, self.tasks.get(dispatch.task.id)
        if found := self._conflict(task):
            raise BrokenError(task.id, found[0])
        task.due = None if task.stuck else min((one for one in task.timers if one), default=None)
        if task.due and (before is None or before.due is None or task.due < before.due):
            task.due = max(task.due, dispatch.at)
        task.result = self._result(task)
        self.tasks[task.id] = task
        self.history += dispatch.hops
        self.outbox.before.setdefault(task.id, before)
        self.outbox.posts += (Post(task.id, dispatch.actor, event, kin, to) for kin, to, event in dispatch.sent)
        if dispatch.asked:
            self.outbox.asked.add(task.id)
        born: dict[int, Known] = {}
        for new in dispatch.spawned:
            id = new.id
            if not new.root and not (self._there(new) if id is None else id in self.tasks):
                id = self._give(new, task, dispatch.at, dispatch.actor) if id is None else id
                born[id] = self.as_known(new.machine, self._machines[new.machine][0].initial)
            self.outbox.spawned.append((task, replace(new, id=id), dispatch.at, dispatch.actor))
        self.know(task, born)

    def _conflict(self, task: Task) -> tuple[ir.Unique, Task] | None:
        return conflict(self.machine_of(task), task, (each for each in self.tasks.values() if each.id != task.id))

    def _note(self, task: Task, event: str, payload: Any, actor: str, **changes: Any) -> None:
        """A row of the history of what moves no task."""
        dispatch = self.dispatch(task, actor, **changes)
        dispatch.record(event, payload, task.state, None)
        with self.together():
            self._commit(dispatch)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """One dispatch: all of what is done inside, or nothing."""
        kept = dict(self.tasks), list(self.inbox), dict(self._keys), set(self.given)
        length = len(self.history)
        try:
            yield
        except UndoneError:
            self.tasks, self.inbox, self._keys, self.given = kept
            del self.history[length:]
            raise

    @contextmanager
    def together(self) -> Iterator[None]:
        """Messages: what is done inside is one with the tasks that it spawns, and the messages that it leaves."""
        with self.whole():
            outer, self.outbox = self.outbox, Outbox()
            try:
                yield
                self._make(self.outbox.spawned)
                self.tell()
            finally:
                self.outbox = outer

    def _task(self, id: int) -> Task:
        if id not in self.tasks:
            raise UndoneError(NO_TASK, f"there is no task {id}")
        return self.tasks[id]

    def machine_of(self, task: Task) -> ir.Machine:
        return self._machines[task.machine][0]

    def _state(self, task: Task) -> ir.State:
        return chart.states(self.machine_of(task))[task.state]


def _error(type: str, message: str) -> Event:
    return Event("ERROR", {"type": type, "message": message, "traceback": ""})


def _turn(task: Task) -> tuple[int, datetime, int]:
    """Work: whose turn it is first."""
    return task.priority, task.run_at or task.last, task.id
