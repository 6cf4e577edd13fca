"""Random trees: what tasks have to do with those that they make, and with those that made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from random_effects import BUDGET, Fields, Spawnable, State, Writer
from random_expressions import Expressions, Name, literal

HAILS = ("HAIL0", "HAIL1", "HAIL2")
"""Events that tasks send each other; every machine with a family takes them."""
FREE = ("GROW", "SAY")
"""Events that no task sends: what answers them may make tasks and send messages as often as it comes."""
_CHILD = [Name("event.machine", "text"), Name("event.id", "bigint"), Name("event.state", "text")]
_ENDED = [*_CHILD, Name("event.result", "json", optional=True)]


class Kin(Writer):
    """Writes what a machine with a family does. What may follow from what other tasks do is bounded by a budget, the
    var `sent`: no message may answer a message for ever."""

    kids: Sequence[Spawnable]
    """The machines of its children; none where it has no family."""
    spawnable: Spawnable
    """What others know of it."""
    familial: bool
    fertile: bool
    """Whether it makes its like."""
    parents: bool
    """Whether some machine with a family makes it."""
    free: bool = False
    """Whether we are where the budget does not count."""

    def _own_vars(self) -> Fields:
        return [Name(BUDGET, "int"), Name("kid", "bigint", optional=True)] if self.familial else []

    # ------------------------------------------------------------ members

    def _family(self) -> list[str]:
        """The clauses of the machine itself."""
        if not self.familial:
            return []
        lines = [f"  on {event}{self._heard(event)}" for event in HAILS[:2]]
        lines.append("  defer HAIL2" if self._maybe(0.6) else f"  on HAIL2{self._heard('HAIL2')}")
        self.free = True
        if made := " ".join(self._spawn_one(kid, []) for kid in self.kids):
            lines.append(f"  on GROW {{ {made}{self._self([]) if self.fertile else ''} }}")
        self.shown.clear()
        lines.append(f"  on SAY {{ {self._say([])} }}")
        self.free = False
        return lines

    def _heard(self, event: str) -> str:
        self.shown.clear()
        fields = self._payload(event)
        return f"{f' when {self._guard(fields)}' if self._maybe(0.4) else ''} {{ {self._effects(fields)} }}"

    def _news(self, state: State) -> list[str]:
        """What a state does when something is heard of those below."""
        if not self.kids and not (self.familial and self._maybe(0.3)):
            return []
        lines = []
        if self._maybe(0.35):
            self.shown.clear()
            wide, self.wide = self.wide, False  # here `state` is the child's, which is a text
            when = f" when {self._guard(_ENDED)}" if self._maybe(0.4) else ""
            lines.append(f"    on CHILD_DONE{when} {self._bounded(state, _ENDED)}")
            self.wide = wide
        for event in ("SUBTREE_UPDATE", "SUBTREE_FLUSHED"):
            if self._maybe(0.3):
                self.shown.clear()
                lines.append(f"    on {event} {self._bounded(state, [])}")
                if self._maybe(0.4):
                    self.shown.clear()
                    lines.insert(len(lines) - 1, f"    on {event} when {self._guard([])} {self._bounded(state, [])}")
        if self._maybe(0.2):
            lines.append(f"    defer {self.chance.choice(HAILS)}")
        return lines

    def _bounded(self, state: State, fields: Fields) -> str:
        """An answer that leads elsewhere only while there is a budget."""
        if self._maybe(0.5):
            return f"{{ {self._effects(fields)} }}"
        arrow = f"{self._effects(fields)} -> {self._goal()}" if state.role != "running" else self._effects(fields)
        return f"{{ when sent < {self.chance.choice((2, 5, 9))} {{ increment sent {arrow} }} }}"

    def _returned(self) -> list[str]:
        """What a final state gives to who asks."""
        self.shown.clear()
        if not self.familial or self._maybe(0.4):
            return []
        kind = self.chance.choice(("int", "text", "numeric", "json", "bool", "text[]", "date"))
        return [f"    return {self._made([]).less.of(kind)}"]

    # ------------------------------------------------------------ effects

    def _effect(self, fields: Fields) -> str:
        if not self.familial or self._maybe(0.75):
            return super()._effect(fields)
        if self._maybe(0.55):
            return self._paid(self._say(fields))
        if self.fertile and self._maybe(0.3):
            return self._paid(self._self(fields))
        return self._paid(self._spawn(fields))

    def _spawn(self, fields: Fields) -> str:
        if not self.known:
            return "increment n"
        if not self.kids or self._maybe(0.3):
            found = super()._spawn(fields)
            return self._paid(found) if self.familial else found
        return self._spawn_one(self.chance.choice(self.kids), fields)

    def _paid(self, effect: str) -> str:
        if self.free or effect.startswith("when sent"):
            return effect
        return f"when sent < {self.chance.choice((1, 3, 6))} {{ increment sent {effect} }}"

    def _spawn_one(self, target: Spawnable, fields: Fields) -> str:
        if self._maybe(0.25):
            kind = self.chance.choice(("int", "text"))
            items = replace(self._made(fields, growing=False), depth=1).of(f"{kind}[]")
            inner = [*(each for each in fields if each.text != "x"), Name("x", kind)]
            return f"{self._new('', target, inner)} for x in {items}"
        return self._new("", target, fields, " as kid" if self._maybe(0.4) else "")

    def _self(self, fields: Fields) -> str:
        made = self._new("self", self.spawnable, fields, " as kid" if self._maybe(0.3) else "")
        return f" when depth < {self.chance.choice((1, 2, 3))} {{ {made} }}"

    def _say(self, fields: Fields) -> str:
        """A message; somebody that may get it takes it."""
        to = ["root", "kid"] + ["parent", "parent", "siblings"] * self.parents
        if self.fertile or any(kid.familial for kid in self.kids):
            to += ["children", "children", "subtree"]
        receiver = self.chance.choice(to)
        event = self.chance.choice((*HAILS, *HAILS, "GO"))
        made = replace(self._made(fields, growing=False), depth=1)
        given = [each for each in self._payload(event) if not each.optional or self._maybe(0.6)]
        values = ", ".join(
            f"{each.text}: {made.optional(each.kind) if each.optional else made.of(each.kind)}" for each in given
        )
        return f"send {receiver} {event}{f'({values})' if values else ''}"

    def _made(self, fields: Fields, *, growing: bool = True) -> Expressions:
        found = super()._made(fields, growing=growing)
        if not (self.kids or self.fertile) or self._maybe(0.5):
            return found
        return replace(found, names=[*found.names, *(self._look() for _ in range(2))])

    def _look(self) -> Name:
        """What it sees of those below."""
        of, roll = self.chance.choice(("children", "subtree")), self.chance.random()
        if roll < 0.15:
            return Name("children.results", "json")
        known = [state for kid in self.kids for state in kid.states]
        states = ", ".join(self.chance.choice(["final", "failure", *known]) for _ in range(self.chance.randint(1, 2)))
        if roll < 0.6:
            return Name(f"{of}.count({states})", "int")
        return Name(f"{of}.{self.chance.choice(('some', 'all'))}({states})", "bool")


def plain_spawn(target: Spawnable, chance: Random) -> str:
    """A task of this machine with constant params, for stubs."""
    given = ", ".join(
        f"{each.text}: {literal(each.kind, chance)}" for each in target.params if each.text in target.required
    )
    return f"spawn {target.name}({given})"
