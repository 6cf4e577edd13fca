"""Random things to do to the tasks of a world: create, send, claim, finish, retry, wait. Tasks are named by their
place among those of their machine, so that a step can be done again in another world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from random_effects import BUDGET
from random_expressions import ENUMS, UUIDS

from jetpackc.interpret import Task
from jetpackc.ir import chart, model as ir

Ref = tuple[str, int]
"""A machine, and which of its tasks, the oldest first."""


@dataclass(frozen=True)
class Create:
    """New tasks of a machine, each with its params, and how it is to be created; `many`: by the function that takes
    several."""

    machine: str
    tasks: tuple[Mapping[str, Any], ...]
    many: bool


@dataclass(frozen=True)
class Send:
    """An event to a task."""

    task: Ref
    event: str
    payload: Any
    key: str | None = None


@dataclass(frozen=True)
class Claim:
    """The machine's worker takes tasks."""

    machine: str
    limit: int


@dataclass(frozen=True)
class End:
    """How one run ends. `lease`: which of those that there were on this task; the last is mostly the one it has."""

    task: Ref
    lease: int
    event: str
    payload: Any
    set: Mapping[str, Any]


@dataclass(frozen=True)
class Resolve:
    """The machine's worker tells how runs ended, each of another task."""

    machine: str
    ends: tuple[End, ...]


@dataclass(frozen=True)
class Retry:
    """A stuck task, or another, is taken up again."""

    task: Ref


@dataclass(frozen=True)
class Stop:
    """The machine's worker goes away, and another comes."""

    machine: str


@dataclass(frozen=True)
class Tick:
    """Leases that ran out and runs that took too long are ended, and timers fire, in all machines."""


@dataclass(frozen=True)
class Fire:
    """Timers of the machine that are due fire."""

    machine: str
    limit: int


@dataclass(frozen=True)
class Pump:
    """Messages that wait for tasks of the machine are applied."""

    machine: str


Step = Create | Send | Claim | Resolve | Retry | Stop | Tick | Fire | Pump
MANY = 40
"""Tasks of a machine, from which on nothing is done that may make more."""


class Steps:
    """Chooses steps for one machine, looking at where its tasks are."""

    def __init__(self, name: str, machine: ir.Machine, chance: Random, *, hears: bool = False) -> None:
        self.name, self.machine, self.chance, self.hears = name, machine, chance, hears
        self.vars = {var.name: var.type for var in machine.vars if var.name != BUDGET}
        self.events = {each.event: each.fields for each in machine.signatures if each.event not in chart.LIFECYCLE}
        self.works = bool(chart.claimable(machine))
        self.timed = any(state.timers for state in machine.states)
        self.delays = bool(chart.clauses(machine, machine.initial, chart.LOCKED))

    def step(self, tasks: Sequence[Task], leases: Mapping[int, int]) -> Step:
        """Something to do. `leases`: how many there were on each task."""
        if not tasks or (len(tasks) < 4 and self.chance.random() < 0.3):
            return self._create()
        if len(tasks) >= MANY:
            return Retry((self.name, self.chance.randrange(len(tasks))))
        if self.hears and self.chance.random() < 0.3:
            return Pump(self.name)
        if self.timed and self.chance.random() < 0.2:
            return Fire(self.name, self.chance.choice((1, 2, 100)))
        roll = self.chance.random()
        held = [(number, task) for number, task in enumerate(tasks) if task.lease]
        if self.works and roll < 0.25 and any(task.run_at for task in tasks):
            return Claim(self.name, self.chance.choice((1, 2, 10)))
        if held and roll < 0.65:
            some = self.chance.sample(held, self.chance.randint(1, len(held)))
            return Resolve(self.name, tuple(self._end(number, task, leases) for number, task in some))
        if leases and roll < 0.68:
            number, task = self.chance.choice(list(enumerate(tasks)))
            return Resolve(self.name, (self._end(number, task, leases),))
        if self.works and roll < 0.71:
            stuck = [number for number, task in enumerate(tasks) if task.stuck]
            return Retry((self.name, self.chance.choice(stuck or [0])))
        if held and roll < 0.74:
            return Stop(self.name)
        return self._create() if roll > 0.985 and len(tasks) < 12 else self._send(tasks)

    def _create(self) -> Create:
        many = self.chance.random() < 0.5 or any(param.type.array for param in self.machine.params)
        count = self.chance.randint(1, 3) if many else 1
        tasks = [
            {**payload(self.machine.params, self.chance, 0.03 if many else 0), **self._controls(number)}
            for number in range(count)
        ]
        if many and self.chance.random() < 0.1:  # the same twice, in one call
            tasks.append(tasks[-1])
        # Of tasks that are in each other's way in one call, the one with the least key is made; where the answer to a
        # key may be a task that is there, one without a key goes first.
        returns = any(unique.verdict == "return" for unique in self.machine.uniques)
        keyless = "" if returns else "~"
        return Create(self.name, tuple(sorted(tasks, key=lambda task: task.get("_key") or keyless)), many)

    def _controls(self, number: int) -> dict[str, Any]:
        """When a task is to be taken, before which others, and its key: mostly nothing. `number`: which of a call."""
        found: dict[str, Any] = {}
        if self.chance.random() < (0.25 if self.delays else 0.01):
            found["_delay"] = self.chance.choice(("5 s", "3600 s", "0 s", "-7 s", "00:00:02"))
        if self.chance.random() < (0.15 if self.delays else 0.01):
            found["_run_at"] = self.chance.choice(MOMENTS)
        if self.chance.random() < 0.25:
            found["_priority"] = self.chance.choice((0, 1, 1, -1, 5, -2147483648, 2147483647))
        if self.chance.random() < 0.12:
            found["_key"] = f"{number}{self.chance.choice(('', 'a', 'b', chr(39)))}"
        if found and self.chance.random() < 0.1:
            found[self.chance.choice(sorted(found))] = None
        return found

    def _send(self, tasks: Sequence[Task]) -> Send | Create:
        if not self.events:
            return self._create()
        number = self.chance.randrange(len(tasks))
        taken = [event for event in chart.events(self.machine, tasks[number].state) if event in self.events]
        if self.chance.random() < 0.01:
            return Send((self.name, number), self.chance.choice(("NONSENSE", "SUCCESS", "ERROR")), {})
        known = taken if taken and self.chance.random() < 0.85 else sorted(self.events)
        event = self.chance.choice(known)
        key = self.chance.choice(("", "a", "b", "it's")) if self.chance.random() < 0.08 else None
        return Send((self.name, number), event, payload(self.events[event], self.chance, 0.04), key)

    def _end(self, number: int, task: Task, leases: Mapping[int, int]) -> End:
        last = leases.get(task.id, 0) - 1
        lease = last if self.chance.random() < 0.95 else self.chance.randint(0, max(last, 0))
        event, fields = self._outcome(task.state)
        change = {}
        if event != "ERROR" and self.vars and self.chance.random() < 0.3:
            name = self.chance.choice(sorted(self.vars))
            if not self.vars[name].optional or self.chance.random() < 0.7:
                change = {name: value(self.vars[name], self.chance)}
        given = payload(fields, self.chance, 0)
        if self.chance.random() < 0.08:  # of a wrong type only what is read is found out: the worker looks at all
            given.pop(next(iter(given), ""), None)
        return End((self.name, number), lease, event, given if given or self.chance.random() < 0.5 else None, change)

    def _outcome(self, state: str) -> tuple[str, Sequence[ir.Field]]:
        roll = self.chance.random()
        if roll < 0.5:
            return "SUCCESS", chart.fields(self.machine, "SUCCESS", state)
        if roll < 0.75:
            return "ERROR", chart.ERROR_FIELDS
        if roll < 0.85:
            return self.chance.choice(("RELEASED", "TIMEOUT")), ()
        if roll < 0.88 or not self.events:
            return "NONSENSE", ()
        event = self.chance.choice(sorted(self.events))
        return event, self.events[event]


