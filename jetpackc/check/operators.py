"""The types of operators, over operands that are typed already."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from jetpackc.check import types as t
from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Fix, Label
from jetpackc.diagnostics.rules import names as name_rules, types as rules
from jetpackc.ir import model as ir
from jetpackc.records import replace
from jetpackc.source import Span
from jetpackc.syntax import ast, print_expression

NO_NULL = "give it a value for null with `??`, or guard it with `is not null`"
_NUMBER_KINDS = frozenset(("int", "bigint", "numeric", "float"))


def is_null(expr: ir.Expr) -> bool:
    """Whether it is the bare `null`."""
    return isinstance(expr, ir.Literal) and expr.value is None


def adapt(expr: ir.Expr, wanted: ir.Type) -> ir.Expr:
    """A number written in the source takes the wider type that is wanted of it; anything else stays as it is."""
    if not (isinstance(expr, ir.Literal) and expr.type.kind in _NUMBER_KINDS and t.is_number(wanted)):
        return expr
    if expr.type.kind == wanted.kind or not t.widens(expr.type, wanted):
        return expr
    value = expr.value if wanted.kind == "bigint" else str(expr.value)
    return ir.Literal(value, t.required(wanted))


def fit(found: ir.Expr, wanted: ir.Type, span: Span, report: Report, declared: Span | None = None) -> ir.Expr | None:
    """The expression as a value of the wanted type; None, and a finding, when it is not one.

    `declared` is where what takes the value says its type.
    """
    if is_null(found) and wanted.optional:
        return ir.Literal(None, wanted)
    found = adapt(found, wanted)
    if isinstance(found, ir.Literal) and found.type.kind == "float" and not t.is_double(str(found.value)):
        label = "a `float` has 64 bits: beyond 1.8e308, or nearer to 0 than 4.9e-324, there is none"
        report.add(rules.OUT_OF_RANGE, "this number does not fit `float`", span, label, help="a `numeric` holds it")
        return None
    if t.fits(found.type, wanted):
        return found
    where = [Label(declared, f"declared as `{t.show(wanted)}`")] if declared is not None else []
    if t.widens(found.type, wanted):
        message = f"this may be null, and a `{t.show(wanted)}` is required"
        report.add(rules.OPTIONAL_VALUE, message, span, f"a `{t.show(found.type)}`", secondary=where, help=NO_NULL)
        return None
    if isinstance(found, ir.Literal) and t.is_number(found.type) and wanted.kind in t.INT_RANGES and _is_whole(found):
        out_of_range(str(found.value), wanted, span, report)
        return None
    message = f"expected `{t.show(wanted)}`, found `{t.show(found.type)}`"
    help, fixes = _conversion(found, wanted), as_type(found, wanted, span) or _cast(found, wanted, span)
    label = f"a `{t.show(found.type)}`"
    report.add(rules.TYPE_MISMATCH, message, span, label, secondary=where, help=help, fixes=fixes)
    return None


def _is_whole(literal: ir.Literal) -> bool:
    return isinstance(literal.value, int)


def out_of_range(digits: str, wanted: ir.Type, span: Span, report: Report) -> None:
    """Record a number that its type cannot hold."""
    allowed = t.INT_RANGES[wanted.kind]
    label = f"`{wanted.kind}` goes from {allowed.start} to {allowed.stop - 1}"
    report.add(rules.OUT_OF_RANGE, f"{digits} does not fit `{t.show(t.required(wanted))}`", span, label)


def _conversion(found: ir.Expr, wanted: ir.Type) -> str:
    if wanted.kind == "interval" and t.is_number(found.type):
        return "write a duration such as `30s` or `1h30m`"
    if wanted.kind == "enum" and isinstance(found, ir.Literal) and found.type.kind == "text":
        return f"a value of an enum is written without quotes: `{found.value}`"
    if not t.castable(found.type, wanted):
        return ""
    help = f"convert it with `as {t.show(t.required(wanted))}`"
    is_short = found.type.optional and not wanted.optional
    return f"{help}, and say what stands for null: `… as {t.show(t.required(wanted))} ?? …`" if is_short else help


def as_type(found: ir.Expr, wanted: ir.Type, span: Span) -> tuple[Fix, ...]:
    """The edit that says what a json value is, where that is all that is missing."""
    if not t.is_plain(found.type, "json") or (found.type.optional and not wanted.optional):
        return ()
    return _cast_behind(found, wanted, span)


def _cast(found: ir.Expr, wanted: ir.Type, span: Span) -> tuple[Fix, ...]:
    """The edit that converts a value by name, where `as` can and no null stands in the way."""
    is_short = found.type.optional and not wanted.optional
    return () if is_short or not t.castable(found.type, wanted) else _cast_behind(found, wanted, span)


def _cast_behind(found: ir.Expr, wanted: ir.Type, span: Span) -> tuple[Fix, ...]:
    if not isinstance(found, ir.Access | ir.Ref):
        return ()
    written = f"as {t.show(t.required(wanted))}"
    end = Span(span.path, span.end, span.end, span.line, span.column + span.end - span.start)
    return (Fix(f"convert it with `{written}`", end, f" {written}"),)


def negate(node: ast.Unary, operand: ir.Expr, report: Report) -> ir.Expr | None:
    """`-x`, for numbers and intervals."""
    if not (t.is_number(operand.type) or t.is_plain(operand.type, "interval")):
        _bad_operands("-", node.span, report, operand)
        return None
    return ir.Unary("-", operand, operand.type) if _not_null(node.operand, operand, report) else None


def compare(node: ast.Binary, left: ir.Expr, right: ir.Expr, report: Report) -> ir.Expr | None:
    """`== != < <= > >=`. An operand may be null: so is the result then, and a null guard is false."""
    left, right = adapt(left, right.type), adapt(right, left.type)
    if is_null(left) or is_null(right):
        operand = node.right if is_null(left) else node.left
        is_test = node.operator in ("==", "!=") and not (is_null(left) and is_null(right))
        null_comparison(node.span, report, operand if is_test else None, negated=node.operator == "!=")
        return None
    if "json" in {left.type.kind, right.type.kind}:
        _json_comparison(node, left, right, report)
        return None
    shared = t.common(left.type, right.type)
    allowed = t.equatable if node.operator in {"==", "!="} else t.ordered
    if shared is None or not allowed(shared):
        _bad_operands(node.operator, node.span, report, left, right)
        return None
    return ir.Binary(node.operator, left, right, t.optional_if(t.BOOL, left.type, right.type))


def _json_comparison(node: ast.Binary, left: ir.Expr, right: ir.Expr, report: Report) -> None:
    """Record a comparison of json, with the type of the other side as what may be meant."""
    found, other, span = (left, right, node.left.span) if left.type.kind == "json" else (right, left, node.right.span)
    comparable = t.is_plain(found.type, "json") and other.type.kind != "json"
    wanted = other.type if comparable else replace(t.TEXT, array=found.type.array)
    help = f"say what it is: `… as {t.show(t.required(wanted))} {node.operator} …`"
    fixes = _cast_behind(found, wanted, span) if comparable else ()
    _bad_operands(node.operator, node.span, report, left, right, help=help, fixes=fixes)


def null_comparison(span: Span, report: Report, operand: ast.Expr | None = None, *, negated: bool = False) -> None:
    """Record a comparison with null, of an `operand` that `is null` can ask for."""
    test = "is not null" if negated else "is null"
    message = "a comparison with `null` is never true"
    fixes: tuple[Fix, ...] = ()
    if operand is not None and _stands_in(operand, span):
        written = print_expression.expression(ast.IsNull(operand, negated, span))
        fixes = (Fix(f"write `{test}`", span, written, safe=True),)
    report.add(
        rules.NULL_COMPARISON, message, span, "always null", help="" if fixes else f"write `{test}`", fixes=fixes
    )


def fallback(node: ast.Call, report: Report) -> None:
    """Record a call of `coalesce`, which is an operator here."""
    joined = node.arguments[0].value
    for argument in node.arguments[1:]:
        joined = ast.Binary("??", joined, argument.value, node.span)
    written = f"({print_expression.expression(joined)})"
    fixes = (Fix("write `??`", node.span, written, safe=True),) if _stands_in(joined, node.span) else ()
    message, label = "unknown function `coalesce`", "did you mean `??`?"
    report.add(name_rules.UNKNOWN_FUNCTION, message, node.function.span, label, fixes=fixes)


def arithmetic(node: ast.Binary, left: ir.Expr, right: ir.Expr, report: Report) -> ir.Expr | None:
    """`+ - * / %` on numbers, moments and intervals."""
    if not (_not_null(node.left, left, report) and _not_null(node.right, right, report)):
        return None
    left, right = adapt(left, right.type), adapt(right, left.type)
    result = t.arithmetic(node.operator, left.type, right.type)
    if result is None:
        joins = node.operator == "+" and "text" in {left.type.kind, right.type.kind}
        help = "text is joined with `++`" if joins else ""
        fixes = _joined(node) if joins and left.type == right.type == t.TEXT else ()
        _bad_operands(node.operator, node.span, report, left, right, help=help, fixes=fixes)
        return None
    if left.type.kind == "date" and result.kind == "timestamptz":
        left = ir.Cast(left, t.TIMESTAMPTZ)
    return ir.Binary(node.operator, left, right, result)


def _stands_in(node: object, span: Span) -> bool:
    """Whether all of it is written in a place: an argument in place of an operator's param is not."""
    if isinstance(node, tuple):
        return all(_stands_in(each, span) for each in node)
    if not is_dataclass(node) or isinstance(node, Span):
        return True
    parts = [getattr(node, field.name) for field in fields(node)]
    return all(part in span for part in parts if isinstance(part, Span)) and all(_stands_in(p, span) for p in parts)


