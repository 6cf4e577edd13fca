"""Charts in the browser, with live counts: a server for this machine alone that reads and never writes.

`charts` compiles and draws, `counts` asks the database, `server` answers the browser, `page/` is what runs in it.
"""

from jetpackc.viz.charts import Charts, Sources
from jetpackc.viz.counts import Counts
from jetpackc.viz.server import Console, NotLoopbackError

__all__ = ["Charts", "Console", "Counts", "NotLoopbackError", "Sources"]
