"""From text to the syntax tree, and back."""

from jetpackc.syntax.parse import parse

__all__ = ["parse"]
