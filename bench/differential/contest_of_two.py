"""The same steps in Postgres and in the interpreter, and the first thing that differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from random_steps import Claim, Create, End, Fire, Pump, Ref, Resolve, Retry, Send, Step, Steps, Stop, Tick
from server_side import Database, read

from jetpackc.interpret import Event, Hop, Task, UndoneError, World
from jetpackc.interpret.model import Spawned
from jetpackc.ir import model as ir
from jetpackc.values.convert import cast, json_text, to_json
from jetpackc.values.text import text

START = datetime(2026, 1, 1, tzinfo=UTC)
ACTOR = "postgres"
GRACE = timedelta(seconds=5)
"""How long a sweep leaves it to a worker that lives to end a run that took too long."""


class DifferError(Exception):
    """They disagree on something about a machine."""

    def __init__(self, machine: str, what: str, postgres: object, interpreter: object) -> None:
        super().__init__(f"{machine}: {what}\n  Postgres:    {postgres}\n  interpreter: {interpreter}")
        self.machine = machine


@dataclass
class Worker:
    """A machine's worker: its id in the database and its name."""

    id: int
    name: str


class Both:
    """A program installed on both sides."""

    def __init__(self, database: Database, program: ir.Program) -> None:
        (module,) = program.modules
        self.module = module.name
        self.machines = {f"{module.name}.{machine.name}": machine for machine in module.machines}
        self.world = World(program, START, self._new_id)
        self._database = database
        self._known = 0
        self.otherwise = 0
        """Steps that both undid, each for another reason: of several errors, which comes first is not promised."""
        self._ids: dict[tuple[str, int | None], list[int]] = {}
        self._rows: dict[int, Mapping[str, Any]] = {}
        self._workers: dict[str, Worker] = {}
        self._gone: list[str] = []
        self._fresh = range(0)
        self._undone = count()
        self.leases: dict[int, list[tuple[int, int]]] = {}
        pumps = self._database.rows(
            f"select '{self.module}.' || m.name from jet.machine m where (m.manifest -> 'hears')::boolean"
        )
        self.hearing = frozenset(name for (name,) in pumps)
        """The machines that take messages."""
        self._union = " union all ".join(
            f"select '{self.module}.{name.partition('.')[2]}', id, parent, to_jsonb(t)::text from {name} t "
            "where id > %d"
            for name in self.machines
        )

    def tasks(self, machine: str) -> list[Task]:
        """The machine's tasks, the oldest first."""
        found = (task for task in self.world.tasks.values() if task.machine == machine)
        return sorted(found, key=lambda task: task.id)

    def play(self, steps: Sequence[tuple[Step, timedelta]]) -> None:
        """Do steps on both sides, each so long after the one before. Raises DifferError."""
        moments, meant = [], []
        now = self.world.now
        for step, wait in steps:
            now += wait
            sql = self._sql(step)
            if sql is not None:
                meant.append((step, sql))
                moments.append(now)
        answers = self._database.run([sql for _, sql in meant], [moment.isoformat() for moment in moments])
        self._learn_ids()
        ends = [*(id for id, _ in answers[1:]), None]
        for (step, _), moment, (first, answer), end in zip(meant, moments, answers, ends, strict=False):
            self.world.now = moment
            self._fresh = range(first, end or self._known + 1)
            self._undone = count(first)
            self._compare(step, answer)
            self.world.inbox = [
                one for one in self.world.inbox if self.world.tasks[one.receiver].machine in self.hearing
            ]
        self.world.now = now

    def chosen(self, chance: Random) -> dict[str, Steps]:
        """What chooses steps, for each machine."""
        return {
            name: Steps(name, machine, chance, hears=name in self.hearing) for name, machine in self.machines.items()
        }

    def _machine_of_id(self, id: int) -> str:
        return self.world.tasks[id].machine

    def play_singly(self, steps: Sequence[tuple[Step, timedelta]]) -> None:
        """The same, a call each, so that a step finds what the one before made. Raises DifferError."""
        for step in steps:
            self.play([step])

    # ------------------------------------------------------------ ids

    def _learn_ids(self) -> None:
        for machine, id, parent, row in self._database.rows(self._union.replace("%d", str(self._known))):
            self._ids.setdefault((machine, parent), []).append(id)
            self._rows[id] = read(row)
            self._known = max(self._known, id)

    def _new_id(self, new: Spawned, parent: int | None, at: datetime, actor: str) -> int:
        """The id that Postgres gave to such a task in this step; where it undid the step, one it may have given."""
        made = (id for id in self._ids.get((new.machine, parent), ()) if id in self._fresh)
        found = sorted(id for id in made if self._is_free(id))
        if not found:
            return next(filter(self._is_free, self._undone))
        like = [id for id in found if self._is_made_of(id, new)]
        when = (to_json(at, "timestamptz"), actor)
        same = (id for id in like if (self._rows[id]["created_at"], self._rows[id]["_creator"]) == when)
        return next(same, like[0] if like else found[0])

    def _is_free(self, id: int) -> bool:
        return id not in self.world.tasks and id not in self.world.given

    def _is_made_of(self, id: int, new: Spawned) -> bool:
        """Whether a row has this key and these params: tasks of one step have ids in no order that is promised."""
        if self._rows[id].get("_key") != new.key:
            return False
        kinds = {param.name: param.type for param in self.machines[new.machine].params}
        return all(
            exact(to_json(cast(value, type, kinds[name], {}), kinds[name].kind), kinds[name])
            == exact(self._rows[id][name], kinds[name])
            for name, (value, type) in new.arguments.items()
            if value is not None
        )

    def _at(self, ref: Ref) -> Task | None:
        tasks = self.tasks(ref[0])
        return tasks[ref[1]] if ref[1] < len(tasks) else None

    def _worker(self, machine: str) -> Worker:
        if machine not in self._workers:
            name = f"{machine}/{len(self._gone)}"
            ((id,),) = self._database.rows(f"select jet.worker_start('{name}', '1 d')")
            self._workers[machine] = Worker(id, name)
        return self._workers[machine]

    # ------------------------------------------------------------ as SQL

    def _sql(self, step: Step) -> str | None:
        """The call of a step; None where it speaks of what is not there."""
        match step:
            case Create():
                return self._create_sql(step)
            case Send():
                task = self._at(step.task)
                given = (step.event, json_text(step.payload), *((step.key,) if step.key is not None else ()))
                call = f"_send({task.id if task else 0}, {', '.join(map(quoted, given))})"
                return f"select jsonb_build_array(applied, state) from {task.machine}{call}" if task else None
            case Claim():
                return self._claim_sql(step)
            case Resolve():
                found = [each for end in step.ends if (each := self._end_json(end))]
                call = f"{step.machine}_resolve({self._worker(step.machine).id}, {quoted(json_text(found))})"
                return f"select jsonb_object_agg(id, result) from {call}" if found else None
            case Retry():
                task = self._at(step.task)
                call = f"_retry({task.id if task else 0})"
                return f"select jsonb_build_array(applied, state) from {task.machine}{call}" if task else None
            case Stop():
                return f"select to_jsonb(jet.worker_stop({self._worker(step.machine).id}) is null)"
            case Tick():
                return "select to_jsonb(diff.tick())"
            case Fire():
                return f"select {step.machine}_fire({step.limit}) -> 'fired'"
            case Pump():
                return f"select to_jsonb({step.machine}_pump() is null)" if step.machine in self.hearing else None

    def _claim_sql(self, step: Claim) -> str:
        """A claim from the lane on that the mark of the worker's last one tells."""
        worker = self._worker(step.machine).id
        rows = "jsonb_agg(jsonb_build_array(id, token, attempt, state)) filter (where id is not null)"
        mark = f"(select mark from diff.marks where worker = {worker})"
        return (
            f"with c as materialized (select * from {step.machine}_claim({worker}, {step.limit}, {mark})), kept as ("
            f"insert into diff.marks select {worker}, mark from c where mark ? 'lane' "
            f"on conflict (worker) do update set mark = excluded.mark) select {rows} from c"
        )

    def _create_sql(self, step: Create) -> str:
        if step.many:
            tasks = quoted(json_text(list(step.tasks)))
            return (
                f"select jsonb_agg(id order by n) from {step.machine}_create_many({tasks}) with ordinality as c (id, n)"
            )
        kinds = {param.name: param.type.kind for param in self.machines[step.machine].params}
        named = ", ".join(
            f'"{name}" => {argument(value, kinds.get(name, ""))}' for name, value in step.tasks[0].items()
        )
        return f"select jsonb_build_array({step.machine}_create({named}))"

    def _end_json(self, end: End) -> dict[str, Any] | None:
        task = self._at(end.task)
        leases = self.leases.get(task.id, []) if task else []
        if task is None or not -1 < end.lease < len(leases):
            return None
        return {
            **{"id": task.id, "token": leases[end.lease][0], "event": end.event},
            **{"payload": end.payload, "set": end.set or None},
        }

    # ------------------------------------------------------------ as the interpreter

    def _compare(self, step: Step, answer: Any) -> None:
        try:
            found = self._interpreted(step, answer)
        except UndoneError as error:
            found = {"error": error.sqlstate}
        if isinstance(answer, dict) and "error" in answer:
            message = answer.pop("message")
            if not (isinstance(found, dict) and "error" in found):
                raise DifferError(self._machine_of(step), f"{step}", f"{answer} {message}", found)
            self.otherwise += _class(answer) != _class(found) and not _is_of_many(step)
        elif found != answer:
            raise DifferError(self._machine_of(step), f"{step}", answer, found)

    def _machine_of(self, step: Step) -> str:
        match step:
            case Send() | Retry():
                return step.task[0]
            case Create() | Claim() | Resolve() | Stop() | Fire() | Pump():
                return step.machine
            case Tick():
                return ""

    def _interpreted(self, step: Step, answer: Any) -> Any:
        match step:
            case Create():
                return self.world.create_many(step.machine, step.tasks, ACTOR)
            case Send():
                sent = self.world.send(self._there(step.task).id, step.event, step.payload, ACTOR, step.key)
                return [sent.applied, sent.state]
            case Claim():
                return self._claimed(step, answer)
            case Resolve():
                return self._resolved(step)
            case Retry():
                sent = self.world.retry(self._there(step.task).id, ACTOR)
                return [sent.applied, sent.state]
            case Stop():
                self._gone.append(self._workers.pop(step.machine).name)
                return True
            case Tick():
                swept = self.world.sweep(self._gone, GRACE)
                return swept + sum(self.world.fire(machine, 1_000_000) for machine in self.machines)
            case Fire():
                return self.world.fire(step.machine, step.limit)
            case Pump():
                self.world.pump(step.machine)
                return False

    def _there(self, ref: Ref) -> Task:
        task = self._at(ref)
        assert task is not None
        return task

    def _claimed(self, step: Claim, answer: Any) -> Any:
        claimed = self.world.claim(step.machine, self._worker(step.machine).name, step.limit)
        tokens = {row[0]: row[1] for row in answer or ()} if not isinstance(answer, dict) else {}
        for task in claimed:
            if task.lease and task.id in tokens:
                self.leases.setdefault(task.id, []).append((int(tokens[task.id]), task.lease.token))
        if answer is not None and not isinstance(answer, dict):
            answer[:] = sorted([row[0], row[2], row[3]] for row in answer)
        return sorted([task.id, task.attempts, task.state] for task in claimed) or None

    def _resolved(self, step: Resolve) -> dict[str, str]:
        there = [(self._at(end.task), end) for end in step.ends]
        ends = {
            task.id: (self.leases[task.id][end.lease][1], Event(end.event, end.payload, end.set))
            for task, end in there
            if task and -1 < end.lease < len(self.leases.get(task.id, ()))
        }
        return {str(id): told for id, told in self.world.resolve(self._worker(step.machine).name, ends).items()}

    # ------------------------------------------------------------ all there is

    def compare_all(self) -> None:
        """Compare every row and every hop. Raises DifferError, for the earliest hop that differs."""
        self.compare_hops()
        for name in self.machines:
            self._compare_rows(name)
            self._compare_messages(name)

    def compare_hops(self, before: str = "9") -> None:
        """Compare every hop before a moment, in ISO. Raises DifferError, for the earliest that differs."""
        hops: dict[str, list[Hop]] = {name: [] for name in self.machines}
        for hop in self.world.history:
            hops[self.world.tasks[hop.id].machine].append(hop)
        differs = [found for name in self.machines for found in self._hop_differs(name, hops[name])]
        earlier = [found for found in differs if found[0] < before]
        if earlier:
            raise min(earlier, key=lambda found: found[0])[1]

    def _hop_differs(self, name: str, mine: Sequence[Hop]) -> Iterable[tuple[str, DifferError]]:
        kinds = {var.name: var.type for var in self.machines[name].vars}
        query = f"select coalesce(jsonb_agg(to_jsonb(h)), '[]')::text from {name}_history h"
        theirs = {(row["id"], row["seq"]): _their_hop(row, kinds) for row in read(self._database.rows(query)[0][0])}
        ours = {(hop.id, hop.seq): _our_hop(hop, kinds) for hop in mine}
        if ours == theirs:
            return
        for key in sorted(ours.keys() | theirs.keys()):
            one, other = theirs.get(key), ours.get(key)
            if one != other:
                at = (one or other or {})["at"]
                yield at, DifferError(name, f"hop {key[1]} of task {key[0]}", *_only_differing(one, other))

    def _compare_messages(self, name: str) -> None:
        """Those that wait, but for news, which Postgres does not write where nobody reads it."""
        theirs = read(self._database.rows(_their_messages(name))[0][0])
        waiting = [one for one in self.world.inbox if one.event and self.world.tasks[one.receiver].machine == name]
        ours = [
            [one.receiver, one.sender, one.event.name if one.event else None, one.way or None, one.actor]
            for one in sorted(waiting, key=lambda one: one.receiver)
        ]
        if ours != theirs:
            raise DifferError(name, "messages that wait", theirs, ours)

    def _compare_rows(self, name: str) -> None:
        machine = self.machines[name]
        kinds = {each.name: each.type for each in (*machine.params, *machine.vars)}
        query = f"select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text from {name} t"
        theirs = {row["id"]: _their_row(row, kinds) for row in read(self._database.rows(query)[0][0])}
        ours = {task.id: _our_row(task, kinds) for task in self.tasks(name)}
        for id in sorted(ours.keys() | theirs.keys()):
            one, other = theirs.get(id), ours.get(id)
            if one != other:
                raise DifferError(name, f"the row of task {id}", *_only_differing(one, other))


