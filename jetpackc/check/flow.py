"""The checks of how machines move. They read the IR, and only machines that came out of the types whole."""

from __future__ import annotations

from jetpackc.check.birth import check_birth, check_claimed
from jetpackc.check.cycles import check_cycles
from jetpackc.check.guards import check_guards
from jetpackc.check.reach import check_reach
from jetpackc.check.subject import Subject
from jetpackc.check.timers import check_timers
from jetpackc.check.usage import check_guarded_enters, check_vars
from jetpackc.check.work import check_work

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


def check_flow(subject: Subject) -> None:
    """Run every flow check over one machine."""
    for check in CHECKS:
        check(subject)
