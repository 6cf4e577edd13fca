"""How tightly the parts of an expression hold together: the rules of grammar/jet.lark from `expr` down."""

from __future__ import annotations

OR, AND, NOT, COMPARISON, CONCATENATION, FALLBACK, SUM, PRODUCT, CAST, UNARY, POSTFIX, ATOM = range(12)

BINARY = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), COMPARISON),
    "++": CONCATENATION,
    "??": FALLBACK,
    **dict.fromkeys("+-", SUM),
    **dict.fromkeys("*/%", PRODUCT),
}
"""The level of each operator that stands between two operands."""
