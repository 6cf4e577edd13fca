"""Results as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from outcome import Results
from roster import FLOOR, OURS
from targets import judged
from workloads import WORKLOADS, Workload


def markdown(results: Results, about: str) -> str:
    """A table a workload, then the targets."""
    parts = [about]
    for name, workload in WORKLOADS.items():
        if name in results.turns:
            parts.append(f"### {name}: {workload.about}\n\n{_workload(results, workload)}")
    if targets := _targets(results):
        parts.append(f"### targets\n\n{targets}")
    parts += [f"not measured: {error}" for error in results.errors]
    return "\n\n".join(parts)


def plain(results: Results, about: str) -> dict[str, Any]:
    """All of it, for JSON: every turn, and the targets with what was reached."""
    targets = [{**asdict(target), "ratio": ratio, "met": target.is_met(ratio)} for target, ratio in judged(results)]
    turns = {
        name: {contestant: [asdict(turn) for turn in found] for contestant, found in by.items()}
        for name, by in results.turns.items()
    }
    return {"about": about, "workloads": turns, "targets": targets, "errors": results.errors}


def _workload(results: Results, workload: Workload) -> str:
    first, name = workload.shown[0], workload.name
    if workload.alone:
        return _table(["", ""], [[figure, _number(results.median(name, OURS, figure))] for figure in workload.shown])
    rows = []
    for contestant in results.turns[name]:
        values = [_number(results.median(name, contestant, figure)) for figure in workload.shown]
        rows.append([f"`{contestant}`", *values, _ratio(results.ratio(name, contestant, FLOOR, first))])
    return _table(["", *workload.shown, f"{first}, of `{FLOOR}`"], rows)


def _targets(results: Results) -> str:
    rows = [
        [
            f"{target.workload}, {target.figure}",
            target.aim,
            f"{ratio:.2f}",
            "met" if target.is_met(ratio) else "**not met**",
        ]
        for target, ratio in judged(results)
    ]
    return _table([f"`{OURS}`", "aim", "reached", ""], rows) if rows else ""


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
