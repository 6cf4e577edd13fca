"""J4xx: templates, operators and steps, and what they become."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

ENDLESS_EXPANSION = Rule(
    "J401", "endless-expansion", Severity.ERROR, "an operator that contains itself, or expands to too much"
)
STATE_ARGUMENT = Rule(
    "J402", "state-argument", Severity.ERROR, "a state where a value is expected, or a value where a state is"
)
MERGE_CONFLICT = Rule(
    "J403",
    "merge-conflict",
    Severity.ERROR,
    "a state that a machine and its template describe in ways that exclude each other",
)
STEP_WITHOUT_RUN = Rule("J404", "step-without-run", Severity.ERROR, "a step that does not say what to run")
MISPLACED_RANGE = Rule("J405", "misplaced-range", Severity.ERROR, "a range `a..b` where one value is expected")
