"""J1xx: names that are unknown, taken, or no good in Postgres."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

UNKNOWN_STATE = Rule("J101", "unknown-state", Severity.ERROR, "a name that is no state of this machine")
UNKNOWN_EVENT = Rule("J102", "unknown-event", Severity.ERROR, "a name that is no event known here")
UNKNOWN_MACHINE = Rule("J103", "unknown-machine", Severity.ERROR, "a name that is no machine of this program")
UNKNOWN_ENUM_VALUE = Rule("J104", "unknown-enum-value", Severity.ERROR, "a name that is no value of this enum")
UNKNOWN_TYPE = Rule(
    "J105", "unknown-type", Severity.ERROR, "a name that is neither a built-in type nor an enum of this module"
)
UNKNOWN_NAME = Rule("J106", "unknown-name", Severity.ERROR, "a name in an expression that stands for nothing")
UNKNOWN_FUNCTION = Rule("J107", "unknown-function", Severity.ERROR, "a call of a function that does not exist")
UNKNOWN_OPERATOR = Rule("J108", "unknown-operator", Severity.ERROR, "a call of an operator that is not defined")
UNKNOWN_TEMPLATE = Rule("J109", "unknown-template", Severity.ERROR, "a name that is no template")
UNKNOWN_VAR = Rule("J110", "unknown-var", Severity.ERROR, "an assignment to a name that is no var of this machine")
UNKNOWN_FIELD = Rule("J111", "unknown-field", Severity.ERROR, "a name that is no field of this event")
UNKNOWN_HANDLER = Rule("J112", "unknown-handler", Severity.ERROR, "a `run` whose module or function cannot be found")
NO_EVENT_HERE = Rule("J113", "no-event-here", Severity.ERROR, "an event's field where there is no event")
UNKNOWN_CODE = Rule("J114", "unknown-code", Severity.ERROR, "an `allow` of a code that no diagnostic has")
DUPLICATE_NAME = Rule("J120", "duplicate-name", Severity.ERROR, "a name declared twice in one scope")
BUILTIN_NAME = Rule("J121", "builtin-name", Severity.ERROR, "a built-in name declared anew")
NAME_TOO_LONG = Rule("J122", "name-too-long", Severity.ERROR, "a name of more bytes than Postgres keeps")
COLLIDING_NAMES = Rule(
    "J123", "colliding-names", Severity.ERROR, "two declarations that come out as one name in Postgres"
)
UNKNOWN_IMPORT = Rule("J115", "unknown-import", Severity.ERROR, "an import of a file that is not there")
TOO_MANY_FIELDS = Rule("J124", "too-many-fields", Severity.ERROR, "more params or fields than Postgres takes")
