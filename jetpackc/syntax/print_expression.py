"""Expressions as text, with no bracket that is not needed."""

from __future__ import annotations

from collections.abc import Iterable

from jetpackc.syntax import ast
from jetpackc.syntax.literals import duration, escape
from jetpackc.syntax.precedence import ATOM, BINARY, CAST, COMPARISON, CONCATENATION, NOT, OR, POSTFIX, UNARY


def expression(node: ast.Expr, least: int = OR) -> str:
    """The expression, in brackets where it holds together less than `least`."""
    text, level = _written(node)
    return text if level >= least else f"({text})"


def arguments(nodes: Iterable[ast.Argument]) -> str:
    """Arguments with their brackets."""
    return f"({', '.join(map(_argument, nodes))})"


def type_name(node: ast.TypeName) -> str:
    """A type."""
    return f"{node.name.text}{'[]' if node.array else ''}{'?' if node.optional else ''}"


def string(text: str) -> str:
    """A string with its quotes."""
    return f'"{escape(text)}"'


def _argument(node: ast.Argument) -> str:
    name = f"{node.name.text}: " if node.name is not None else ""
    upper = f"..{expression(node.upper)}" if node.upper is not None else ""
    return f"{name}{expression(node.value)}{upper}"


def _written(node: ast.Expr) -> tuple[str, int]:
    """The text, and how tightly it holds together."""
    match node:
        case ast.Ascribed(value=value):
            return _written(value)
        case ast.Constant():
            return _constant(node), ATOM
        case ast.Variable(name=name):
            return name, ATOM
        case ast.ArrayExpr(items=items):
            return f"[{', '.join(map(expression, items))}]", ATOM
        case ast.Member() | ast.Index() | ast.Call():
            return _postfix(node), POSTFIX
        case ast.Unary(operator="not", operand=operand):
            return f"not {expression(operand, NOT)}", NOT
        case ast.Unary(operand=operand):
            return f"-{expression(operand, UNARY)}", UNARY
        case ast.Cast(operand=operand, type=type_):
            return f"{expression(operand, CAST)} as {type_name(type_)}", CAST
        case ast.Binary():
            return _binary(node)
        case ast.IsNull(operand=operand, negated=negated):
            return f"{expression(operand, CONCATENATION)} is {'not ' if negated else ''}null", COMPARISON
        case ast.In():
            return f"{expression(node.operand, CONCATENATION)} in {_among(node)}", COMPARISON


def _constant(node: ast.Constant) -> str:
    match node.value:
        case None:
            return "null"
        case bool():
            return "true" if node.value else "false"
        case int():
            return duration(node.value)
        case str() if node.kind == "string":
            return string(node.value)
        case str():
            return node.value


def _postfix(node: ast.Member | ast.Index | ast.Call) -> str:
    match node:
        case ast.Member(base=base, name=name):
            return f"{_base(base)}.{name.text}"
        case ast.Index(base=base, key=key):
            return f"{_base(base)}[{expression(key)}]"
        case ast.Call(function=function, arguments=given):
            return f"{_base(function)}{arguments(given)}"


def _base(node: ast.Expr) -> str:
    """What a `.`, `[` or `(` follows; behind the digits of a number they would be part of it."""
    text = expression(node, POSTFIX)
    return f"({text})" if text[0].isdigit() else text


def _binary(node: ast.Binary) -> tuple[str, int]:
    """A row of one operator groups from the left; comparisons do not form rows."""
    level = BINARY[node.operator]
    left = level + 1 if level == COMPARISON else level
    return f"{expression(node.left, left)} {node.operator} {expression(node.right, level + 1)}", level


def _among(node: ast.In) -> str:
    if node.collection is not None:
        return expression(node.collection, CONCATENATION)
    options = ", ".join(map(expression, node.options or ()))
    return f"({options})" if options else "[]"
