"""From trees to the IR: names resolved, types found, machines checked.

`check` takes files in which templates, steps and operators are expanded; `compile_sources` begins at the text.
"""

from jetpackc.check.compile import compile_sources
from jetpackc.check.program import Result, check

__all__ = ["Result", "check", "compile_sources"]
