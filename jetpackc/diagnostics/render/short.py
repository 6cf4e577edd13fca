"""One line a finding: `path:line:column: error[J101] message`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.render.order import in_order, one_line
from jetpackc.source import Source


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """The findings for an editor's error parser or for grep. Never coloured."""
    return "".join(_line(diagnostic) + "\n" for diagnostic in in_order(diagnostics))


def _line(diagnostic: Diagnostic) -> str:
    span, rule = diagnostic.span, diagnostic.rule
    place = f"{span.path}:{span.line}:{span.column}: " if span else ""
    return one_line(f"{place}{rule.severity.value}[{rule.code}] {diagnostic.message}")
