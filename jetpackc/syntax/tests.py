"""The nodes of `test` blocks: a story of tasks, told by one statement a line."""

from __future__ import annotations

from typing import Literal

from jetpackc.records import dataclass
from jetpackc.source import Span
from jetpackc.syntax.expressions import Argument, Constant, Expr, Name

Verdict = Literal["applied", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Create:
    """`create machine(arguments) [as alias]`."""

    machine: Name
    arguments: tuple[Argument, ...]
    alias: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Spawned:
    """`spawned machine [of task] as alias`: a name for the first task of the machine that was spawned, as a child of
    that task if one is named, and has none yet."""

    machine: Name
    parent: Name | None
    alias: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Post:
    """`send [task] EVENT(arguments)`; without a task, to the one created last."""

    task: Name | None
    event: Name
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Advance:
    """`advance 24h`."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Expect:
    """`expect condition`."""

    condition: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectState:
    """`expect [task] state s`."""

    task: Name | None
    state: Name
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectSent:
    """`expect sent applied|ignored|refused`: what became of the event sent last."""

    verdict: Verdict
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectError:
    """`expect error "why"`: the line before was refused, with a message that has this in it."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Stub:
    """`stub work returns|raises|hangs|dies … [once|twice|n times]`: how the handler of some work ends.

    `event` is what `returns` names; `message` is a text behind `raises`, in place of arguments. `times` None is always.
    """

    work: Name
    kind: Literal["returns", "raises", "hangs", "dies"]
    event: Name | None
    arguments: tuple[Argument, ...]
    message: Constant | None
    times: int | None
    span: Span


TestStatement = Create | Spawned | Post | Advance | Expect | ExpectState | ExpectSent | ExpectError | Stub


@dataclass(frozen=True, slots=True)
class Test:
    """`test "name" { statements }`."""

    name: str
    body: tuple[TestStatement, ...]
    doc: str
    span: Span
