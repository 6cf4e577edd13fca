"""Charts with their places, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from jetpackc.graph.layout import ASPECT, LINE_HEIGHT, MARK, PADDING, Box, Curve, Layout, Point, columns, marked
from jetpackc.graph.model import Arrow, Chart, Node
from jetpackc.graph.style import STYLE

MARGIN = 16.0
NAME, NAME_HEIGHT = 15.0, 30.0
"""Size of the letters of a machine's name, and room for it."""
HEAD = 9.0
"""How long the head of an arrow is; it is two thirds as wide."""


def svg(drawn: Sequence[tuple[Chart, Layout]], *, alone: bool = True) -> str:
    """One drawing, the charts below each other. `alone`: a file of its own, with its style, its paper and the names of
    the machines; else a part of a page that has these."""
    name_height = NAME_HEIGHT if alone else 0.0
    width = max((max(layout.width, _name_width(chart) if alone else 0.0) for chart, layout in drawn), default=0.0)
    parts: list[str] = []
    y = MARGIN
    for chart, layout in drawn:
        if alone:
            parts.append(f'<text class="name" x="{_n(MARGIN)}" y="{_n(y + 14)}">{_text(chart.name)}</text>')
        parts.append(f'<g transform="translate({_n(MARGIN)} {_n(y + name_height)})">')
        parts += _chart(chart, layout)
        parts.append("</g>")
        y += name_height + layout.height + 2 * MARGIN
    return "\n".join((*_opening(width + 2 * MARGIN, max(y - MARGIN, 0.0), drawn, alone=alone), *parts, "</svg>", ""))


def _name_width(chart: Chart) -> float:
    return columns(chart.name) * NAME * ASPECT


def _opening(width: float, height: float, drawn: Sequence[tuple[Chart, Layout]], *, alone: bool) -> Iterator[str]:
    names = ", ".join(chart.name for chart, _ in drawn)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="jet" role="img" aria-label={_attribute(names)} '
        f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}">'
    )
    if alone:
        yield f"<style>\n{STYLE}</style>"
        yield f'<rect class="paper" width="{_n(width)}" height="{_n(height)}"/>'


def _chart(chart: Chart, layout: Layout) -> Iterator[str]:
    """Boxes around boxes first, then arrows, then boxes, then words: what comes later lies above."""
    composites = [node for node in chart.nodes if node.kind == "composite"]
    pairs = list(zip(chart.arrows, layout.curves, strict=True))
    for node in composites:
        yield from _node(node, layout.boxes[node.id])
    for arrow, curve in pairs:
        yield from _arrow(arrow, curve)
    for node in chart.nodes:
        if node.kind != "composite":
            yield from _node(node, layout.boxes[node.id])
    for arrow, curve in pairs:
        yield from _labels(arrow, curve)


# ---------------------------------------------------------------- boxes


def _node(node: Node, box: Box) -> Iterator[str]:
    if node.kind == "start":
        yield f'<circle class="dot" cx="{_n(box.x + 6)}" cy="{_n(box.y + 6)}" r="6"/>'
        return
    kind = " ".join((node.kind, *(["queue"] if node.claimable else []), *(["work"] if node.running else [])))
    yield f'<g class="{kind}" data-box={_attribute(node.id)}>'
    if node.claimable:
        yield _rect("box", Box(box.x + 4, box.y + 4, box.width, box.height))
    yield _rect("box", box)
    if node.kind in ("final", "failure"):
        yield _rect("inner", Box(box.x + 3, box.y + 3, box.width - 6, box.height - 6))
    yield from _words(node, box)
    yield "</g>"


def _rect(kind: str, box: Box) -> str:
    place = f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
    return f'<rect class="{kind}" {place} rx="7"/>'


def _words(node: Node, box: Box) -> Iterator[str]:
    left, top = box.x + PADDING, box.y + PADDING / 2 + 13
    if marked(node):
        yield from _mark(node, left + 5, top - 4.5)
    yield f'<text class="title" x="{_n(left + (MARK if marked(node) else 0))}" y="{_n(top)}">{_text(node.title)}</text>'
    for place, line in enumerate(node.lines, start=1):
        yield f'<text class="line" x="{_n(left)}" y="{_n(top + place * LINE_HEIGHT)}">{_text(line)}</text>'


def _mark(node: Node, x: float, y: float) -> Iterator[str]:
    """A dot where a task begins, a dot in a ring where it ends well, a cross in a ring where it ends badly."""
    if node.kind in ("final", "failure"):
        yield f'<circle class="mark" cx="{_n(x)}" cy="{_n(y)}" r="5.5"/>'
    if node.kind == "failure":
        corners = f"M{_n(x - 2.5)} {_n(y - 2.5)}l5 5m0 -5l-5 5"
        yield f'<path class="mark" d="{corners}"/>'
    else:
        yield f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="{3 if node.kind == "final" else 4.5}"/>'


# ---------------------------------------------------------------- arrows


def _arrow(arrow: Arrow, curve: Curve) -> Iterator[str]:
    first, *rest = curve.points
    path = f"M{_pair(first)}C" + " ".join(_pair(point) for point in rest)
    yield f'<g class="{"arrow" if arrow.kind == "move" else arrow.kind}">'
    yield f'<path class="curve" d="{path}"/>'
    yield f'<path class="head" d="{_head(curve.points[-1], curve.tip)}"/>'
    yield "</g>"


def _head(base: Point, tip: Point) -> str:
    (x, y), (to_x, to_y) = base, tip
    length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5 or 1.0
    along_x, along_y = (to_x - x) / length, (to_y - y) / length
    back = to_x - along_x * HEAD, to_y - along_y * HEAD
    left = back[0] - along_y * HEAD / 3, back[1] + along_x * HEAD / 3
    right = back[0] + along_y * HEAD / 3, back[1] - along_x * HEAD / 3
    return f"M{_pair(tip)}L{_pair(left)}L{_pair(right)}Z"


def _labels(arrow: Arrow, curve: Curve) -> Iterator[str]:
    if curve.label is None:
        return
    x, y = curve.label
    top = y - (len(arrow.labels) - 1) * LINE_HEIGHT / 2 + 3.8
    for place, label in enumerate(arrow.labels):
        told = f"<title>{_text(label.full)}</title>" if label.full != label.text else ""
        yield f'<text class="label" x="{_n(x)}" y="{_n(top + place * LINE_HEIGHT)}">{told}{_text(label.text)}</text>'


# ---------------------------------------------------------------- writing


def _text(text: str) -> str:
    """As XML takes it, which has no place for most control characters."""
    return escape("".join(char if char.isprintable() else "�" for char in text))


def _attribute(text: str) -> str:
    return quoteattr("".join(char if char.isprintable() else "�" for char in text))


def _pair(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(value: float) -> str:
    """A number with one decimal at most, and none where it needs none."""
    return f"{value:.1f}".removesuffix(".0").replace("-0", "0", 1 if abs(value) < 0.05 else 0)