def _joined(node: ast.Binary) -> tuple[Fix, ...]:
    written = print_expression.expression(replace(node, operator="++"))
    return (Fix("write `++`", node.span, written, safe=True),) if _stands_in(node, node.span) else ()


def concatenate(node: ast.Binary, left: ir.Expr, right: ir.Expr, report: Report) -> ir.Expr | None:
    """`++` on text, and on arrays of one type."""
    if not (_not_null(node.left, left, report) and _not_null(node.right, right, report)):
        return None
    if t.same(left.type, right.type) and (left.type.array or left.type.kind == "text"):
        return ir.Binary("++", left, right, left.type)
    _bad_operands("++", node.span, report, left, right, help=_joining(left.type, right.type))
    return None


def _joining(left: ir.Type, right: ir.Type) -> str:
    """How `++` could be meant."""
    if left.array != right.array:
        return "put a value in brackets to join it to an array: `xs ++ [x]`"
    return "convert the other one with `as text`" if t.TEXT in {left, right} else ""


def coalesce(node: ast.Binary, left: ir.Expr, right: ir.Expr, report: Report) -> ir.Expr | None:
    """`x ?? y`: y where x is null."""
    if not left.type.optional:
        message = "`??` behind a value that is never null"
        report.add(rules.BAD_OPERANDS, message, node.left.span, f"a `{t.show(left.type)}`", help="leave out `??`")
        return None
    right = adapt(right, left.type)
    shared = t.common(left.type, right.type)
    if shared is None:
        _bad_operands("??", node.span, report, left, right)
        return None
    return ir.Binary("??", left, right, replace(shared, optional=right.type.optional))


