"""J2xx: types, values and arguments."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

TYPE_MISMATCH = Rule("J201", "type-mismatch", Severity.ERROR, "a value of one type where another is expected")
OPTIONAL_VALUE = Rule("J202", "optional-value", Severity.ERROR, "a value that may be null where one is required")
MISSING_ARGUMENT = Rule(
    "J203", "missing-argument", Severity.ERROR, "a call that leaves out an argument with no default"
)
EXTRA_ARGUMENT = Rule("J204", "extra-argument", Severity.ERROR, "a call with more arguments than there are params")
DUPLICATE_ARGUMENT = Rule("J205", "duplicate-argument", Severity.ERROR, "an argument given twice")
UNKNOWN_ARGUMENT = Rule("J206", "unknown-argument", Severity.ERROR, "an argument whose name is no param")
NOT_ASSIGNABLE = Rule("J207", "not-assignable", Severity.ERROR, "an assignment to a param or a built-in")
OUT_OF_RANGE = Rule("J209", "out-of-range", Severity.ERROR, "a number that its type cannot hold")
SIGNATURE_CONFLICT = Rule("J210", "signature-conflict", Severity.ERROR, "one event with two payloads in one machine")
BAD_OPERANDS = Rule("J211", "bad-operands", Severity.ERROR, "an operator between types that it does not take")
NOT_CALLABLE = Rule("J212", "not-callable", Severity.ERROR, "a call of something that is no function")
NO_MEMBER = Rule("J213", "no-member", Severity.ERROR, "a member of a value that has none")
BAD_CAST = Rule("J214", "bad-cast", Severity.ERROR, "a conversion that has no meaning")
NULL_COMPARISON = Rule("J215", "null-comparison", Severity.ERROR, "a comparison with null, which is never true")
NO_DEFAULT = Rule("J216", "no-default", Severity.ERROR, "a var that is neither optional nor given a default")
POSITIONAL_AFTER_NAMED = Rule(
    "J217", "positional-after-named", Severity.ERROR, "an unnamed argument behind a named one"
)
