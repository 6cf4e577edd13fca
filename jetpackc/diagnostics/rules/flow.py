"""J3xx: how a machine moves. Those from J380 on are warnings."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

NO_INITIAL_STATE = Rule(
    "J301", "no-initial-state", Severity.ERROR, "a machine or a composite state with no initial state"
)
SEVERAL_INITIAL_STATES = Rule(
    "J302", "several-initial-states", Severity.ERROR, "a machine or a composite state with more than one initial state"
)
UNREACHABLE_STATE = Rule("J303", "unreachable-state", Severity.ERROR, "a state that nothing leads to")
DEAD_END_STATE = Rule("J304", "dead-end-state", Severity.ERROR, "a state that nothing leaves and that is not final")
SHADOWED_CLAUSE = Rule("J305", "shadowed-clause", Severity.ERROR, "a clause that a former one always forestalls")
ENDLESS_ENTER = Rule("J306", "endless-enter", Severity.ERROR, "a cycle of `enter` that no guard bounds")
RUN_WITHOUT_CLAIM = Rule("J307", "run-without-claim", Severity.ERROR, "a state with `run` that no claim leads to")
CLAIM_WITHOUT_RUN = Rule("J308", "claim-without-run", Severity.ERROR, "a claim that leads to a state with no `run`")
UNANSWERED_OUTCOME = Rule(
    "J309", "unanswered-outcome", Severity.ERROR, "a state with `run` and no unguarded way out for SUCCESS or ERROR"
)
CODE_AFTER_ARROW = Rule("J310", "code-after-arrow", Severity.ERROR, "a statement behind `->`, which ends its block")
SECOND_TARGET = Rule("J311", "second-target", Severity.ERROR, "`->` in the block of a clause that has a target")
DELAY_NOT_CLAIMABLE = Rule("J312", "delay-not-claimable", Severity.ERROR, "`in` behind a target that no worker claims")
LIFECYCLE_EVENT = Rule(
    "J313", "lifecycle-event", Severity.ERROR, "a lifecycle event declared, sent, or handled where it never comes"
)
UNHANDLED_ABANDONED = Rule(
    "J314", "unhandled-abandoned", Severity.ERROR, "a step that does not say what happens when its attempts are used up"
)
FINAL_STATE_CLAUSE = Rule("J315", "final-state-clause", Severity.ERROR, "a clause that a final state cannot have")
CONFLICTING_KINDS = Rule("J316", "conflicting-kinds", Severity.ERROR, "kinds of state that exclude each other")
TIMEOUT_WITHOUT_RUN = Rule("J317", "timeout-without-run", Severity.ERROR, "a `timeout` in a state that runs nothing")
IGNORED_AND_HANDLED = Rule(
    "J318", "ignored-and-handled", Severity.ERROR, "an event that one state both ignores and handles"
)
ARROW_IN_EXIT = Rule("J319", "arrow-in-exit", Severity.ERROR, "`->` in an `exit` block")
GUARDED_CLAIM = Rule("J320", "guarded-claim", Severity.ERROR, "a claim that hangs on a guard")
UNCLAIMED_RUN = Rule("J321", "unclaimed-run", Severity.ERROR, "a state with `run` that is entered without a claim")
NEVER_TRUE = Rule("J322", "never-true", Severity.ERROR, "a guard that no value makes true")
ALLOWED_ERROR = Rule("J323", "allowed-error", Severity.ERROR, "an `allow` of something that is no warning")
UNHANDLED_SEND = Rule("J324", "unhandled-send", Severity.ERROR, "an event that is sent and that no machine handles")
ENDLESS_SPAWN = Rule("J325", "endless-spawn", Severity.ERROR, "tasks whose creation creates tasks for ever")
ENDLESS_FLUSH = Rule(
    "J326", "endless-flush", Severity.ERROR, "a cycle of SUBTREE_FLUSHED that no spawn and no guard bounds"
)
ALIAS_TAKEN = Rule("J340", "alias-taken", Severity.ERROR, "a name behind `as` that cannot keep the id of a task")
ALIAS_OF_MANY = Rule("J341", "alias-of-many", Severity.ERROR, "`as` on a spawn that makes a task an element")
UNHEARD_SEND = Rule("J342", "unheard-send", Severity.ERROR, "a message that nobody it goes to takes")
COUNT_OF_NOTHING = Rule("J343", "count-of-nothing", Severity.ERROR, "a count of children that names no states")
RESULT_OF_LIVING = Rule("J344", "result-of-living", Severity.ERROR, "a `return` in a state that is not final")
LIMIT_BY_VAR = Rule("J350", "limit-by-var", Severity.ERROR, "a limit that goes by what may change while a task waits")
EMPTY_LIMIT = Rule("J351", "empty-limit", Severity.ERROR, "a limit that lets nothing through")
UNIQUE_CLAIM = Rule("J352", "unique-claim", Severity.ERROR, "a `unique` that a worker's claim may break")
FORESTALLED_TIMER = Rule(
    "J330", "forestalled-timer", Severity.ERROR, "a timer before which another one always leaves its state"
)
LIMITS_BY_SEVERAL = Rule("J353", "limits-by-several", Severity.ERROR, "limits or turns by different params")
GUARDED_ENTER = Rule(
    "J380", "guarded-enter", Severity.WARNING, "a state whose only way out is a guarded `enter` with no last line"
)
UNUSED_EVENT = Rule("J381", "unused-event", Severity.WARNING, "an event that is declared and neither sent nor handled")
UNUSED_VAR = Rule("J382", "unused-var", Severity.WARNING, "a var that is neither set nor read")
ALWAYS_TRUE = Rule("J383", "always-true", Severity.WARNING, "a guard that every value makes true")
UNUSED_ALLOW = Rule("J384", "unused-allow", Severity.WARNING, "an `allow` of a warning that does not come up")
NO_CHILDREN = Rule("J385", "no-children", Severity.WARNING, "a machine that looks at children and spawns none")
NO_QUEUE = Rule("J386", "no-queue", Severity.WARNING, "an order or a limit of work where no worker claims anything")
BAD_CRON = Rule("J360", "bad-cron", Severity.ERROR, "a text that is no cron expression")
UNKNOWN_ZONE = Rule("J361", "unknown-zone", Severity.ERROR, "a time zone that nobody knows")
BAD_PERIOD = Rule("J362", "bad-period", Severity.ERROR, "a period that is no constant of a minute or longer")
UNKNOWN_MISSED = Rule("J363", "unknown-missed", Severity.ERROR, "`missed` with another word than latest, all or skip")
KEPT_FOR_LIFE = Rule("J365", "kept-for-life", Severity.ERROR, "`keep` of a state in which tasks do not end")
SCHEDULED_SPAWN = Rule(
    "J364", "scheduled-spawn", Severity.ERROR, "a schedule that is to create other than one free task"
)
