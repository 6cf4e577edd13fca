"""Tests in the IR: what `jetpackc test` runs."""

from __future__ import annotations

from dataclasses import field
from typing import Literal as OneOf

from jetpackc.ir.expressions import NO_SPAN, Expr
from jetpackc.records import dataclass
from jetpackc.source import Span


@dataclass(frozen=True, slots=True)
class TestCreate:
    """Create a task of `machine`, as `module.machine`. Tasks count from 0, in the order of these statements."""

    machine: str
    arguments: tuple[tuple[str, Expr], ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestSpawned:
    """Name the first task of `machine` that was spawned and has no name yet: a child of the task `parent`, if there is
    one. It is counted with those of TestCreate."""

    machine: str
    parent: int | None = None
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestSend:
    """Send an event to a task."""

    task: int
    event: str
    arguments: tuple[tuple[str, Expr], ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestAdvance:
    """Let so much time (an interval) go by."""

    value: Expr
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestExpect:
    """A condition over a task must be true; null is not. `others` are tasks that it names as well: what it reads of
    `hotel` is called `hotel.price`."""

    task: int
    condition: Expr
    others: tuple[tuple[str, int], ...] = ()
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestState:
    """A task must be in a state: in one of its leaves."""

    task: int
    state: str
    leaves: tuple[str, ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestSent:
    """What must have become of the event sent last: applied, ignored by the state, refused for the sake of others."""

    verdict: OneOf["applied", "ignored", "refused"]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestError:
    """The statement before must have been refused, with a message that has this in it."""

    message: str
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestStub:
    """How handlers of some work end, `times` times (None: from now on). `works` are `module.machine` and the leaf with
    `run`; `event` is empty where the handler hangs, or `dies` together with its worker."""

    works: tuple[tuple[str, str], ...]
    event: str
    arguments: tuple[tuple[str, Expr], ...] = ()
    times: int | None = None
    dies: bool = False
    span: Span = field(default=NO_SPAN, compare=False, repr=False)


TestStep = TestCreate | TestSpawned | TestSend | TestAdvance | TestExpect | TestState | TestSent | TestError | TestStub


@dataclass(frozen=True, slots=True)
class Test:
    """A story of tasks and what must hold in it."""

    name: str
    steps: tuple[TestStep, ...]
    span: Span = field(default=NO_SPAN, compare=False, repr=False)
