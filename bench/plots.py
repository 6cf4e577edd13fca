"""Pictures of results, as SVG: bars a workload, and lines over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from outcome import Results
from workloads import WORKLOADS

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 22, 170, 110, 40
CHART = 260
COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#475569", "#000000")


def draw(results: Results, folder: Path) -> None:
    """One file of bars a workload; one of lines where something was seen over time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, by in results.turns.items():
        figure = WORKLOADS[name].shown[0]
        values = {who: results.median(name, who, figure) for who in by}
        known = {who: value for who, value in values.items() if value is not None}
        (folder / f"{name}.svg").write_text(bars(f"{name}: {figure}", known))
        for what in ("jobs/s", "memory MB"):
            lines = {
                who: (turns[-1].series["seconds"], turns[-1].series[what])
                for who, turns in by.items()
                if turns[-1].series
            }
            if lines:
                (folder / f"{name}-{what.split()[0].replace('/', '-')}-over-time.svg").write_text(
                    curves(f"{name}: {what}", lines)
                )


def bars(title: str, values: Mapping[str, float]) -> str:
    """A bar each, longest first."""
    most = max(values.values(), default=0) or 1
    parts = []
    for at, (name, value) in enumerate(sorted(values.items(), key=lambda item: -item[1])):
        y, length = TOP + at * ROW, max(0.0, value / most) * (WIDTH - LEFT - RIGHT)
        parts.append(_text(LEFT - 8, y + 15, name, "end"))
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" fill="{_colour(at)}"/>')
        parts.append(_text(LEFT + length + 6, y + 15, f"{value:,.0f}" if value >= 100 else f"{value:.2f}"))
    return _svg(title, TOP + len(values) * ROW + 10, parts)


def curves(title: str, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """A line each, over seconds, from zero up."""
    wide = max((x for xs, _ in lines.values() for x in xs), default=0) or 1
    high = max((y for _, ys in lines.values() for y in ys), default=0) or 1
    span, left = WIDTH - 2 * 70, 70
    parts = [_rule(left, TOP + CHART * part / 4, span, high * (4 - part) / 4) for part in range(5)]
    for at, (name, (xs, ys)) in enumerate(lines.items()):
        points = " ".join(
            f"{left + span * x / wide:.1f},{TOP + CHART * (1 - y / high):.1f}" for x, y in zip(xs, ys, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_colour(at)}" stroke-width="1.5"/>')
        y = TOP + CHART + 40 + at * 18
        parts.append(
            f'<rect x="{left}" y="{y - 9}" width="12" height="10" fill="{_colour(at)}"/>{_text(left + 18, y, name)}'
        )
    parts.append(_text(left + span, TOP + CHART + 18, f"{wide:.0f} s", "end"))
    return _svg(title, TOP + CHART + 40 + len(lines) * 18, parts)


def _rule(x: float, y: float, span: float, value: float) -> str:
    line = f'<line x1="{x}" y1="{y:.1f}" x2="{x + span}" y2="{y:.1f}" stroke="#ddd"/>'
    return line + _text(x - 8, y + 4, f"{value:,.0f}", "end")


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([head, f'<text x="14" y="24" font-size="15">{escape(title)}</text>', *parts, "</svg>", ""])
