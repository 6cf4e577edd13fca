"""Cron expressions: what a schedule's five fields mean, and when it runs next. `cronsim` reads them, and knows what
Debian's cron does where clocks are put forward or back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from jetpackc.records import dataclass

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""What other crons write for the five fields."""

_WHOLE = (range(60), range(24), range(1, 32), range(1, 13), range(7))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CronError(ValueError):
    """The text is no cron expression. `field` is the index of the field that is wrong, None where it is all of them."""

    def __init__(self, message: str, field: int | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Plan:
    """The five fields, each as the texts of which a moment's own is to be one; `*` stands for all.

    Days may be `L`, the month's last, or `LW`, its last from Monday to Friday; weekdays (0 is Sunday) may be `5#2`, the
    second Friday, or `5L`, the last. `meets`: day and weekday must both hold, not one of the two. `fixed`: it names
    hours and minutes of the day, each of which comes once where clocks are changed too; else it goes by the minutes as
    they pass.
    """

    minutes: tuple[str, ...]
    hours: tuple[str, ...]
    days: tuple[str, ...]
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    meets: bool
    fixed: bool


def plan(text: str) -> Plan:
    """What the fields say.

    Raises:
        CronError: the text is no cron expression, or names a day that no month has.
    """
    from cronsim import CronSim, CronSimError

    if len(text.split()) != len(FIELDS):
        raise CronError(f"not of five fields: {', '.join(FIELDS)}")
    try:
        read = CronSim(text, _EPOCH)
    except CronSimError as error:
        what = str(error).removeprefix("Bad ")
        raise CronError(f"this is no {what}", FIELDS.index(what)) from None
    minutes, hours, days, months, weekdays = (
        _short(found, whole)
        for found, whole in zip(
            (
                map(str, sorted(read.minutes)),
                map(str, sorted(read.hours)),
                map(_day, sorted(read.days)),
                map(str, sorted(read.months)),
                sorted({_weekday(one) for one in read.weekdays}),
            ),
            _WHOLE,
            strict=True,
        )
    )
    fixed = not read.parts[1].startswith("*") and not read.parts[2].startswith("*")
    return Plan(minutes, hours, days, months, weekdays, read.day_and, fixed)


def _short(texts: Iterable[str], whole: range) -> tuple[str, ...]:
    found = tuple(texts)
    return ("*",) if set(map(str, whole)) <= set(found) else found


def _day(day: int) -> str:
    from cronsim import CronSim

    return {CronSim.LAST: "L", CronSim.LAST_WEEKDAY: "LW"}.get(day, str(day))


def _weekday(day: int | tuple[int, int]) -> str:
    from cronsim import CronSim

    if isinstance(day, int):
        return str(day % 7)
    return f"{day[0] % 7}{'L' if day[1] == CronSim.LAST else f'#{day[1]}'}"


def zones() -> frozenset[str]:
    """The names of time zones."""
    from zoneinfo import available_timezones

    return frozenset(available_timezones())


def runs(text: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The slots of a cron expression behind a moment, in order, each once; they end only where 50 years have none."""
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

    last = after.astimezone(UTC)
    # From a day before: where clocks go back, an hour that has come already comes again.
    for found in CronSim(text, (last - timedelta(days=1)).astimezone(ZoneInfo(zone))):
        moment = found.astimezone(UTC)
        if moment > last:
            last = moment
            yield moment


def every(milliseconds: int, after: datetime) -> Iterator[datetime]:
    """The slots of a period, counted from 1970, behind a moment."""
    period = timedelta(milliseconds=milliseconds)
    count = (after - _EPOCH) // period
    while True:
        count += 1
        yield _EPOCH + count * period