def one_of(node: ast.In, operand: ir.Expr, options: tuple[ir.Expr, ...], report: Report) -> ir.Expr | None:
    """`x in (a, b)`."""
    if is_null(operand) or any(is_null(option) for option in options):
        null_comparison(node.span, report)
        return None
    options = tuple(adapt(option, operand.type) for option in options)
    for option in options:
        shared = t.common(operand.type, option.type)
        if shared is None or not t.equatable(shared):
            _bad_operands("in", node.span, report, operand, option)
            return None
    types = [option.type for option in options]
    return ir.In(operand, options, t.optional_if(t.BOOL, operand.type, *types))


def member_of(node: ast.In, operand: ir.Expr, collection: ir.Expr, report: Report) -> ir.Expr | None:
    """`x in xs`. It is null where one of them is null; a null among the elements is equal to nothing."""
    if is_null(operand):
        null_comparison(node.span, report)
        return None
    if not collection.type.array:
        help = "behind `in` stands an array, or values in parentheses: `x in (a, b)`"
        if collection.type.kind == "json":
            help = f"say what is in it: `… as {t.show(t.array_of(operand.type))}`"
        _bad_operands("in", node.span, report, operand, collection, help=help)
        return None
    item = t.element(collection.type)
    operand = adapt(operand, item)
    shared = t.common(operand.type, item)
    if shared is None or not t.equatable(shared):
        _bad_operands("in", node.span, report, operand, collection)
        return None
    return ir.In(operand, (collection,), t.optional_if(t.BOOL, operand.type, collection.type))


def cast(node: ast.Cast, operand: ir.Expr, wanted: ir.Type, report: Report) -> ir.Expr | None:
    """`x as type`; null stays null."""
    if is_null(operand):
        return ir.Literal(None, replace(wanted, optional=True))
    if not t.castable(operand.type, wanted):
        message = f"`{t.show(operand.type)}` does not convert to `{t.show(wanted)}`"
        report.add(rules.BAD_CAST, message, node.span, f"a `{t.show(operand.type)}`")
        return None
    return ir.Cast(operand, t.optional_if(wanted, operand.type))


def required_value(node: ast.Expr, expr: ir.Expr, report: Report) -> ir.Expr | None:
    """The expression when it cannot be null; else None, and a finding."""
    return expr if _not_null(node, expr, report) else None


def _not_null(node: ast.Expr, expr: ir.Expr, report: Report) -> bool:
    if expr.type.optional:
        label = f"a `{t.show(expr.type)}`"
        report.add(rules.OPTIONAL_VALUE, "this may be null, and a value is required", node.span, label, help=NO_NULL)
    return not expr.type.optional


def _bad_operands(
    operator: str, span: Span, report: Report, *operands: ir.Expr, help: str = "", fixes: tuple[Fix, ...] = ()
) -> None:
    found = " and ".join(f"`{t.show(operand.type)}`" for operand in operands)
    message = f"`{operator}` does not take {found}"
    report.add(rules.BAD_OPERANDS, message, span, f"{found} here", help=help, fixes=fixes)


COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
ARITHMETIC = frozenset(("+", "-", "*", "/", "%"))
