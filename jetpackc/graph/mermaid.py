"""A chart as a Mermaid `stateDiagram-v2`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jetpackc.graph.model import Arrow, Chart, Node

_UNSAFE = {char: f"#{ord(char)};" for char in '"#;<>&{}[]:\\`%'}
"""What Mermaid reads as its own, in one place or another, and how it is written in all."""


def mermaid(charts: Sequence[Chart]) -> str:
    """The text of a diagram; of several charts, a page of Markdown with a diagram each, for Mermaid keeps no states in
    the boxes of a diagram that is in a box itself."""
    if len(charts) == 1:
        return _diagram(charts[0])
    return "\n".join(f"## {chart.name}\n\n```mermaid\n{_diagram(chart)}```\n" for chart in charts)


def _diagram(chart: Chart) -> str:
    names = {node.id: f"s{place}" for place, node in enumerate(chart.nodes)}
    lines = [*_body(chart, names), *(f"classDef {name} {look}" for name, look in _LOOKS.items())]
    return "stateDiagram-v2\n" + "".join(f"  {line}\n" for line in lines)


_LOOKS = {
    "failure": "stroke:#c62828,stroke-width:2px",
    "queue": "stroke:#1565c0,stroke-width:2px",
    "work": "stroke:#2e7d32,stroke-width:2px",
    "spawned": "stroke-dasharray:4 3",
}


def _body(chart: Chart, names: Mapping[str, str]) -> Iterator[str]:
    yield from _inside(chart, None, names)
    for arrow in chart.arrows:
        yield _arrow(arrow, chart, names)
    for node in chart.nodes:
        if node.kind in ("final", "failure"):
            yield f"{names[node.id]} --> [*]"
    for node in chart.nodes:
        if look := _look(node):
            yield f"class {names[node.id]} {look}"


def _inside(chart: Chart, parent: str | None, names: Mapping[str, str]) -> Iterator[str]:
    for node in chart.inside(parent):
        if node.kind == "start":
            continue
        if node.kind == "composite":
            title = ", ".join((node.title, *node.lines))  # a box with others in it takes no lines
            yield f'state "{_safe(title)}" as {names[node.id]}'
            yield f"state {names[node.id]} {{"
            yield from (f"  {line}" for line in _inside(chart, node.id, names))
            yield "}"
        else:
            yield f'state "{_safe(node.title)}" as {names[node.id]}'
            yield from (f"{names[node.id]} : {_safe(line)}" for line in node.lines)
        if node.initial and parent is not None:
            yield f"[*] --> {names[node.id]}"


def _arrow(arrow: Arrow, chart: Chart, names: Mapping[str, str]) -> str:
    if chart.nodes[0].id == arrow.source:
        return f"[*] --> {names[arrow.target]}"
    label = "<br/>".join(_safe(label.text) for label in arrow.labels)
    return f"{names[arrow.source]} --> {names[arrow.target]} : {label}"


def _look(node: Node) -> str:
    if node.kind == "failure":
        return "failure"
    if node.kind == "machine":
        return "spawned"
    return "work" if node.running else "queue" if node.claimable else ""


def _safe(text: str) -> str:
    return "".join(_UNSAFE.get(char, char) for char in text)
