"""J36x: schedules, and how long what has happened is kept."""

from __future__ import annotations

from jetpackc.diagnostics.model import Rule, Severity

BAD_CRON = Rule("J360", "bad-cron", Severity.ERROR, "a text that is no cron expression")
UNKNOWN_ZONE = Rule("J361", "unknown-zone", Severity.ERROR, "a time zone that nobody knows")
BAD_PERIOD = Rule("J362", "bad-period", Severity.ERROR, "a period that is no constant of a minute or longer")
UNKNOWN_MISSED = Rule("J363", "unknown-missed", Severity.ERROR, "`missed` with another word than latest, all or skip")
SCHEDULED_SPAWN = Rule(
    "J364", "scheduled-spawn", Severity.ERROR, "a schedule that is to create other than one free task"
)
