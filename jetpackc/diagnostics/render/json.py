"""One JSON document: a list of findings. The keys are described in docs/diagnostics.md and only ever added to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.render.order import end_of, in_order
from jetpackc.source import Source, Span


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """The findings for a program to read. Never coloured."""
    found = [_finding(diagnostic, sources) for diagnostic in in_order(diagnostics)]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _finding(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> dict[str, Any]:
    return {
        "code": diagnostic.rule.code,
        "name": diagnostic.rule.name,
        "severity": diagnostic.rule.severity.value,
        "message": diagnostic.message,
        "span": _span(diagnostic.span, sources) if diagnostic.span else None,
        "label": diagnostic.label,
        "secondary": [{"span": _span(label.span, sources), "label": label.text} for label in diagnostic.secondary],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
        "fixes": [
            {
                "title": fix.title,
                "safe": fix.safe,
                "span": _span(fix.span, sources),
                "replacement": fix.replacement,
            }
            for fix in diagnostic.fixes
        ],
    }


def _span(span: Span, sources: Mapping[str, Source]) -> dict[str, Any]:
    line, column = end_of(span, sources) or (None, None)
    return {
        "path": span.path,
        "start": span.start,
        "end": span.end,
        "line": span.line,
        "column": span.column,
        "end_line": line,
        "end_column": column,
    }
