"""Where everything stands: what the layout engine is asked, and what its answer says.

The engine is asked in the language of Graphviz and given sizes instead of texts, so its fonts do not matter.
Lengths are in pixels, of which it is told that an inch has 72; the origin is the upper left corner.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from jetpackc.graph.model import Arrow, Chart, Node
from jetpackc.records import dataclass

TITLE, LINE = 13.0, 11.0
"""Sizes of the letters of titles, and of all else."""
ASPECT = 0.602
"""How wide a letter of a monospaced font is, in its size."""
TITLE_HEIGHT, LINE_HEIGHT = 18.0, 15.0
PADDING = 12.0
MARK = 18.0
"""Room for the mark in front of a title."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """Left, top, width, height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Curve:
    """An arrow's Bezier curve (a point, then three at a time), the tip of its head, the middle of its label."""

    points: tuple[Point, ...]
    tip: Point
    label: Point | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of a chart's nodes, by id, and of its arrows, in their order."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    curves: tuple[Curve, ...]


def marked(node: Node) -> bool:
    """Whether a mark stands in front of its title."""
    return node.initial or node.kind in ("final", "failure")


def size(node: Node) -> tuple[float, float]:
    """Width and height of a box, or of a composite's head."""
    if node.kind == "start":
        return 12.0, 12.0
    widths = [columns(node.title) * TITLE * ASPECT + (MARK if marked(node) else 0.0)]
    widths += [columns(line) * LINE * ASPECT for line in node.lines]
    height = TITLE_HEIGHT + LINE_HEIGHT * len(node.lines)
    return max(max(widths) + 2 * PADDING, 56.0), height + PADDING


def label_size(arrow: Arrow) -> tuple[float, float]:
    """Width and height of all labels of an arrow."""
    width = max((columns(label.text) for label in arrow.labels), default=0) * LINE * ASPECT
    return width + 8.0, LINE_HEIGHT * len(arrow.labels) + 2.0


def columns(text: str) -> int:
    """How many letters wide a text is: some take the room of two, some none."""
    wide = sum(unicodedata.east_asian_width(char) in ("W", "F") for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


# ---------------------------------------------------------------- the question


def question(chart: Chart) -> str:
    """What the engine is asked. Boxes are called by their number."""
    numbers = {node.id: place for place, node in enumerate(chart.nodes)}
    lines = [*_inside(chart, None, numbers), *_beside(chart, numbers)]
    lines += [_edge(place, arrow, numbers) for place, arrow in enumerate(chart.arrows)]
    return _HEAD + "\n".join(lines) + "\n}\n"


_HEAD = """digraph {
newrank=true nodesep=0.4 ranksep=0.38 pad=0
graph [labeljust=l margin=14]
node [shape=box fixedsize=true label=""]
edge [arrowsize=0.8]
"""


def _inside(chart: Chart, parent: str | None, numbers: Mapping[str, int]) -> Iterator[str]:
    for node in chart.inside(parent):
        width, height = size(node)
        if node.kind == "composite":
            yield f"subgraph cluster_{numbers[node.id]} {{ label={_room(width, height)}"
            yield from _inside(chart, node.id, numbers)
            yield "}"
        else:
            yield f"n{numbers[node.id]} [width={width / 72:.4f} height={height / 72:.4f}]"


def _beside(chart: Chart, numbers: Mapping[str, int]) -> Iterator[str]:
    """`any` stands beside the state that its composite begins with; else it would go up to the top of the drawing."""
    for node in chart.nodes:
        if node.kind == "any" and node.parent is not None:
            yield f"{{ rank=same n{numbers[_first(chart, node.parent)]} n{numbers[node.id]} }}"


def _first(chart: Chart, parent: str) -> str:
    """The leaf that a composite begins with."""
    inner = next(node for node in chart.inside(parent) if node.initial)
    return _first(chart, inner.id) if inner.kind == "composite" else inner.id


def _edge(place: int, arrow: Arrow, numbers: Mapping[str, int]) -> str:
    """An arrow back to what stands before is asked for the other way round. So the boxes go from top to bottom in the
    order of the source: the engine's own way of opening circles does not see whole composites."""
    tail, head = numbers[arrow.source], numbers[arrow.target]
    attributes = [f"id=e{place}"]
    attributes += [f"label={_room(*label_size(arrow))}"] if arrow.labels else []
    attributes += ["dir=back"] if head < tail else []
    attributes += ["weight=0"] if arrow.kind != "move" else []
    return f"n{min(tail, head)} -> n{max(tail, head)} [{' '.join(attributes)}]"


def _room(width: float, height: float) -> str:
    """A label of that size with nothing in it."""
    return (
        f'<<TABLE BORDER="0" CELLPADDING="0" CELLSPACING="0" FIXEDSIZE="TRUE" WIDTH="{width:.0f}" '
        f'HEIGHT="{height:.0f}"><TR><TD></TD></TR></TABLE>>'
    )


# ---------------------------------------------------------------- the answer


def answer(chart: Chart, text: str) -> Layout:
    """What the engine's JSON says of the chart that it was asked about.

    Raises:
        ValueError, KeyError: it is not the answer to that question.
    """
    data = json.loads(text)
    _, _, width, height = map(float, data["bb"].split(","))
    objects = {found["name"]: found for found in data["objects"]}
    boxes = {}
    for place, node in enumerate(chart.nodes):
        name = f"cluster_{place}" if node.kind == "composite" else f"n{place}"
        boxes[node.id] = _box(objects[name], height)
    edges = {edge["id"]: edge for edge in data.get("edges", ())}
    curves = tuple(_curve(edges[f"e{place}"], height) for place in range(len(chart.arrows)))
    return Layout(width, height, boxes, curves)


def _box(found: Mapping[str, Any], height: float) -> Box:
    if "bb" in found:
        left, bottom, right, top = map(float, found["bb"].split(","))
        return Box(left, height - top, right - left, top - bottom)
    x, y = map(float, found["pos"].split(","))
    wide, high = float(found["width"]) * 72, float(found["height"]) * 72
    return Box(x - wide / 2, height - y - high / 2, wide, high)


def _curve(edge: Mapping[str, Any], height: float) -> Curve:
    """An arrow's points begin with its tip: `e,` behind the last of the others, `s,` before the first."""
    kind, _, listed = edge["pos"].partition(",")
    tip, *points = (_point(point, height) for point in listed.split(" "))
    label = _point(edge["lp"], height) if "lp" in edge else None
    return Curve(tuple(reversed(points) if kind == "s" else points), tip, label)


def _point(text: str, height: float) -> Point:
    x, y = map(float, text.split(","))
    return x, height - y
