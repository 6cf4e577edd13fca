"""One renderer a format, all of one signature: pure functions from diagnostics to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.render import github, json, short, text
from jetpackc.diagnostics.render.order import in_order, summary
from jetpackc.source import Source

__all__ = ["FORMATS", "Renderer", "in_order", "summary"]


class Renderer(Protocol):
    """What a format's `render` is. `sources` are by path; one that is missing costs its excerpt, no more."""

    def __call__(
        self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False
    ) -> str: ...


FORMATS: Mapping[str, Renderer] = {
    "text": text.render,
    "short": short.render,
    "json": json.render,
    "github": github.render,
}