MOMENTS = ("2026-01-01T00:00:07Z", "2026-01-01T01:00:00+00:00", "2026-01-01T09:20:00+05:00", "1999-12-31T23:59:59Z")


def payload(fields: Sequence[ir.Field], chance: Random, wrong: float) -> dict[str, Any]:
    """Values for fields; with this probability something does not fit."""
    found: dict[str, Any] = {}
    for each in fields:
        if (each.type.optional or each.default is not None) and chance.random() < 0.4:
            if chance.random() < 0.5:
                found[each.name] = None
            continue
        found[each.name] = value(each.type, chance)
    if chance.random() < wrong:
        _spoil(found, fields, chance)
    return found


def _spoil(found: dict[str, Any], fields: Sequence[ir.Field], chance: Random) -> None:
    if not fields or chance.random() < 0.3:
        found["odd"] = 1
        return
    each = chance.choice(fields)
    if chance.random() < 0.5:
        found.pop(each.name, None)
    elif each.type.kind not in {"text", "json", "bytes"}:
        found[each.name] = chance.choice(("wrong", [1], {"a": 1}, Decimal(10) ** 30))


def value(type: ir.Type, chance: Random) -> Any:
    """A JSON value of a type."""
    if type.array:
        item = ir.Type(type.kind, type.enum)
        return [None if chance.random() < 0.1 else value(item, chance) for _ in range(chance.randint(0, 4))]
    if type.kind == "enum":
        return chance.choice(ENUMS[type.enum])
    return chance.choice(_VALUES[type.kind])


_VALUES: dict[str, Sequence[Any]] = {
    "bool": (True, False),
    "int": (0, 1, 2, 3, 5, -1, 7, 100, -2147483648, 2147483647),
    "bigint": (0, 1, 2, -7, 9000000000, 9223372036854775807),
    "numeric": tuple(map(Decimal, ("0", "1", "2.50", "-0.125", "12.5", "99999999999999999999.000001", "3"))),
    "float": tuple(map(Decimal, ("0", "1", "0.1", "-2.5", "1e20", "3"))),
    "text": ("", "a", "B", "xyz", " 12 ", "red", "it's", 'say "x"', "a\\b", "日本", "true", "-3.50"),
    "uuid": UUIDS,
    "bytes": ("\\x", "\\x00", "\\x00FF", "\\x6a6574"),
    "interval": ("0 s", "90 s", "00:05:00", "36:00:00", "-5 s"),
    "timestamptz": ("2026-01-02T03:04:05.000006+05:00", "1999-12-31T23:59:59Z", "2026-06-01T00:00:00+00:00"),
    "date": ("2026-02-28", "1999-12-31", "2024-02-29"),
    "json": (
        *(
            {"n": 1, "s": "x", "deep": {"n": 2}, "list": [1, "2", None], "none": None},
            {"s": 5, "n": "7"},
            [3, {"n": 4}],
        ),
        *(True, "text", Decimal("1.50")),
    ),
}
