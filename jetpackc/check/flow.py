"""The checks of how machines move. They read the IR, and only machines that came out of the types whole."""

from __future__ import annotations

from collections.abc import Sequence

from jetpackc.check.birth import check_birth, check_claimed
from jetpackc.check.cycles import check_cycles
from jetpackc.check.guards import check_guards
from jetpackc.check.reach import check_reach
from jetpackc.check.report import Report
from jetpackc.check.subject import Subject
from jetpackc.check.timers import check_timers
from jetpackc.check.usage import check_guarded_enters, check_vars
from jetpackc.check.work import check_work
from jetpackc.diagnostics.model import Diagnostic
from jetpackc.parallel import mapped
from jetpackc.records import replace

CHECKS = (
    check_reach,
    check_guards,
    check_timers,
    check_cycles,
    check_work,
    check_guarded_enters,
    check_vars,
    check_birth,
    check_claimed,
)


def check_flow(subjects: Sequence[Subject], report: Report) -> None:
    """Run every flow check over every machine."""
    for findings in mapped(_findings, subjects):
        for found in findings:
            report.take(found)


def _findings(subject: Subject) -> tuple[Diagnostic, ...]:
    alone = replace(subject, report=Report())  # in another process what is added to a report of all is lost
    for check in CHECKS:
        check(alone)
    return alone.report.diagnostics
