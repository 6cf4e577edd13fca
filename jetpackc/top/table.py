"""A look as lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jetpackc.top.model import Holder, Horizon, Look, Queue

LONG = 60.0
"""Seconds for which somebody may hold the horizon back before it is worth red ink."""

MOMENT = 1.0
"""Seconds of a transaction that is not worth a word."""

Style = Callable[[str], str]

_HEAD = ("MACHINE", "ready", "running", "delayed", "stuck", "oldest", "in/s", "out/s", "p50", "p95")


def lines(look: Look, *, strong: Style, dim: Style, fault: Style) -> list[str]:
    """The table. Styles are applied around whole cells, so that columns stay where they are."""
    rows = [[one.machine, *_numbers(one)] for one in look.queues]
    widths = [max(len(row[at]) for row in [_HEAD, *rows]) for at in range(len(_HEAD))]
    found = [dim(_row(_HEAD, widths))]
    found += [_row(row, widths) + _paused(one, fault) for row, one in zip(rows, look.queues, strict=True)]
    if any(one.partial for one in look.queues):
        found.append(dim("~ at least: old history is removed, and new comes in its place"))
    found += ["", *_holders(look.holders, dim, fault)]
    found += ["", *_horizon(look.horizon, dim, fault)]
    if look.hidden:
        found.append(dim(f"{look.hidden} sessions of other roles are not seen: grant pg_monitor to this one"))
    return found if look.queues else [strong("no machines"), *found[-1:]]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([f"{cells[0]:<{widths[0]}}", *numbers])


def _numbers(one: Queue) -> list[str]:
    about = "~" if one.partial else ""
    counts = [f"{count:,}" for count in (one.ready, one.running, one.delayed, one.stuck)]
    waits = ["-" if wait is None else about + seconds(wait) for wait in (one.p50, one.p95)]
    return [*counts, seconds(one.oldest) if one.ready else "-", rate(one.created), about + rate(one.ended), *waits]


def _paused(one: Queue, fault: Style) -> str:
    if not one.paused:
        return ""
    return "  " + fault("paused" if "" in one.paused else f"paused: {', '.join(one.paused)}")


def _holders(holders: Sequence[Holder], dim: Style, fault: Style) -> list[str]:
    if not holders:
        return [dim("no worker has a lease")]
    width = max(len("WORKER"), *(len(one.name) for one in holders))
    head = f"{'WORKER':<{width}}  {'holds':>5}  {'since':>6}  {'seen':>6}  {'lease':>6}"
    return [dim(head), *(_holder(one, width, fault) for one in holders)]


def _holder(one: Holder, width: int, fault: Style) -> str:
    held = sum(one.holds.values())
    times = [f"{seconds(value):>6}" for value in (one.since, one.seen, one.lease)]
    notes = [f"{machine} {count:,}" for machine, count in one.holds.items()]
    if one.over:
        notes.append(fault("run out"))
    elif one.idle and not held:
        notes.append("idle")
    return "  ".join([f"{one.name:<{width}}", f"{held:>5,}", *times, ", ".join(notes)]).rstrip()


def _horizon(one: Horizon | None, dim: Style, fault: Style) -> list[str]:
    if one is None or (one.seconds is not None and one.seconds < MOMENT):
        return [dim("nobody holds the horizon back")]
    who = " ".join(filter(None, [one.kind, one.name and f"`{one.name}`", f"of {one.role}" if one.role else ""]))
    pid = "" if one.pid is None else f", pid {one.pid}"
    long = "" if one.seconds is None else f" for {seconds(one.seconds)}"
    text = f"the horizon is held back{long}, {one.age:,} transactions, by {who} ({one.state}{pid})"
    found = [fault(text) if one.seconds is None or one.seconds >= LONG else text]
    return [*found, *(["  " + " ".join(one.query.split())[:200]] if one.query else [])]


def rate(value: float) -> str:
    """A number a second."""
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}"


def seconds(value: float) -> str:
    """A length of time in few letters."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.0f} h" if value < 172_800 else f"{value / 86_400:.0f} d"
