"""The pure functions of the language. Each is a function of its arguments alone, but for `backoff`'s jitter."""

from __future__ import annotations

from jetpackc.check.types import BOOL, INT, INTERVAL, NUMERIC, TEXT, array_of
from jetpackc.ir.model import Expr, Literal, Type
from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter. One of type None takes any type that the function's other such arguments share (see `Function`);
    `or_array`: any array may stand there, too."""

    name: str
    type: Type | None
    default: Expr | None = None
    or_array: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `result` None: the common type of the arguments whose param has no type of its own.

    `variadic`: the last param may be given any number of times. `numbers`: the untyped arguments must be numbers, else
    anything that has an order but text.
    """

    name: str
    params: tuple[Param, ...]
    result: Type | None
    doc: str
    variadic: bool = False
    numbers: bool = False


TEXTS = array_of(TEXT)

_TABLE = (
    Function(
        "backoff",
        (Param("base", INTERVAL), Param("attempts", INT), Param("cap", INTERVAL, Literal(3_600_000, INTERVAL))),
        INTERVAL,
        "a delay that doubles from `base` with each attempt up to `cap`, with a jitter that the task's id decides",
    ),
    Function("length", (Param("of", TEXT, or_array=True),), INT, "the number of characters; of elements, for an array"),
    Function("lower", (Param("of", TEXT),), TEXT, "the text in lower case"),
    Function("upper", (Param("of", TEXT),), TEXT, "the text in upper case"),
    Function("trim", (Param("of", TEXT),), TEXT, "the text without spaces at both ends"),
    Function("replace", (Param("of", TEXT), Param("old", TEXT), Param("new", TEXT)), TEXT, "each `old` made `new`"),
    Function("starts_with", (Param("of", TEXT), Param("prefix", TEXT)), BOOL, "whether the text begins with `prefix`"),
    Function("ends_with", (Param("of", TEXT), Param("suffix", TEXT)), BOOL, "whether the text ends with `suffix`"),
    Function("contains", (Param("of", TEXT), Param("part", TEXT)), BOOL, "whether `part` stands somewhere in the text"),
    Function(
        "split",
        (Param("of", TEXT), Param("at", TEXT)),
        TEXTS,
        "the pieces between one `at` and the next; none of an empty text",
    ),
    Function(
        "join", (Param("of", TEXTS), Param("with", TEXT)), TEXT, "the elements that are not null, `with` between them"
    ),
    Function("abs", (Param("of", None),), None, "the number without its sign", numbers=True),
    Function(
        "round", (Param("of", NUMERIC), Param("digits", INT, Literal(0, INT))), NUMERIC, "rounded, half away from zero"
    ),
    Function("ceil", (Param("of", NUMERIC),), NUMERIC, "the least whole number that is not below it"),
    Function("floor", (Param("of", NUMERIC),), NUMERIC, "the greatest whole number that is not above it"),
    Function("min", (Param("first", None), Param("second", None)), None, "the least of two or more", variadic=True),
    Function("max", (Param("first", None), Param("second", None)), None, "the greatest of two or more", variadic=True),
)

FUNCTIONS = {function.name: function for function in _TABLE}
"""Every function but `now()`, which is a built-in name written with parentheses."""