def _their_messages(machine: str) -> str:
    return f"""
      select coalesce(jsonb_agg(jsonb_build_array(m.receiver, m.sender, m.event, m.way, m.actor)
        order by m.receiver, m.seq), '[]')::text
      from (select seq, machine, receiver, sender, event, way, actor from jet.inbox union all
        select seq, machine, receiver, sender, event, way, actor from jet.parked where reason is null) m
      where m.machine = '{machine}' and m.event <> 'news'
    """


def _is_of_many(step: Step) -> bool:
    """Whether it makes several tasks at once, each of which may have an error of its own."""
    return isinstance(step, Create) and len(step.tasks) > 1


def _class(answer: Any) -> Any:
    """An error of reckoning is as good as another."""
    state = answer.get("error") if isinstance(answer, dict) else None
    return "22" if state and (state[:2] == "22" or state == "23514") else answer


def _only_differing(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> tuple[object, object]:
    if one is None or other is None:
        return one, other
    names = [name for name in one if one[name] != other.get(name)]
    return {name: one[name] for name in names}, {name: other.get(name) for name in names}


Kinds = Mapping[str, ir.Type]
_BUILTIN = ("id", "state", "attempts", "depth", "parent", "root")
_MOMENTS = ("created_at", "entered_at", "run_at")


def _their_row(row: Mapping[str, Any], kinds: Kinds) -> dict[str, Any]:
    found = {name: row[name] for name in (*_BUILTIN, *_MOMENTS)}
    found |= {name: exact(row[name], type) for name, type in kinds.items()}
    found |= {"timers": _moments(row.get("_timers") or ()), "due": row.get("_timer_at")}
    found |= {"deferred": [one["event"] for one in row.get("_deferred") or ()], "result": _json(row.get("_result"))}
    return {**found, "stuck": row.get("_stuck") is not None, "leased": row.get("_worker") is not None}


def _our_row(task: Task, kinds: Kinds) -> dict[str, Any]:
    found = {name: getattr(task, name) for name in _BUILTIN}
    found |= {name: to_json(getattr(task, name), "timestamptz") for name in _MOMENTS}
    values = {**task.params, **task.vars}
    found |= {name: exact(to_json(values[name], type.kind), type) for name, type in kinds.items()}
    found |= {"timers": _moments([to_json(one, "timestamptz") for one in task.timers])}
    found |= {"due": to_json(task.due, "timestamptz")}
    found |= {"deferred": [event.name for event, _ in task.deferred], "result": _json((task.result or (None,))[0])}
    return {**found, "stuck": task.stuck is not None, "leased": task.lease is not None}


def _json(value: Any) -> Any:
    return exact(value, ir.Type("json"))


def _moments(timers: Sequence[str | None]) -> dict[int, str]:
    """Those of the timers that run, by their places."""
    return {place: moment for place, moment in enumerate(timers) if moment is not None}


def _their_hop(row: Mapping[str, Any], kinds: Kinds) -> dict[str, Any]:
    changed = {name: exact(value, kinds[name]) for name, value in (row["changed"] or {}).items()}
    plain = {name: row[name] for name in ("at", "event", "from_state", "to_state", "actor")}
    return {**plain, "payload": _payload(row["event"], row["payload"]), "changed": changed}


def _our_hop(hop: Hop, kinds: Kinds) -> dict[str, Any]:
    changed = {name: exact(to_json(value, kinds[name].kind), kinds[name]) for name, value in hop.changed.items()}
    plain = {name: getattr(hop, name) for name in ("event", "from_state", "to_state", "actor")}
    at = to_json(hop.at, "timestamptz")
    return {**plain, "at": at, "payload": _payload(hop.event, hop.payload), "changed": changed}


_WORDS = frozenset(("message", "traceback", "token", "reason"))


def _payload(event: str | None, payload: Any) -> Any:
    """Without words that only Postgres knows: its messages, its tokens."""
    if event == "stuck":
        return None
    if isinstance(payload, dict) and event in {"ERROR", "late", "refused"}:
        payload = {name: value for name, value in payload.items() if name not in _WORDS}
        if payload.get("type") == "transition":
            payload.pop("event", None)  # what could not be dispatched
    return payload or None


def exact(value: Any, type: ir.Type) -> Any:
    """A JSON value such that two are equal where their digits are; floats, where they are one number."""
    if value is None:
        return None
    if isinstance(value, list):
        return [exact(item, type) for item in value]
    if isinstance(value, dict):
        return {name: exact(item, type) for name, item in value.items()}
    if isinstance(value, bool | str):
        return value
    return float(value) if type.kind == "float" else text(Decimal(value), "numeric")


def quoted(value: str) -> str:
    """A text as SQL has it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"E'{escaped}'"


def argument(value: Any, kind: str) -> str:
    """A param as a call by name has it."""
    if value is None:
        return "null"
    return quoted(value if isinstance(value, str) and kind != "json" else json_text(value))
