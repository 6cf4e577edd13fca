"""One renderer a format, all of one signature: pure functions from diagnostics to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Protocol

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.render.order import in_order, summary
from jetpackc.source import Source

__all__ = ["FORMATS", "Renderer", "in_order", "summary"]


class Renderer(Protocol):
    """What a format's `render` is. `sources` are by path; one that is missing costs its excerpt, no more.

    `width` is that of the terminal in columns, 0 for none; `color` and `width` are for people's text alone.
    """

    def __call__(
        self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
    ) -> str: ...


def _render(
    form: str, diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """Load a format when it is asked for: all of them would cost each command 15 ms."""
    render: Renderer = import_module(f"{__name__}.{form}").render
    return render(diagnostics, sources, color=color, width=width)


FORMATS: Mapping[str, Renderer] = {
    form: partial(_render, form) for form in ("text", "short", "json", "github", "sarif", "junit")
}
