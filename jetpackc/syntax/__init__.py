"""From text to the syntax tree, and back."""

from jetpackc.syntax.parse import parse
from jetpackc.syntax.print import print_file
from jetpackc.syntax.rewrite import without_spans

__all__ = ["parse", "print_file", "without_spans"]
