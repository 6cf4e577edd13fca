"""Pictures of machines: the IR drawn as Mermaid, Graphviz or SVG.

`chart` says what is on a picture, `mermaid`, `dot` and `svg` write it down. All of it is pure but `engine`, which runs
the program that finds a place for each box.
"""

from jetpackc.graph.chart import charts_of
from jetpackc.graph.dot import dot
from jetpackc.graph.engine import LayoutError, engine
from jetpackc.graph.mermaid import mermaid
from jetpackc.graph.model import Chart
from jetpackc.graph.picture import drawing

__all__ = ["Chart", "LayoutError", "charts_of", "dot", "drawing", "engine", "mermaid"]
