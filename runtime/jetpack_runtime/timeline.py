"""What happened to a task, as lines of text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from .views import Hop, TaskView

LONGEST = 120
"""Characters of a payload, or of the vars that changed, that are shown."""

NOTES = {
    "refused": "refused",
    "late": "too late",
    "stuck": "stuck on it",
    "unstuck": "taken up again",
    "spent": "the timer is put out",
}
"""The engine's own notes, in lower case as no event is: what became of the event that they are about."""

Style = Callable[[str], str]


def timeline(
    task: TaskView, hops: Sequence[Hop], *, strong: Style = str, dim: Style = str, fault: Style = str
) -> list[str]:
    """The task's state, then its hops, oldest first, without tracebacks.

    The styles colour what to look at, what is beside the point, and what is wrong.
    """
    lines = [strong(f"{task.machine} {task.id}") + f" is in {task.state}"]
    events = [_event(hop) for hop in hops]
    width = max(map(len, events), default=0)
    for hop, event in zip(hops, events, strict=True):
        parts = [f"{hop.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], f"{event:<{width}}", _moved(hop)]
        lines.append("  " + "  ".join(parts) + dim(_details(hop)))
    if task.stuck:
        lines.append(f"  {fault('stuck')}: {task.stuck.get('error')}; mend the cause, then: jetpackc retry {task.id}")
    return lines


def _event(hop: Hop) -> str:
    """The event, of a note the one that it is about."""
    about = (hop.payload or {}).get("event") if hop.event in NOTES else None
    return str(about or hop.event or "")


def _moved(hop: Hop) -> str:
    if hop.to_state:
        return f"{hop.from_state or ''} -> {hop.to_state}".strip()
    return f"{hop.from_state}, {NOTES.get(hop.event or '', 'ignored')}"


def _details(hop: Hop) -> str:
    found = ""
    if hop.event in NOTES and (why := (hop.payload or {}).get("reason") or (hop.payload or {}).get("error")):
        found += f": {why}"
    payload = (hop.payload or {}).get("payload") if hop.event in NOTES else hop.payload
    payload = {name: value for name, value in (payload or {}).items() if name != "traceback"}
    if payload:
        found += f"  {_short(payload)}"
    if hop.changed:
        found += f"  set {_short(hop.changed)}"
    return f"{found}  by {hop.actor}" if hop.actor else found


def _short(members: Any) -> str:
    text = json.dumps(members, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
