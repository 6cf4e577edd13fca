"""SARIF 2.1.0 (OASIS), for code scanning: the findings with their rules, other places and fixes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import jetpackc
from jetpackc.diagnostics.model import Diagnostic, Fix, Label, Rule
from jetpackc.diagnostics.render.order import end_of, in_order
from jetpackc.source import Source, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

Json = dict[str, Any]


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """One log with one run, which lists the rules that it found broken. Never coloured."""
    found = in_order(diagnostics)
    rules = sorted({diagnostic.rule.code: diagnostic.rule for diagnostic in found}.items())
    index = {code: number for number, (code, _) in enumerate(rules)}
    driver = {"name": "jetpackc", "version": jetpackc.__version__, "rules": [_rule(rule) for _, rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, index[diagnostic.rule.code], sources) for diagnostic in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> Json:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.title},
        "help": {"text": f"jetpackc explain {rule.code}"},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(diagnostic: Diagnostic, index: int, sources: Mapping[str, Source]) -> Json:
    rule = diagnostic.rule
    said = [diagnostic.message, diagnostic.label, *diagnostic.notes, diagnostic.help]
    result: Json = {
        "ruleId": rule.code,
        "ruleIndex": index,
        "level": rule.severity.value,
        "message": {"text": "\n".join(text for text in said if text)},
    }
    if diagnostic.span:
        result["locations"] = [{"physicalLocation": _place(diagnostic.span, sources)}]
    if diagnostic.secondary:
        result["relatedLocations"] = [_related(label, sources) for label in diagnostic.secondary]
    if diagnostic.fixes:
        result["fixes"] = [_fix(fix, sources) for fix in diagnostic.fixes]
    return result


def _related(label: Label, sources: Mapping[str, Source]) -> Json:
    return {"message": {"text": label.text}, "physicalLocation": _place(label.span, sources)}


def _fix(fix: Fix, sources: Mapping[str, Source]) -> Json:
    edit = {"deletedRegion": _region(fix.span, sources), "insertedContent": {"text": fix.replacement}}
    change = {"artifactLocation": _file(fix.span), "replacements": [edit]}
    return {"description": {"text": fix.title}, "artifactChanges": [change]}


def _place(span: Span, sources: Mapping[str, Source]) -> Json:
    return {"artifactLocation": _file(span), "region": _region(span, sources)}


def _file(span: Span) -> Json:
    return {"uri": quote(span.path)}


def _region(span: Span, sources: Mapping[str, Source]) -> Json:
    region = {"startLine": span.line, "startColumn": span.column}
    if (end := end_of(span, sources)) is not None:
        region |= {"endLine": end[0], "endColumn": end[1]}
    return region | {"charOffset": span.start, "charLength": span.end - span.start}
