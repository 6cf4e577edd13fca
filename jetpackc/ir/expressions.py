"""Types and expressions of the IR. Every expression has a `type`."""

from __future__ import annotations

from dataclasses import field
from typing import Literal as OneOf

from jetpackc.records import dataclass
from jetpackc.source import Span

NO_SPAN = Span("", 0, 0, 0, 0)


TypeKind = OneOf[
    "bool",
    "int",
    "bigint",
    "float",
    "numeric",
    "text",
    "uuid",
    "timestamptz",
    "date",
    "interval",
    "json",
    "bytes",
    "enum",
    "null",
]


@dataclass(frozen=True, slots=True)
class Type:
    """A type. `enum` is the enum's name in this module when kind is "enum". `null` is the type of the bare literal."""

    kind: TypeKind
    enum: str = ""
    array: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `value`: bool; int for int and bigint; text digits for float and numeric; str for text and enum
    values; int milliseconds for interval; None for null."""

    value: str | int | bool | None
    type: Type


@dataclass(frozen=True, slots=True)
class Ref:
    """A resolved name; its type is not optional where a guard has ruled null out.

    Builtins: id, state, attempts, depth, parent, root, created_at, entered_at, run_at, now. `item` is the element
    that a `spawn … for` stands at."""

    scope: OneOf["event", "var", "param", "builtin", "item"]
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `not x`."""

    operator: OneOf["-", "not"]
    operand: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic (`+ - * / %`), `++`, `??`, comparison, `and`, `or`.

    Operands may differ in numeric type; `type` is the result's. `/` of int and bigint cuts towards zero. A comparison
    with an operand that may be null has an optional result."""

    operator: OneOf["or", "and", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "++", "??"]
    left: Expr
    right: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class IsNull:
    """`x is null` or, negated, `x is not null`."""

    operand: Expr
    negated: bool
    type: Type


@dataclass(frozen=True, slots=True)
class In:
    """`x in (a, b)`; with one option of array type, `x in xs`."""

    operand: Expr
    options: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Cast:
    """`x as type`."""

    operand: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """A pure function of `jetpackc.check.functions`, arguments in the order of its signature."""

    function: str
    arguments: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Access:
    """`c.name`, `c["k"]`, `c[0]` of json, or `xs[0]` of an array; null where there is no such member or element.

    `key` is a text (a Literal for `c.name`) or an int, which counts from 0 for both. A negative one finds nothing, in
    json as in an array. What is found is json? of json (a JSON null is null), and an optional element of an array; not
    optional where a guard has ruled null out."""

    operand: Expr
    key: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`; `type` is the array's, and every item fits its element, optional ones too: an element may be null."""

    items: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Tree:
    """What a task sees of its descendants or its children: how many (`count`), whether all (`all`, true of none) or any
    (`some`) are in one of the states `names`, each a state's name, `machine.state`, `final` (ended) or `failure`; or,
    of children, what they returned (`results`, json, by id)."""

    of: OneOf["subtree", "children"]
    function: OneOf["count", "all", "some", "results"]
    names: tuple[str, ...]
    type: Type
    span: Span = field(default=NO_SPAN, compare=False, repr=False)
    places: tuple[Span, ...] = field(default=(), compare=False, repr=False)
    """Where the names stand."""


Expr = Literal | Ref | Unary | Binary | IsNull | In | Cast | Call | Access | Array | Tree
