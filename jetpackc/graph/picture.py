"""From charts to a drawing: asks the engine for places, and writes the SVG."""

from __future__ import annotations

from collections.abc import Sequence

from jetpackc.graph.engine import laid_out
from jetpackc.graph.layout import answer, question
from jetpackc.graph.model import Chart
from jetpackc.graph.svg import svg


def drawing(charts: Sequence[Chart], *, alone: bool = True) -> str:
    """The charts as SVG; `alone` as `svg` has it. Raises LayoutError."""
    return svg([(chart, answer(chart, laid_out(question(chart)))) for chart in charts], alone=alone)
