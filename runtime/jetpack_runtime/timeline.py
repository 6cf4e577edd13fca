"""What happened to a task, as lines of text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from .views import Hop, TaskView

LONGEST = 120
"""Characters of a payload, or of the vars that changed, that are shown."""

Style = Callable[[str], str]


def timeline(
    task: TaskView, hops: Sequence[Hop], *, strong: Style = str, dim: Style = str, fault: Style = str
) -> list[str]:
    """The task's state, then its hops, oldest first, without tracebacks.

    The styles colour what to look at, what is beside the point, and what is wrong.
    """
    lines = [strong(f"{task.machine} {task.id}") + f" is in {task.state}"]
    width = max((len(hop.event or "") for hop in hops), default=0)
    for hop in hops:
        moved = f"{hop.from_state or ''} -> {hop.to_state}" if hop.to_state else f"{hop.from_state}, ignored"
        parts = [f"{hop.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], f"{hop.event or '':<{width}}", moved.strip()]
        lines.append("  " + "  ".join(parts) + dim(_details(hop)))
    if task.stuck:
        lines.append(f"  {fault('stuck')}: {task.stuck.get('error')}; mend the cause, then: jetpackc retry {task.id}")
    return lines


def _details(hop: Hop) -> str:
    found = ""
    payload = {name: value for name, value in (hop.payload or {}).items() if name != "traceback"}
    if payload:
        found += f"  {_short(payload)}"
    if hop.changed:
        found += f"  set {_short(hop.changed)}"
    return f"{found}  by {hop.actor}" if hop.actor else found


def _short(members: Any) -> str:
    text = json.dumps(members, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
