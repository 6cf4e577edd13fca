"""From what was written to plain machines: templates merged in, steps and operators gone. Trees in, trees out."""

from jetpackc.check.expansion.expand import expand

__all__ = ["expand"]
