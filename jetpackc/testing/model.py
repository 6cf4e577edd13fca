"""What a run of a test comes to."""

from __future__ import annotations

from collections.abc import Sequence

from jetpack_runtime import Hop, TaskView

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.ir import model as ir
from jetpackc.records import dataclass

Hopped = tuple[str, str, str, str]
"""A transition that a task took: machine, state, event, state."""


@dataclass(frozen=True, slots=True)
class Story:
    """A task with all that happened to it."""

    task: TaskView
    hops: Sequence[Hop]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test failed: what was found, and the tasks that it is about. `expected` is as it was written."""

    diagnostic: Diagnostic
    expected: str
    actual: str
    stories: Sequence[Story] = ()


class FailedError(Exception):
    """A test cannot go on. `about` are the tasks to tell of."""

    def __init__(self, diagnostic: Diagnostic, actual: str, about: Sequence[int] = ()) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.actual = actual
        self.about = about


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended. `seconds` are real ones; `taken` are the transitions that its tasks took."""

    test: ir.Test
    seconds: float
    taken: frozenset[Hopped]
    failure: Failure | None = None
