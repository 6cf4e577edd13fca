"""J0xx: the text itself, before any name is looked up."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

SYNTAX_ERROR = Rule("J001", "syntax-error", Severity.ERROR, "the text does not parse")
UNTERMINATED_STRING = Rule("J002", "unterminated-string", Severity.ERROR, "a string with no closing quote on its line")
BAD_ESCAPE = Rule("J003", "bad-escape", Severity.ERROR, "a backslash in a string before a character that needs none")
BAD_NUMBER = Rule("J004", "bad-number", Severity.ERROR, "digits that are no number")
BAD_DURATION = Rule("J005", "bad-duration", Severity.ERROR, "digits and letters that are no duration")
UNCLOSED_BRACKET = Rule(
    "J006", "unclosed-bracket", Severity.ERROR, "a bracket that is never closed, or closed by another kind"
)
WRONG_CASE = Rule("J007", "wrong-case", Severity.ERROR, "an event not in upper case, or another name not in lower case")
RESERVED_WORD = Rule("J008", "reserved-word", Severity.ERROR, "a reserved word where a name is expected")
BAD_CHARACTER = Rule("J009", "bad-character", Severity.ERROR, "a character that is no part of the language")
CHAINED_COMPARISON = Rule("J010", "chained-comparison", Severity.ERROR, "a comparison of a comparison")
MISPLACED_CLAUSE = Rule("J011", "misplaced-clause", Severity.ERROR, "a clause that has no meaning where it stands")
REPEATED_CLAUSE = Rule("J012", "repeated-clause", Severity.ERROR, "a clause that may stand once, written again")
BAD_HANDLER = Rule("J013", "bad-handler", Severity.ERROR, "a `run` whose text is not of the form `module:function`")
MISSING_MODULE = Rule(
    "J014", "missing-module", Severity.ERROR, "a file with neither a `module` line nor a name that could be one"
)
UNREADABLE_SOURCE = Rule(
    "J015", "unreadable-source", Severity.ERROR, "a source file that is missing, not UTF-8 or not readable"
)
EMPTY_REASON = Rule("J016", "empty-reason", Severity.ERROR, "an `allow` that gives no reason")
NOT_SUPPORTED_YET = Rule(
    "J090", "not-supported-yet", Severity.ERROR, "a part of the language that this version does not compile"
)
