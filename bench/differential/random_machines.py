"""Random modules of well-typed machines, as .jet: text alone, and the compiler says what is right of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from random_effects import BUDGET, Fields, Spawnable, State, walk
from random_expressions import ENUMS, KINDS, OTHERS, Expressions, Name, literal
from random_limits import limits
from random_trees import FREE, HAILS, Kin, plain_spawn


@dataclass
class Module:
    """What all machines of a module share."""

    events: dict[str, Fields]
    head: list[str]
    machines: list[str] = field(default_factory=list)
    stubs: list[str] = field(default_factory=list)
    """For each machine one of the same head that surely compiles."""

    def text(self, machines: Sequence[str] | None = None) -> str:
        """The source, with all machines or some."""
        return "\n".join([*self.head, *(self.machines if machines is None else machines)]) + "\n"


def module(name: str, machines: int, chance: Random) -> Module:
    """A module of so many machines. Its events, enums, operators and templates are random too."""
    events = {f"E{number}": _fields("f", chance, 3) for number in range(7)} | {"GO": [], "STOP": []}
    events |= {event: _fields("h", chance, 2) for event in HAILS}
    head = [f"module {name}", *(f"enum {enum} {{ {', '.join(values)} }}" for enum, values in ENUMS.items())]
    head += [f"event {event}{_signature(fields, chance, 0.25, reads=False)[0]}" for event, fields in events.items()]
    head += [*(f"event {event}" for event in FREE), _operator(), _template(chance)]
    made = Module(events, head)
    found: list[_Machine] = []
    for number in range(machines):
        found.append(_Machine(f"m{number}", made, [each.spawnable for each in found[-6:]], chance))
    for machine in found:
        machine.parents = machine.fertile or any(machine.spawnable in each.kids for each in found)
    texts = [machine.text() for machine in found]
    made.stubs += (machine.stub() for machine in found)
    made.machines += (
        machine.limited(text, Random(f"{name} {text}")) for machine, text in zip(found, texts, strict=True)
    )
    return made


def _fields(prefix: str, chance: Random, most: int) -> Fields:
    kinds = [chance.choice(KINDS if chance.random() < 0.75 else OTHERS) for _ in range(chance.randint(0, most))]
    return [Name(f"{prefix}{number}", kind, chance.random() < 0.3) for number, kind in enumerate(kinds)]


def _signature(fields: Fields, chance: Random, defaults: float, *, reads: bool = True) -> tuple[str, frozenset[str]]:
    """The fields as they are declared, some with defaults, which read fields before them or nothing; which must be
    given."""
    shown, required = [], set()
    for number, each in enumerate(fields):
        shown.append(f"{each.text}: {each.kind}{'?' if each.optional else ''}")
        if chance.random() < defaults:
            before = fields[:number] if reads else ()
            made = Expressions(chance, before, builtins=False, growing=False, depth=2)
            shown[-1] += f" = {made.of(each.kind) if chance.random() < 0.4 else literal(each.kind, chance)}"
        elif not each.optional:
            required.add(each.text)
    return f"({', '.join(shown)})" if shown else "", frozenset(required)


def _operator() -> str:
    return """operator again(most: int, back: state, otherwise: state, base: interval = 3s) {
  when attempts < most -> back in backoff(base, attempts, cap: 1h)
  else -> otherwise
}"""


def _template(chance: Random) -> str:
    return f"""template gate(limit: int, name: text = "gate") {{
  var passed: int = 0
  initial state shut {{
    on GO when passed < limit -> open {{ increment passed }}
    on GO -> broken
    enter {{ set passed = passed + {chance.randint(0, 2)} }}
  }}
  state open {{
    on GO, STOP -> shut
    exit {{ set passed = passed + 1 }}
    on E0 when length(name) > {chance.randint(0, 9)} -> broken
  }}
  final state broken {{ on STOP -> shut {{ set passed = 0 }} }}
}}"""


class _Machine(Kin):
    """Writes one machine."""

    def __init__(self, name: str, module: Module, known: Sequence[Spawnable], chance: Random) -> None:
        self.name, self.events, self.known, self.chance = name, module.events, known, chance
        self.params = _fields("p", chance, 4)
        self.own = {f"OWN{number}": _fields("g", chance, 2) for number in range(chance.randint(0, 2))}
        self.declared = {event: _signature(fields, chance, 0.25, reads=False)[0] for event, fields in self.own.items()}
        self.style = chance.choice(("tree", "tree", "tree", "tree", "task", "gate"))
        self.familial = self.style == "tree" and self._maybe(0.6)
        self.fertile = self.familial and self._maybe(0.3)
        single = [each for each in known if not each.returns]
        self.kids = chance.sample(single, min(len(single), chance.choice((0, 1, 1, 2, 3)))) if self.familial else []
        self.vars = [*_fields("v", chance, 5), Name("n", "int"), Name("s", "text"), *self._own_vars()]
        self.states = self._tree() if self.style == "tree" else []
        self.flat = list(walk(self.states))
        self.goals = [state for state in self.flat if state.role != "running"]
        self.shown = set[str]()
        self.wide = False
        self.signature, required = _signature(self.params, chance, 0.3)
        self.uniques = self._uniques()
        returns = any(line.endswith("return") for line in self.uniques)
        self.fertile = self.fertile and not returns
        states = tuple(f"{name}.{state.name}" for state in self.flat) or ("done" if self.style == "task" else "broken",)
        self.spawnable = Spawnable(name, self.params, required, self._starts_queued(), self.familial, returns, states)

    def _starts_queued(self) -> bool:
        first = self.states[0] if self.states else None
        while first and first.inner:
            first = first.inner[0]
        return self.style == "task" or (first is not None and first.queue)

    # ------------------------------------------------------------ the whole

    def text(self) -> str:
        base = {"tree": "", "task": f" is task(max_attempts: {self.chance.randint(1, 4)})"}
        named = self.chance.choice(("", ', name: "x"'))
        base["gate"] = f" is gate(limit: {self.chance.randint(0, 4)}{named})"
        lines = [
            f"machine {self.name}{self.signature}{base[self.style]} {{",
            *self._priority(),
            *self.uniques,
            *self._vars(),
        ]
        lines += self._body()
        return "\n".join([*lines, "}"])

    def limited(self, text: str, chance: Random) -> str:
        """The text with limits, where workers have something to claim. Their chance is their own: they change nothing
        else."""
        if self.style == "gate" or not (
            self.style == "task" or any(each.role in {"queue", "step"} for each in self.flat)
        ):
            return text
        head, _, rest = text.partition("\n")
        return "\n".join([head, *limits(self.params, chance), rest])

    def stub(self) -> str:
        """A plain machine with the same params, and a queue to begin with if this one has."""
        family = ""
        if self.familial:
            made = " ".join(plain_spawn(kid, self.chance) for kid in self.kids)
            family = f" on {', '.join(HAILS)} {{ increment attempts }}" + f" on GROW {{ {made} }}" * bool(made)
        if self._starts_queued():
            family += " on GO { increment attempts }"
            return f'machine {self.name}{self.signature} is task {{ state running {{ run "x:y" }}{family} }}'
        return f"machine {self.name}{self.signature} {{ initial state s0 {{ on GO -> f1 }} final state f1{family} }}"

    def _body(self) -> list[str]:
        if self.style == "task":
            return self._task()
        if self.style == "gate":
            return self._gate()
        lines = [line for state in self.states for line in self._state(state, None)]
        self.wide = True
        if self.chance.random() < 0.5:
            target = self._goal()
            lines.append(f"  on STOP{self._when(0.3)} -> {target}")
        if self._maybe(0.2) and not any(state.role in {"queue", "step"} for state in self.flat):
            lines.append("  on GO reenter")
        lines += self._family()
        if self.chance.random() < 0.3:
            lines.append(f"  on {self._event()}{self._when(0.5)} {{ {self._sets([])} }}")
        return lines

    def _priority(self) -> list[str]:
        if self.style == "gate" or self._maybe(0.7):
            return []
        made = Expressions(self.chance, self.params, builtins=False, depth=2)
        return [f"  priority {made.of('int')}"]

    def _uniques(self) -> list[str]:
        names = [
            each.text
            for each in (*self.params, *self.vars)
            if each.kind in {"int", "colour", "bool", "tier", "date"} and each.text not in {"n", BUDGET}
        ]
        if not names or self.chance.random() > 0.25:
            return []
        columns = self.chance.sample(names, min(len(names), self.chance.randint(1, 2)))
        places = [state.name for state in self.goals if state.role != "final" and state.role != "failure"]
        where = f" while in ({self.chance.choice(places)})" if places and self.chance.random() < 0.3 else ""
        return [f"  unique ({', '.join(columns)}){where} or {self.chance.choice(('return', 'return', 'error'))}"]

    def _vars(self) -> list[str]:
        scope = Expressions(self.chance, self.params, builtins=False, depth=2)
        lines = [f"  var {BUDGET}: int = 0"] * self.familial
        for each in (each for each in self.vars if each.text != BUDGET):
            mark = "?" if each.optional else ""
            value = f" = {scope.of(each.kind)}" if not each.optional or self.chance.random() < 0.3 else ""
            lines.append(f"  var {each.text}: {each.kind}{mark}{value}")
        return lines

    def _task(self) -> list[str]:
        done = f"  state done {{ enter {{ {self._effects([])} }} }}" if self.chance.random() < 0.7 else ""
        ready = f"  state ready {{ on {self._event()} {{ {self._sets([])} }} }}" if self.chance.random() < 0.5 else ""
        bad = f"  state failed {{ enter when n > 2 {{ {self._sets([])} }} }}" if self.chance.random() < 0.5 else ""
        return [line for line in ('  state running { run "x:y" }', done, ready, bad) if line]

    def _gate(self) -> list[str]:
        lines = [f"  state open {{ on {self._event()}{self._when(0.5)} -> shut {{ {self._sets([])} }} }}"]
        if self.chance.random() < 0.5:
            lines.append(f"  state shut {{ enter{self._when(0.5)} {{ {self._effects([])} }} ignore STOP }}")
        return lines

    # ------------------------------------------------------------ states

    def _tree(self) -> list[State]:
        count = iter(range(100))
        most = 3 if self.familial else 5  # what one does alone is seen in the others
        found = [self._node(count, int(self.familial)) for _ in range(self.chance.randint(2, most))]
        found.append(State(f"f{next(count)}", "final"))
        if self.chance.random() < 0.6:
            found.append(State(f"f{next(count)}", "failure"))
        running = [State(f"r{state.name}", "running") for state in walk(found) if state.role == "queue"]
        return found + running

    def _node(self, count: object, depth: int) -> State:
        number = next(count)  # type: ignore[call-overload]
        roll = self.chance.random()
        if roll < 0.25 and depth < 2:
            inner = [self._node(count, depth + 1) for _ in range(self.chance.randint(1, 3))]
            return State(f"c{number}", "composite", inner)
        if roll < 0.4:
            return State(f"q{number}", "queue")
        return State(f"t{number}", "step") if roll < 0.55 else State(f"s{number}", "plain")

    def _state(self, state: State, parent: State | None) -> list[str]:
        first = (parent.inner if parent else self.states)[0] is state
        word = "step" if state.role == "step" else "state"
        kind = {"final": "final ", "failure": "failure "}.get(state.role, "")
        arguments = self._step_arguments() if state.role == "step" else ""
        lines = [f"  {'initial ' if first else ''}{kind}{word} {state.name}{arguments} {{"]
        lines += [line for inner in state.inner for line in self._state(inner, state)]
        lines += self._members(state)
        return [*lines, "  }"]

    def _raised(self, state: State, handled: dict[str, bool]) -> list[str]:
        """An event in answer to which attempts are said to be used up, and what answers that."""
        free = [event for event in self.events if event not in handled and not self._payload(event)]
        if not free:
            return []
        event = self.chance.choice(free)
        handled[event] = True
        self.shown.clear()
        raising = f"{self._effects([])} raise ABANDONED"
        if self._maybe(0.5):
            guard = self._guard([])
            raising = f"when {guard} {{ {self._effects([])} raise ABANDONED }} else {{ {self._effects([])} }}"
        lines = [f"    on {event} {{ {raising} }}"]
        if state.role != "step":
            self.shown.clear()
            lines.append(f"    on ABANDONED -> {self._away(state)}{self._block([], 0.5)}")
        return lines

    def _step_arguments(self) -> str:
        return self.chance.choice(("", "(max_attempts: 2)", "(max_attempts: 3, backoff: 1s..9s)", "(max_attempts: n)"))

    def _members(self, state: State) -> list[str]:
        self.shown.clear()
        self.wide = state.role == "composite"
        handled: dict[str, bool] = {}
        lines = self._enters(state)
        if self.chance.random() < 0.3 and state.role != "running":
            lines.append(f"    exit {{ {self._sets([])} }}")
        if state.role in {"queue", "step", "running"}:
            lines += self._work(state)
        if state.role in {"final", "failure"}:
            lines += self._returned()
            return lines + ([f"    on {self._event()} -> {self._goal()}"] if self.chance.random() < 0.5 else [])
        self.shown.clear()
        guard = self._when(0.3)
        lines.append(f"    on GO{guard} -> {self._next(state)}{self._block([], 0.4)}")
        handled["GO"] = not guard
        if state.role == "step" or self._maybe(0.15):
            lines += self._raised(state, handled)
        for _ in range(self.chance.randint(1, 4)):
            lines += self._clause(state, handled)
        lines += self._news(state)
        if self.chance.random() < 0.15 and (free := [event for event in self.events if event not in handled]):
            lines.append(f"    ignore {self.chance.choice(free)}")
        return lines + [line for _ in range(self.chance.choice((0, 0, 0, 1, 1, 3))) for line in self._timer(state)]

    def _timer(self, state: State) -> list[str]:
        self.shown.clear()
        made = self._made([]).less
        length = self.chance.choice(("0s", "1s", "7s", "1m", "5m", "1h")) if self._maybe(0.6) else made.of("interval")
        when = f"at {made.of('timestamptz')}" if self._maybe(0.25) else f"after {length}"
        return [f"    {when}{self._when(0.4)} {self._answer(state, [])}"]

    def _enters(self, state: State) -> list[str]:
        lines = []
        for _ in range(self.chance.choice((0, 0, 1, 1, 2))):
            self.shown.clear()
            roll = self.chance.random()
            if roll < 0.35 and state.role != "running":
                limit = self.chance.choice((3, 3, 5, 9, 200))
                lines.append(f"    enter when n < {limit} -> {self._goal()} {{ increment n }}")
            elif roll < 0.45:
                lines.append(f"    enter{self._when(1)} {{ when n > 20 {{ set n = 0 -> {self._goal()} }} }}")
            else:
                lines.append(f"    enter{self._when(0.4)} {{ {self._effects([])} }}")
        return lines

    def _work(self, state: State) -> list[str]:
        self.shown.clear()
        if state.role == "queue":
            count = "{ increment attempts }" if self.chance.random() < 0.7 else ""
            fail = '{ when n == 3 { fail "no claim" } }' if self.chance.random() < 0.2 else count
            return [f"    on LOCKED_BY_WORKER -> r{state.name} {fail}", *self._retried()]
        chosen = [event for event in ("RELEASED", "TIMEOUT", "LEASE_EXPIRED") if self._maybe(0.3)]
        limited = self._maybe(0.4) or "TIMEOUT" in chosen
        lines = ['    run "x:y"', f"    timeout {self.chance.choice(('30s', '5m', '1h'))}" * limited]
        fields = _fields("h", self.chance, 2)
        shown, _ = _signature(fields, self.chance, 0.25, reads=False)
        if self.chance.random() < 0.3:
            lines.append(f"    on SUCCESS{shown} when {self._guard(fields)} -> {self._goal()}")
            shown = ""
            self.shown.clear()
        lines.append(f"    on SUCCESS{shown} -> {self._goal()}{self._block(fields, 0.6)}")
        if state.role == "step":
            lines.append(f"    on ABANDONED -> {self._away(state)}{self._block([], 0.3)}")
            return lines
        lines += [f"    on {event}{self._when(0.3)} -> {self._goal()}" for event in chosen]
        lines.append(
            f"    on ERROR again(most: {self.chance.randint(1, 3)}, back: q{state.name[2:]}, otherwise: {self._goal()})"
            if self._maybe(0.4)
            else f"    on ERROR -> {self._goal()}{self._block([Name('type', 'text')], 0.4)}"
        )
        return lines

    def _retried(self) -> list[str]:
        return [f"    on ERROR -> {self._goal()} {{ set s = type }}"] if self._maybe(0.3) else []

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share
