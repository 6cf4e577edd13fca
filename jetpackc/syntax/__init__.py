"""From text to the syntax tree, and back."""

from jetpackc.syntax.format import format_source
from jetpackc.syntax.parse import parse, parses
from jetpackc.syntax.print import print_file
from jetpackc.syntax.rewrite import without_spans

__all__ = ["format_source", "parse", "parses", "print_file", "without_spans"]
