"""A chart in the language of Graphviz, to be drawn by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jetpackc.graph.model import Arrow, Chart, Node

_HEAD = """digraph jet {
  graph [fontname="Helvetica", labeljust=l, style=rounded, color="#888888"]
  node [fontname="Helvetica", fontsize=12, shape=box, style=rounded]
  edge [fontname="Helvetica", fontsize=10]
"""

_LOOKS = {
    "plain": "",
    "composite": "",
    "final": "peripheries=2",
    "failure": 'peripheries=2, color="#c62828", fontcolor="#c62828"',
    "any": 'style="rounded,dashed", fontsize=10',
    "machine": "shape=component, style=dashed, fontsize=10",
    "start": "shape=point, width=0.14",
}

_LINES = {"spawn": "dashed", "send": "dotted"}


def dot(charts: Sequence[Chart]) -> str:
    """The text of one graph. Several charts stand in it side by side, each in a box with its name."""
    lines: list[str] = []
    for number, chart in enumerate(charts):
        names = {node.id: f"m{number}s{place}" for place, node in enumerate(chart.nodes)}
        body = [*_inside(chart, None, names), *(_arrow(arrow, names) for arrow in chart.arrows)]
        lines += _box(f"m{number}", chart.name, body) if len(charts) > 1 else body
    return _HEAD + "".join(f"  {line}\n" for line in lines) + "}\n"


def _inside(chart: Chart, parent: str | None, names: Mapping[str, str]) -> Iterator[str]:
    for node in chart.inside(parent):
        if node.kind == "composite":
            yield from _box(names[node.id], _text(node), list(_inside(chart, node.id, names)))
        else:
            yield f"{names[node.id]} [{', '.join(_attributes(node))}]"


def _attributes(node: Node) -> Iterator[str]:
    yield f"label={quoted(_text(node))}"
    if look := _LOOKS[node.kind]:
        yield look
    if node.claimable:
        yield 'color="#1565c0"'
    if node.running:
        yield 'color="#2e7d32", penwidth=2'


def _box(name: str, title: str, body: Sequence[str]) -> list[str]:
    return [f"subgraph cluster_{name} {{", f"  label={quoted(title)}", *(f"  {line}" for line in body), "}"]


def _arrow(arrow: Arrow, names: Mapping[str, str]) -> str:
    attributes = [f"label={quoted(chr(10).join(label.text for label in arrow.labels))}"] if arrow.labels else []
    attributes += [f"style={_LINES[arrow.kind]}"] if arrow.kind in _LINES else []
    return f"{names[arrow.source]} -> {names[arrow.target]}" + (f" [{', '.join(attributes)}]" if attributes else "")


def _text(node: Node) -> str:
    return "\n".join((node.title, *node.lines))


def quoted(text: str) -> str:
    r"""A string of that language, in which a line ends with `\n`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
