"""JUnit's XML, which most CI servers show: a suite a file, a test a finding.

Errors fail; a warning is a test that passed and has something to say, as it stops no build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.diagnostics.render import text
from jetpackc.diagnostics.render.order import in_order, one_line, printable
from jetpackc.source import Source

_NO_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, color: bool = False, width: int = 0
) -> str:
    """The findings by file; a file without any is a suite of one test that passed. Never coloured."""
    found = in_order(diagnostics)
    by_path: dict[str, list[Diagnostic]] = {path: [] for path in sorted(sources)}
    for diagnostic in found:
        by_path.setdefault(diagnostic.span.path if diagnostic.span else "jetpackc", []).append(diagnostic)
    tests = sum(max(len(inside), 1) for inside in by_path.values())
    root = Element("testsuites", {"name": "jetpackc", **_counts(found, tests)})
    for path, inside in by_path.items():
        _suite(root, path, inside, sources)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _counts(found: Sequence[Diagnostic], tests: int) -> dict[str, str]:
    return {"tests": str(tests), "failures": str(sum(diagnostic.is_error for diagnostic in found)), "errors": "0"}


def _suite(root: Element, path: str, found: Sequence[Diagnostic], sources: Mapping[str, Source]) -> None:
    suite = SubElement(root, "testsuite", {"name": clean(one_line(path)), **_counts(found, max(len(found), 1))})
    if not found:
        SubElement(suite, "testcase", {"classname": clean(one_line(path)), "name": "no mistakes"})
    for diagnostic in found:
        _case(suite, path, diagnostic, sources)


def _case(suite: Element, path: str, diagnostic: Diagnostic, sources: Mapping[str, Source]) -> None:
    rule, span = diagnostic.rule, diagnostic.span
    place = f" at {span.line}:{span.column}" if span else ""
    said = clean(one_line(diagnostic.message))
    case = SubElement(
        suite, "testcase", {"classname": clean(one_line(path)), "name": f"{rule.code} {rule.name}{place}"}
    )
    if span:
        case.attrib |= {"file": clean(one_line(path)), "line": str(span.line)}
    kind, attributes = ("failure", {"type": rule.code, "message": said}) if diagnostic.is_error else ("system-out", {})
    SubElement(case, kind, attributes).text = "\n" + clean(printable(text.render([diagnostic], sources)))


def clean(said: str) -> str:
    """Without the characters that no XML 1.0 may hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", said)
