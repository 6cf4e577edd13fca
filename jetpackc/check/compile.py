"""From text to the IR, all stages in a row, each on what the one before left whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jetpackc.check.allow import silence
from jetpackc.check.expansion import expand
from jetpackc.check.probe import with_probes
from jetpackc.check.program import Result, lower
from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Diagnostic, Rule, has_errors
from jetpackc.diagnostics.render.order import in_order
from jetpackc.diagnostics.rules import flow, names
from jetpackc.memory import without_collection
from jetpackc.source import Source
from jetpackc.syntax import ast, parse

_DECLARATION = re.compile(r"^[ \t]*(enum|event|machine|operator|template)\s+(\w+)", re.MULTILINE)
_DECLARED = ast.Enum | ast.Event | ast.Machine | ast.Operator | ast.Template
_FOLLOW: dict[str, tuple[Rule, ...]] = {
    "enum": (names.UNKNOWN_TYPE, names.UNKNOWN_NAME),
    "event": (names.UNKNOWN_NAME, names.UNKNOWN_FIELD, names.UNKNOWN_EVENT),
    "machine": (names.UNKNOWN_MACHINE, flow.UNUSED_EVENT, flow.UNHANDLED_SEND, flow.UNHEARD_SEND),
    "operator": (names.UNKNOWN_OPERATOR,),
    "template": (names.UNKNOWN_TEMPLATE,),
}
"""What may be said for no other reason than that a declaration did not parse."""


_IMPORTABLE = (names.UNKNOWN_TYPE, names.UNKNOWN_MACHINE, names.UNKNOWN_OPERATOR, names.UNKNOWN_TEMPLATE)


def compile_sources(sources: Sequence[Source]) -> Result:
    """Parse, expand and check. The program is None when any stage found an error."""
    with without_collection():
        return _compile(sources)


def _compile(sources: Sequence[Source]) -> Result:
    parsed = [parse(source) for source in sources]
    found = [diagnostic for _, diagnostics in parsed for diagnostic in diagnostics]
    files = [file for file, _ in parsed]
    report = Report()
    expanded = expand([with_probes(file) for file in files], report)
    program = lower(expanded, report)
    lost = _lost(sources, files) if found else frozenset[str]()
    silenced = {rule.code for kind in lost for rule in _FOLLOW[kind]}
    found += [diagnostic for diagnostic in report.diagnostics if diagnostic.rule.code not in silenced]
    if any(diagnostic.rule is names.UNKNOWN_IMPORT for diagnostic in found):
        found = [diagnostic for diagnostic in found if not _may_be_imported(diagnostic)]
    found = silence(expanded, found)
    return Result(None if has_errors(found) else program, tuple(in_order(found)))


def _may_be_imported(diagnostic: Diagnostic) -> bool:
    """Whether it is a name of another module that is unknown."""
    _, _, name = diagnostic.message.partition("`")
    return diagnostic.rule in _IMPORTABLE and "." in name


def _lost(sources: Iterable[Source], files: Iterable[ast.File]) -> frozenset[str]:
    """The kinds of which some declaration is in the text and not in the tree."""
    written = {match.groups() for source in sources for match in _DECLARATION.finditer(source.text)}
    items = (item for file in files for item in file.items if isinstance(item, _DECLARED))
    return frozenset(kind for kind, _ in written - {(type(item).__name__.lower(), item.name.text) for item in items})
