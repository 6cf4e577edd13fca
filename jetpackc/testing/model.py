"""What a run of a test comes to."""

from __future__ import annotations

from collections.abc import Sequence

from jetpack_runtime import Hop, TaskView
from jetpack_runtime.timeline import Style, timeline

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.ir import model as ir
from jetpackc.records import dataclass
from jetpackc.waits import Message, task_lines

Hopped = tuple[str, str, str, str]
"""A transition that a task took: machine, state, event, state."""


@dataclass(frozen=True, slots=True)
class Story:
    """A task with all that happened to it, and what it has yet to take."""

    task: TaskView
    hops: Sequence[Hop]
    waiting: Sequence[Message] = ()

    def lines(self, **styles: Style) -> list[str]:
        """It as text, in the styles of `timeline`."""
        return [*timeline(self.task, self.hops, **styles), *(f"  {line}" for line in task_lines(self.waiting))]


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
