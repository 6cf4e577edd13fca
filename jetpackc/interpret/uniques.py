"""At most one: which tasks `unique` holds apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jetpackc.interpret.model import Task
from jetpackc.ir import chart, model as ir
from jetpackc.values.errors import CONFLICT, UndoneError


class BrokenError(UndoneError):
    """With this task there would be a second."""

    def __init__(self, task: int, unique: ir.Unique) -> None:
        within = f" while in ({', '.join(unique.states)})" if unique.states else ""
        super().__init__(CONFLICT, f"unique ({', '.join(unique.columns)}){within}: there is another such task")
        self.task = task


def conflict(machine: ir.Machine, task: Task, others: Iterable[Task]) -> tuple[ir.Unique, Task] | None:
    """The first `unique` that does not hold, and the other task of this machine that has the same values."""
    found = [other for other in others if other.machine == task.machine and other is not task]
    for unique in machine.uniques:
        mine = _key(machine, task, unique)
        other = next((each for each in found if mine and _key(machine, each, unique) == mine), None)
        if other:
            return unique, other
    return None


def _key(machine: ir.Machine, task: Task, unique: ir.Unique) -> list[Any] | None:
    """What must differ among tasks that are not final, or those in the states behind `while in`."""
    within = {leaf.name for state in unique.states for leaf in chart.leaves_of(machine, state)}
    if task.state not in within if within else task.ended:
        return None
    return [{**task.params, **task.vars}[name] for name in unique.columns]
