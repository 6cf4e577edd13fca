"""J6xx: `test` blocks, as the compiler reads them and as they run."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

UNKNOWN_TASK = Rule("J601", "unknown-task", Severity.ERROR, "a test that speaks of a task which it has not created")
UNKNOWN_WORK = Rule("J602", "unknown-work", Severity.ERROR, "a `stub` of work that no handler does")
AMBIGUOUS_WORK = Rule("J603", "ambiguous-work", Severity.ERROR, "a `stub` that may mean the work of several handlers")
NOTHING_SENT = Rule("J604", "nothing-sent", Severity.ERROR, "an `expect` about a statement that is not there")
NEVER_SPAWNED = Rule("J605", "never-spawned", Severity.ERROR, "a test that waits for a task which nothing spawns")
FAILED_EXPECTATION = Rule("J610", "failed-expectation", Severity.ERROR, "an expectation of a test that does not hold")
REFUSED_STATEMENT = Rule("J611", "refused-statement", Severity.ERROR, "a statement of a test that the database refused")
UNSTUBBED_WORK = Rule("J612", "unstubbed-work", Severity.ERROR, "work in a test whose answer only a `stub` can tell")
ENDLESS_WORK = Rule("J613", "endless-work", Severity.ERROR, "work in a test that goes on for ever")
NOT_SPAWNED = Rule("J614", "not-spawned", Severity.ERROR, "a task that was not spawned when a test came to name it")
