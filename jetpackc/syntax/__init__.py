"""From text to the syntax tree, and back."""

from importlib import import_module
from typing import TYPE_CHECKING

from jetpackc.syntax.parse import parse, parses
from jetpackc.syntax.rewrite import without_spans

if TYPE_CHECKING:
    from jetpackc.syntax.format import format_source
    from jetpackc.syntax.print import print_file

__all__ = ["format_source", "parse", "parses", "print_file", "without_spans"]

_LATER = {"format_source": "format", "print_file": "print"}
"""What most runs do without: imported where it is asked for."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
