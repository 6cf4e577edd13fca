"""The fields of an event as they are written: their types and their defaults."""

from __future__ import annotations

from collections.abc import Iterable

from jetpackc.check.expressions import value
from jetpackc.check.names import typed_fields
from jetpackc.check.report import Report
from jetpackc.check.scope import Fields, ModuleScope, Scope
from jetpackc.records import replace
from jetpackc.syntax import ast


def payload(nodes: Iterable[ast.Field], module: ModuleScope, report: Report) -> Fields:
    """The fields with their defaults, which read no name: there is a sender, and no task yet that it would know of."""
    written = tuple(nodes)
    fields = dict(typed_fields(written, "field", module.enums, report))
    scope = Scope(module, report, params={})
    for node in written:
        field = fields[node.name.text]
        if node.default is not None and field.type is not None and field.span == node.name.span:
            fields[field.name] = replace(field, default=value(node.default, scope, field.type))
    return fields
