"""The abstract syntax tree: what was written, with its places. The checker turns it into the IR; nothing else reads it.

Names are kept as written; nothing is resolved here. A leading `///` comment becomes the `doc` of what follows it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax.expressions import (
    Argument as Argument,
    ArrayExpr as ArrayExpr,
    Ascribed as Ascribed,
    Binary as Binary,
    Call as Call,
    Cast as Cast,
    Constant as Constant,
    Expr as Expr,
    In as In,
    Index as Index,
    IsNull as IsNull,
    Member as Member,
    Name as Name,
    TypeName as TypeName,
    Unary as Unary,
    Variable as Variable,
)
from jetpackc.syntax.tests import (
    Advance as Advance,
    Create as Create,
    Expect as Expect,
    ExpectError as ExpectError,
    ExpectSent as ExpectSent,
    ExpectState as ExpectState,
    Post as Post,
    Spawned as Spawned,
    Stub as Stub,
    Test as Test,
    TestStatement as TestStatement,
)


@dataclass(frozen=True, slots=True)
class Field:
    """`name: type = default`: a param, an event's field, an operator's or template's param."""

    name: Name
    type: TypeName
    default: Expr | None
    span: Span
    doc: str = ""


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Goto:
    """`-> target [in delay]`, or `reenter` (target None)."""

    target: Name | None
    delay: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Set:
    """`set name = value`."""

    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Increment:
    """`increment name`."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Fail:
    """`fail "why"`."""

    message: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Raise:
    """`raise ABANDONED`: the machine dispatches a lifecycle event to itself."""

    event: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Spawn:
    """`spawn [root] machine(arguments) [as alias] [in delay] [for item in items]`; `self` is the same machine."""

    root: bool
    machine: Name
    arguments: tuple[Argument, ...]
    alias: Name | None
    delay: Expr | None
    item: Name | None
    items: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Send:
    """`send receiver EVENT(arguments)`."""

    receiver: Expr
    event: Name
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm of a `when`; `guard` None is `else`."""

    guard: Expr | None
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class When:
    """`when a … else when b … else …`, at least one arm."""

    branches: tuple[Branch, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Apply:
    """The call of a user-defined operator, standing where a block may."""

    operator: Name
    arguments: tuple[Argument, ...]
    span: Span


Statement = Goto | Set | Increment | Fail | Raise | Spawn | Send | When | Apply


@dataclass(frozen=True, slots=True)
class Clause:
    """What follows a trigger: `[when guard] [-> target [in delay]] [{ body }]`.

    `target` is the clause's own arrow and is taken after `body`.
    """

    guard: Expr | None
    target: Goto | None
    body: tuple[Statement, ...]
    span: Span


# ---------------------------------------------------------------- members of states and machines


@dataclass(frozen=True, slots=True)
class Enter:
    """`enter clause`."""

    clause: Clause
    span: Span


@dataclass(frozen=True, slots=True)
class Exit:
    """`exit { body }`."""

    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class On:
    """`on E, F (fields) clause`; `fields` None when no parentheses were written."""

    events: tuple[Name, ...]
    fields: tuple[Field, ...] | None
    clause: Clause
    span: Span


@dataclass(frozen=True, slots=True)
class Timer:
    """`after duration clause` or `at moment clause`."""

    kind: Literal["after", "at"]
    value: Expr
    clause: Clause
    span: Span


@dataclass(frozen=True, slots=True)
class Run:
    """`run "module:function"`."""

    handler: str
    span: Span


@dataclass(frozen=True, slots=True)
class Timeout:
    """`timeout duration`."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Ignore:
    """`ignore E, F`."""

    events: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Defer:
    """`defer E, F`."""

    events: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Result:
    """`return expr`, the result of a final state."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class State:
    """`initial|final|failure state a, b [was c] { members }`; several names share one body.

    `inherited`: it came from the machine's template, which the machine may go around. No syntax makes it so.
    """

    kinds: tuple[Literal["initial", "final", "failure"], ...]
    names: tuple[Name, ...]
    was: Name | None
    members: tuple[StateMember, ...]
    doc: str
    span: Span
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`step s(max_attempts: n, backoff: a..b) { members }`."""

    initial: bool
    name: Name
    arguments: tuple[Argument, ...]
    was: Name | None
    members: tuple[StateMember, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Removed:
    """`removed state s -> target` or `removed state s { … }`."""

    name: Name
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Var:
    """`var name: type [was old] = default`."""

    name: Name
    type: TypeName
    was: Name | None
    default: Expr | None
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Unique:
    """`unique (a, b) [while in (s, t)] [or return|error]`."""

    columns: tuple[Name, ...]
    states: tuple[Name, ...] | None
    verdict: Literal["return", "error"]
    span: Span


@dataclass(frozen=True, slots=True)
class Priority:
    """`priority EXPR`."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit 100 [per 1m] [per tenant]`. `count` and `window` (milliseconds) as written, whatever they are."""

    count: int
    window: int | None
    by: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Fair:
    """`fair by tenant`."""

    by: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Keep:
    """`keep done 30d`: of a final state, `final`, `failure` or `history`, for `length` milliseconds."""

    what: Name
    length: int
    span: Span


@dataclass(frozen=True, slots=True)
class Allow:
    """`allow J123 because "why"`."""

    code: Name
    reason: str
    span: Span


StateMember = Enter | Exit | On | Timer | Run | Timeout | Ignore | Defer | Result | State | Step | Removed
MachineMember = Var | Unique | State | Step | On | Removed | Priority | Limit | Fair | Keep | Ignore | Defer | Allow


# ---------------------------------------------------------------- items of a file


@dataclass(frozen=True, slots=True)
class Module:
    """`module shop`."""

    name: Name
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Import:
    """`import "other.jet"`."""

    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Enum:
    """`enum tier { free, pro }`."""

    name: Name
    values: tuple[Name, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Event:
    """`event PAID(amount: numeric)`."""

    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Operator:
    """`operator retry(max: int) { body }`; a param of type `state` takes a state's name."""

    name: Name
    params: tuple[Field, ...]
    body: tuple[Statement, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Template:
    """`template task(max_attempts: int = 1) { members }`."""

    name: Name
    params: tuple[Field, ...]
    members: tuple[MachineMember, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Machine:
    """`machine name(params) [was old] [is template(arguments)] { members }`."""

    name: Name
    params: tuple[Field, ...]
    was: Name | None
    template: Name | None
    arguments: tuple[Argument, ...]
    members: tuple[MachineMember, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class Schedule:
    """`schedule nightly cron "0 3 * * *" [in "Europe/London"] [missed latest] spawn m(…)`; `every 1h` may stand in
    place of `cron` and its zone."""

    name: Name
    cron: Constant | None
    zone: Constant | None
    every: Expr | None
    missed: Name | None
    spawn: Spawn
    doc: str
    span: Span


Item = Module | Import | Enum | Event | Operator | Template | Machine | Schedule | Allow | Test


@dataclass(frozen=True, slots=True)
class File:
    """One parsed file. Items that did not parse are missing from it and reported beside it."""

    path: str
    items: tuple[Item, ...]

    @property
    def module(self) -> str:
        """The module that it belongs to: the one of its `module` line, else the one of its own name, less `.jet`."""
        heads = (item.name.text for item in self.items if isinstance(item, Module))
        return next(heads, PurePosixPath(self.path).stem)
