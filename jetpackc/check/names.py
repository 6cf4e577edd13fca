"""Declarations: each name once in its scope, none that is taken, types that exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from jetpackc.check.report import Report
from jetpackc.check.scope import RESERVED, Fields, Typed
from jetpackc.check.types import SCALARS
from jetpackc.diagnostics.model import Label
from jetpackc.diagnostics.rules import names as rules
from jetpackc.ir import model as ir
from jetpackc.records import replace
from jetpackc.source import Span
from jetpackc.syntax import ast


def first_of_each(names: Iterable[ast.Name], what: str, report: Report) -> dict[str, Span]:
    """The names with the place of their first declaration; later ones of the same name are reported."""
    seen: dict[str, Span] = {}
    for name in names:
        declare(name, what, seen, report)
    return seen


def declare(name: ast.Name, what: str, seen: dict[str, Span], report: Report) -> bool:
    """Enter a name into its scope; False, and a finding, when it stands there already."""
    if name.text not in seen:
        seen[name.text] = name.span
        return True
    duplicate(name, what, seen[name.text], report)
    return False


def duplicate(name: ast.Name, what: str, first: Span, report: Report) -> None:
    """Record a name that is declared again."""
    message = f"{what} `{name.text}` is declared twice"
    report.add(
        rules.DUPLICATE_NAME, message, name.span, "declared again", secondary=[Label(first, "first declared here")]
    )


def refuse_reserved(name: ast.Name, what: str, report: Report) -> None:
    """Report a param or var that takes the name of a built-in."""
    if name.text in RESERVED:
        message = f"`{name.text}` is built in and names no {what}"
        report.add(rules.BUILTIN_NAME, message, name.span, "every task has it already", help="choose another name")


def type_of(node: ast.TypeName, enums: Mapping[str, ir.Enum], report: Report) -> ir.Type | None:
    """The type that was written; None, and a finding, when there is none of that name."""
    name = node.name.text
    if name in SCALARS:
        return ir.Type(SCALARS[name], array=node.array, optional=node.optional)
    if name in enums:
        return ir.Type("enum", enums[name].name, node.array, node.optional)
    report.unknown(rules.UNKNOWN_TYPE, "type", name, node.name.span, [*SCALARS, *enums], help=_known(enums))
    return None


def _known(enums: Collection[str]) -> str:
    return f"the types are {', '.join(f'`{name}`' for name in (*SCALARS, *enums))}"


def typed_fields(fields: Iterable[ast.Field], what: str, enums: Mapping[str, ir.Enum], report: Report) -> Fields:
    """Params or an event's fields with their types, the first of each name."""
    seen: dict[str, Span] = {}
    found: dict[str, Typed] = {}
    for field in fields:
        type = type_of(field.type, enums, report)
        if declare(field.name, what, seen, report):
            has_default = field.default is not None
            found[field.name.text] = Typed(field.name.text, type, field.name.span, has_default, field.doc)
    return found


def ir_fields(fields: Fields) -> tuple[ir.Field, ...]:
    """The fields of an event whose type is known."""
    return tuple(
        ir.Field(field.name, field.type, field.default, field.doc, field.span)
        for field in fields.values()
        if field.type
    )


def seen_from(viewer: str, owner: str, fields: Fields) -> Fields:
    """The fields of one module as another names their types."""
    return {name: replace(one, type=one.type and _type_from(viewer, owner, one.type)) for name, one in fields.items()}


def _type_from(viewer: str, owner: str, type: ir.Type) -> ir.Type:
    if type.kind != "enum":
        return type
    full = type.enum if "." in type.enum else f"{owner}.{type.enum}"
    return replace(type, enum=full.removeprefix(f"{viewer}."))


def equal_payloads(first: Fields, again: Fields) -> bool:
    """Whether two payloads are one: the same names of the same types in the same order. Unknown types equal any. The
    second may leave out the defaults of the first, and has none of its own."""
    return [*first] == [*again] and all(_equal(first[name], again[name]) for name in first)


def _equal(first: Typed, again: Typed) -> bool:
    if first.type is None or again.type is None:
        return True
    return first.type == again.type and (not again.has_default or again.default == first.default)
