"""Workflow commands of GitHub Actions: each finding becomes an annotation beside its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.render.order import end_of, in_order
from jetpackc.source import Source


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """The findings as `::error file=…,line=…::message`. Never coloured."""
    return "".join(_command(diagnostic, sources) + "\n" for diagnostic in in_order(diagnostics))


def _command(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> str:
    rule = diagnostic.rule
    properties = {**_place(diagnostic, sources), "title": f"{rule.code} {rule.name}"}
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    said = [diagnostic.message, diagnostic.label, *diagnostic.notes, diagnostic.help]
    return f"::{rule.severity.value} {listed}::{_data(chr(10).join(text for text in said if text))}"


def _place(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> dict[str, str]:
    """Where it is. GitHub takes columns only where the annotation stays on one line."""
    span = diagnostic.span
    if span is None:
        return {}
    line, column = end_of(span, sources) or (span.line, span.column)
    place = {"file": span.path, "line": str(span.line), "endLine": str(line)}
    if line == span.line:
        place |= {"col": str(span.column), "endColumn": str(column)}
    return place


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
