"""What names stand for, where an expression stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal

from jetpackc.check.report import Report
from jetpackc.check.types import BIGINT, INT, TEXT, TIMESTAMPTZ, required
from jetpackc.ir import model as ir
from jetpackc.records import dataclass, replace
from jetpackc.source import Span

ScopeName = Literal["event", "var", "param", "builtin", "item"]
Key = tuple[str, ...]
"""A name and the scope it is of: ("var", "total"). Behind them may stand a way into it: ("event", "data", "'user'")."""

BUILTINS: Mapping[str, ir.Type] = {
    "id": BIGINT,
    "state": TEXT,
    "attempts": INT,
    "depth": INT,
    "parent": ir.Type("bigint", optional=True),
    "root": BIGINT,
    "created_at": TIMESTAMPTZ,
    "entered_at": TIMESTAMPTZ,
    "run_at": ir.Type("timestamptz", optional=True),
}
"""The columns that every task has. `parent` is null in a free task, `run_at` in a state that no worker claims."""

RESERVED = frozenset((*BUILTINS, "now"))
"""Names that no param or var may take."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A declared name. Its type is None when what was written is no type: that was reported and is not held against
    the places that use the name."""

    name: str
    type: ir.Type | None
    span: Span
    has_default: bool = False
    doc: str = ""
    default: ir.Expr | None = None
    """Of an event's field; those of params and vars are read where the names that they may use are known."""

    @property
    def may_be_left_out(self) -> bool:
        """Whether a value need not be given."""
        return self.has_default or self.type is None or self.type.optional


Fields = Mapping[str, Typed]


@dataclass(frozen=True, slots=True)
class ModuleScope:
    """The names of one module."""

    name: str
    enums: Mapping[str, ir.Enum]
    events: Mapping[str, Fields]
    machines: Mapping[str, Fields]


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression may use, from the nearest to the farthest.

    `event` is None where no event is at hand; `elsewhere` then tells which event has a field of a name. `states` maps
    each state to the names of its leaves. `unread` are names that a task has and that cannot be read here, with why.
    `known` are the names that a guard has shown not to be null. `item` is the element of a `spawn … for`, and `machine`
    the one whose clauses these are.
    """

    module: ModuleScope
    report: Report
    params: Fields
    vars: Fields = field(default_factory=dict)
    event: Fields | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    builtins: Mapping[str, ir.Type] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[Key] = frozenset()
    item: Typed | None = None
    machine: str = ""

    def knowing(self, keys: Iterable[Key]) -> Scope:
        """The scope where these names, too, are not null."""
        more = frozenset(keys) - self.known
        return replace(self, known=self.known | more) if more else self

    def forgetting(self, names: Iterable[str]) -> Scope:
        """The scope after these vars may have become null again."""
        gone = {("var", name) for name in names}
        fewer = frozenset(key for key in self.known if key[:2] in gone)
        return replace(self, known=self.known - fewer) if fewer else self

    def lookup(self, name: str) -> tuple[ScopeName, ir.Type | None] | None:
        """What a bare name stands for: the element of a `for`, the event's field, else a var, a param, a built-in."""
        if self.item is not None and name == self.item.name:
            return "item", self.item.type
        for scope in ("event", "var", "param"):
            if (found := self.member(scope, name)) is not None:
                return found
        if name not in self.builtins:
            return None
        type = self.builtins[name]
        return "builtin", required(type) if ("builtin", name) in self.known else type

    def member(self, scope: str, name: str) -> tuple[ScopeName, ir.Type | None] | None:
        """What `event.name`, `var.name` or `param.name` stands for."""
        label: ScopeName
        if scope == "event":
            label, fields = "event", self.event or {}
        elif scope == "var":
            label, fields = "var", self.vars
        else:
            label, fields = "param", self.params
        if name not in fields:
            return None
        type = fields[name].type
        return label, required(type) if type and (scope, name) in self.known else type

    def names(self) -> list[str]:
        """Every name that may stand alone."""
        item = [] if self.item is None else [self.item.name]
        return [*item, *(self.event or {}), *self.vars, *self.params, *self.builtins]
