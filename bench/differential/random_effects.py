"""Random clauses and effects of one machine: what its states do when something happens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from random_expressions import Expressions, Name, literal

Fields = list[Name]
BUDGET = "sent"
"""The var that counts what a task has sent and made; nothing else sets it."""


@dataclass(frozen=True)
class Spawnable:
    """A machine that others may create: its params in order, and which of them must be given."""

    name: str
    params: Fields
    required: frozenset[str]
    queue: bool
    familial: bool = False
    """Whether it takes what tasks of a tree send each other."""
    returns: bool = False
    """Whether a new one may turn out to be there already."""
    states: tuple[str, ...] = ()
    """What others may count."""


@dataclass
class State:
    """A state to be written. `goal`: it may be gone to; `queue`: `in` may stand behind its name."""

    name: str
    role: str
    inner: list[State] = field(default_factory=list)

    @property
    def queue(self) -> bool:
        return self.role in {"queue", "step"}


class Writer:
    """Writes what stands behind triggers; a machine in the making knows what it may write about."""

    chance: Random
    events: Mapping[str, Fields]
    """The module's events."""
    own: Mapping[str, Fields]
    declared: Mapping[str, str]
    params: Fields
    vars: Fields
    known: Sequence[Spawnable]
    flat: Sequence[State]
    goals: Sequence[State]
    shown: set[str]
    """Optional names that a guard or a `set` has shown not to be null, where we are."""
    wide: bool
    """Whether we are where a task may be in one of several states."""

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share

    # ------------------------------------------------------------ clauses

    def _event(self) -> str:
        return self.chance.choice([*self.events, *self.own])

    def _payload(self, event: str) -> Fields:
        return self.events.get(event, self.own.get(event, []))

    def _clause(self, state: State, handled: dict[str, bool]) -> list[str]:
        self.shown.clear()
        event = self._event()
        if handled.get(event):
            return []
        fields = self._payload(event)
        shown = ""
        if event in self.own and fields:
            shown = self.declared[event]
        if self.chance.random() < 0.1 and not fields and not handled.get("STOP"):
            event, shown = f"{event}, STOP" if event != "STOP" else event, ""
            handled["STOP"] = True
        guarded = self.chance.random() < 0.45
        handled[event.partition(",")[0]] = not guarded
        when = f" when {self._guard(fields)}" if guarded else ""
        return [f"    on {event}{shown}{when} {self._answer(state, fields)}"]

    def _answer(self, state: State, fields: Fields) -> str:
        roll = self.chance.random()
        if roll < 0.45:
            goal = self.chance.choice(self.goals)
            return f"-> {goal.name}{self._delay(goal, fields)}{self._block(fields, 0.6)}"
        if roll < 0.55 and state.role != "running":
            return f"reenter{self._block(fields, 0.5)}"
        if roll < 0.8:
            return f"{{ {self._effects(fields)} }}"
        return f"{{ {self._arms(fields)} }}"

    def _arms(self, fields: Fields) -> str:
        self._made(fields)
        arms = f"when {self._guard(fields)} {{ {self._effects(fields)} -> {self._goal()} }}"
        if self._maybe(0.6):
            arms += f" else when {self._guard(fields)} -> {self._goal()}"
        return arms + (f" else {{ {self._effects(fields)} }}" if self._maybe(0.6) else "")

    def _goal(self) -> str:
        return self.chance.choice(self.goals).name

    def _away(self, state: State) -> str:
        """A state that is neither this one, nor in it, nor around it."""
        known = [goal for goal in self.goals if goal not in walk([state]) and state not in walk([goal])]
        return self.chance.choice(known).name

    def _next(self, state: State) -> str:
        """A state behind this one, so that all can be reached."""
        at = self.goals.index(state) if state in self.goals else 0
        return self.goals[(at + 1) % len(self.goals)].name

    def _delay(self, goal: State, fields: Fields) -> str:
        if not goal.queue or self._maybe(0.5):
            return ""
        return f" in {self._made(fields).less.of('interval')}"

    def _when(self, share: float) -> str:
        return f" when {self._guard([])}" if self._maybe(share) else ""

    def _block(self, fields: Fields, share: float) -> str:
        return f" {{ {self._effects(fields)} }}" if self._maybe(share) else ""

    def _guard(self, fields: Fields) -> str:
        """A guard; what it may have shown not to be null is not used as optional behind it."""
        guard = self._made(fields).guard()
        self.shown.update(re.findall(r"\w+", guard))
        return guard

    def _made(self, fields: Fields, *, growing: bool = True) -> Expressions:
        shadowed = {each.text for each in fields}
        names = [*fields, *(each for each in (*self.params, *self.vars) if each.text not in shadowed)]
        names = [each for each in names if not each.optional or each.text not in self.shown]
        leaves = [state.name for state in self.flat if state.role != "step"] if self.wide else []
        return Expressions(self.chance, names, leaves, growing)

    # ------------------------------------------------------------ effects

    def _effects(self, fields: Fields) -> str:
        found = [self._effect(fields) for _ in range(self.chance.randint(1, 3))]
        return " ".join(found)

    def _effect(self, fields: Fields) -> str:
        roll = self.chance.random()
        if roll < 0.08 and self.known:
            return self._spawn(fields)
        if roll < 0.12:
            return f"when {self._guard(fields)} {{ fail {self._made(fields).less.of('text')} }}"
        if roll < 0.2:
            return "increment n"
        if roll < 0.24:
            return f"set attempts = {self.chance.choice(('0', 'attempts + 1', 'attempts - 1', 'n % 5'))}"
        if roll < 0.34:
            self._made(fields)
            return f"when {self._guard(fields)} {{ {self._sets(fields)} }} else {{ {self._sets(fields)} }}"
        if roll < 0.4:
            return f"when length(s) < 30 {{ set s = s ++ {self._made(fields).less.of('text')} }}"
        return self._sets(fields)

    def _sets(self, fields: Fields) -> str:
        each = self.chance.choice([each for each in self.vars if each.text != BUDGET])
        made = self._made(fields, growing=False)
        value = made.optional(each.kind) if each.optional else made.of(each.kind)
        if each.kind == "interval" and value != "null":
            value = f"min(max({made.of('interval')}, 0s - 60d), 60d)"
        self.shown.add(each.text)
        return f"set {each.text} = {value}"

    def _spawn(self, fields: Fields) -> str:
        target = self.chance.choice(self.known)
        return self._new("root" if self._maybe(0.4) or target.returns else "", target, fields)

    def _new(self, word: str, target: Spawnable, fields: Fields, alias: str = "") -> str:
        """A new task of a machine; of its own, where the word is `self`."""
        made = replace(self._made(fields, growing=False), depth=2)
        given = [each for each in target.params if each.text in target.required or self._maybe(0.5)]
        arguments = ", ".join(
            f"{each.text}: {made.optional(each.kind) if each.optional else made.of(each.kind)}" for each in given
        )
        delay = f" in {literal('interval', self.chance)}" if target.queue and self._maybe(0.5) else ""
        name = {"": target.name, "root": f"root {target.name}"}.get(word, word)
        return f"spawn {name}({arguments}){alias}{delay}"


def walk(states: Sequence[State]) -> list[State]:
    """States, each before those in it."""
    return [found for state in states for found in (state, *walk(state.inner))]
