"""Expressions of the IR as text for people, in the words of the language."""

from __future__ import annotations

from jetpackc.ir import model as ir
from jetpackc.syntax.literals import duration, escape
from jetpackc.syntax.precedence import ATOM, BINARY, CAST, COMPARISON, CONCATENATION, NOT, OR, UNARY

TIMER = 60
"""Characters of a timer's name that are shown."""


def expression(node: ir.Expr, least: int = OR) -> str:
    """The expression, in brackets where it holds together less than `least`."""
    text, level = _written(node)
    return text if level >= least else f"({text})"


def timer(node: ir.Timer) -> str:
    """`after 24h`, `at due_at`: what the firing of a timer is called in charts and in the history."""
    return shortened(f"{node.kind} {expression(node.value)}", TIMER)


def shortened(text: str, length: int) -> str:
    """The text on one line, cut so that it is no longer than `length` characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _written(node: ir.Expr) -> tuple[str, int]:
    """The text, and how tightly it holds together."""
    match node:
        case ir.Literal():
            return _literal(node), ATOM
        case ir.Ref(name=name):
            return name, ATOM
        case ir.Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(expression, arguments))})", ATOM
        case ir.Unary(operator="not", operand=operand):
            return f"not {expression(operand, NOT)}", NOT
        case ir.Unary(operand=operand):
            return f"-{expression(operand, UNARY)}", UNARY
        case ir.Cast(operand=operand, type=type_):
            return f"{expression(operand, CAST)} as {_type(type_)}", CAST
        case ir.Binary(operator=operator, left=left, right=right):
            level = BINARY[operator]
            least = level + 1 if level == COMPARISON else level
            return f"{expression(left, least)} {operator} {expression(right, level + 1)}", level
        case ir.IsNull(operand=operand, negated=negated):
            return f"{expression(operand, CONCATENATION)} is {'not ' if negated else ''}null", COMPARISON
        case ir.In(operand=operand, options=options):
            return f"{expression(operand, CONCATENATION)} in {_options(options)}", COMPARISON
        case ir.Access():
            return f"{expression(node.operand, ATOM)}{_key(node.key)}", ATOM
        case ir.Array(items=items):
            return f"[{', '.join(map(expression, items))}]", ATOM
        case ir.Tree(of=of, function="results"):
            return f"{of}.results", ATOM
        case ir.Tree(of=of, function=function, names=names):
            return f"{of}.{function}({', '.join(names)})", ATOM


def _key(key: ir.Expr) -> str:
    if isinstance(key, ir.Literal) and isinstance(key.value, str) and key.value.isidentifier():
        return f".{key.value}"
    return f"[{expression(key)}]"


def _options(options: tuple[ir.Expr, ...]) -> str:
    if len(options) == 1 and options[0].type.array:
        return expression(options[0], CONCATENATION)
    return f"({', '.join(map(expression, options))})"


def _literal(node: ir.Literal) -> str:
    match node.value:
        case None:
            return "null"
        case bool():
            return "true" if node.value else "false"
        case int():
            return duration(node.value) if node.type.kind == "interval" else str(node.value)
        case str():
            return f'"{escape(node.value)}"' if node.type.kind == "text" else node.value


def _type(type_: ir.Type) -> str:
    return f"{type_.enum or type_.kind}{'[]' if type_.array else ''}{'?' if type_.optional else ''}"
