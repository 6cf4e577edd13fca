"""The expressions of the syntax tree, with their names and types. Others take them from `jetpackc.syntax.ast`."""

from __future__ import annotations

from typing import Literal

from jetpackc.records import dataclass
from jetpackc.source import Span


@dataclass(frozen=True, slots=True)
class Name:
    """A name as written: `cart`, `PAID`, or a dotted state `charging.ready`."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. `value`: int and number keep their digits, a string is unescaped, a duration is milliseconds."""

    kind: Literal["int", "number", "string", "duration", "bool", "null"]
    value: str | int | bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A bare name in an expression."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`, as in `event.amount`, `tier.free`, `json_value.key`."""

    base: Expr
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    """`base[key]`."""

    base: Expr
    key: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, named or not. `upper` is set for a range `a..b`."""

    name: Name | None
    value: Expr
    upper: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`; `function` is a Variable (`backoff`) or a Member (`subtree.some`)."""

    function: Expr
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `not x`."""

    operator: Literal["-", "not"]
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`."""

    operator: Literal["or", "and", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "++", "??"]
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class IsNull:
    """`x is null`, `x is not null`."""

    operand: Expr
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class In:
    """`x in (a, b)`, `x in [a, b]`: `options` holds the parts; `x in xs`: `collection`."""

    operand: Expr
    options: tuple[Expr, ...] | None
    collection: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Cast:
    """`x as type`."""

    operand: Expr
    type: TypeName
    span: Span


@dataclass(frozen=True, slots=True)
class ArrayExpr:
    """`[a, b]`."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Ascribed:
    """An argument in place of a param of an operator or template, of whose type it must be. No syntax makes it."""

    value: Expr
    type: TypeName
    param: Name
    owner: str
    span: Span


Expr = Constant | Variable | Member | Index | Call | Unary | Binary | IsNull | In | Cast | ArrayExpr | Ascribed


@dataclass(frozen=True, slots=True)
class TypeName:
    """`text`, `tier?`, `text[]`."""

    name: Name
    array: bool
    optional: bool
    span: Span
