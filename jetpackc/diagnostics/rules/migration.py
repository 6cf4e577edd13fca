"""J5xx: the lock file, the migrations and the database they meet."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

UNSUPPORTED_CHANGE = Rule("J501", "unsupported-change", Severity.ERROR, "a change that cannot be migrated yet")
STALE_OUTPUT = Rule("J502", "stale-output", Severity.ERROR, "generated files that are not what the source gives")
UNREADABLE_LOCK = Rule("J503", "unreadable-lock", Severity.ERROR, "a `jet.lock` that cannot be read")
EDITED_MIGRATION = Rule("J504", "edited-migration", Severity.ERROR, "a migration that was edited after it was applied")
OUT_OF_ORDER_MIGRATION = Rule(
    "J505", "out-of-order-migration", Severity.ERROR, "a migration numbered before one that is already applied"
)
NEWER_DATABASE = Rule(
    "J506", "newer-database", Severity.ERROR, "a database of a newer version than this compiler knows"
)
MISSING_MIGRATION = Rule(
    "J507", "missing-migration", Severity.ERROR, "a migration that was applied and whose file is gone"
)
FAILED_MIGRATION = Rule("J508", "failed-migration", Severity.ERROR, "a migration that Postgres refused")
DATABASE_UNREACHABLE = Rule(
    "J509", "database-unreachable", Severity.ERROR, "a database that cannot be reached or refuses the login"
)
