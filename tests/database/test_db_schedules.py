"""Schedules: each slot fires once, when its zone's clocks say so, whoever sweeps and whoever was away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from psycopg.types.json import Jsonb
from queue_client import Db

from jetpackc import cron

MACHINES = """
module m

schedule nightly cron "0 3 * * *" in "Europe/London" spawn report(day: today)
schedule every_one every 1h missed all spawn note(at: slot, what: "hour")
schedule fresh cron "*/10 * * * *" in "America/New_York" missed skip spawn note(at: slot, what: "fresh")
schedule broken cron "0 12 * * *" spawn lone(n: 1)
schedule queued cron "30 12 * * *" in "Australia/Lord_Howe" spawn work(n: length("four"))

machine report(day: date) {
  initial state made { on GO -> gone }
  final state gone
}

machine note(at: timestamptz, what: text, more: int? , kind: text = "plain") {
  initial state made { on GO -> gone }
  final state gone
}

machine lone(n: int) {
  unique (n)
  initial state made { on GO -> gone }
  final state gone
}

machine work(n: int) is task { state running { run "m:work" } }
"""
ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "UTC")


def begin(db: Db, at: str, *names: str) -> None:
    """Set the clock, and have only these schedules begin there."""
    db.run("update jet.clock set shift = %s::timestamptz - clock_timestamp()", at)
    db.run("delete from jet.slot")
    db.run("delete from jet.schedule where not name = any(%s)", list(names))
    db.run("update jet.schedule set written = jet.now()")


def outcomes(db: Db, name: str) -> list[tuple[datetime, str]]:
    rows = db.rows("select at, outcome from jet.slot where name = %s and outcome is not null order by at", name)
    return [(row.at.astimezone(UTC), row.outcome) for row in rows]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_slot_makes_its_task_in_the_name_of_the_schedule(db: Db) -> None:
    begin(db, "2026-11-10 01:00Z", "nightly", "queued")
    assert db.value("select jet.tick()") == 0
    db.shift("2 h 1 min")
    assert db.value("select jet.tick()") == 2
    assert db.value("select jet.tick()") == 0
    report = db.one("select id, day, created_at from m.report")
    assert report.day == date(2026, 11, 10)
    assert db.hops("report", report.id)[0].actor == "nightly"
    assert db.one("select outcome, task from jet.slot where name = 'nightly' and outcome is not null") == (
        "fired",
        report.id,
    )
    assert db.value("select n from m.work") == 4
    assert len(db.claim("work", db.worker()).tasks) == 1


def test_a_task_that_cannot_be_made_is_told_and_holds_nobody_up(db: Db) -> None:
    begin(db, "2026-11-10 11:59Z", "broken", "every_one")
    first = db.create("lone", n=1)
    db.run("select jet.tick()")
    db.shift("2 min")
    assert db.value("select jet.tick()") == 2
    slot = db.one("select outcome, error, task from jet.slot where name = 'broken' and outcome is not null")
    assert slot.outcome == "failed"
    assert f"task {first}" in slot.error
    assert slot.task is None
    assert db.value("select count(*) from m.note") == 1


def test_what_is_left_out_takes_its_default(db: Db) -> None:
    begin(db, "2026-11-10 11:59Z", "every_one")
    db.shift("2 min")
    db.run("select jet.tick()")
    note = db.one("select at, what, more, kind from m.note")
    assert (note.what, note.more, note.kind) == ("hour", None, "plain")
    assert note.at.astimezone(UTC) == utc("2026-11-10 12:00")


# ---------------------------------------------------------------- nobody was there


def test_a_night_without_workers_is_made_up_for_as_the_schedule_says(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one", "fresh", "nightly")
    db.shift("3 d 11 h 37 min")
    while db.value("select jet.tick(10)"):
        pass
    # all: every hour of three days and a half
    assert [at for at, _ in outcomes(db, "every_one")] == [
        utc("2026-11-10 01:00") + timedelta(hours=n) for n in range(84)
    ]
    assert {outcome for _, outcome in outcomes(db, "every_one")} == {"fired"}
    # latest: the last of four nights
    assert [outcome for _, outcome in outcomes(db, "nightly")] == ["missed", "missed", "missed", "fired"]
    assert db.value("select day from m.report") == date(2026, 11, 13)
    # skip: none that is more than five minutes late
    assert {outcome for _, outcome in outcomes(db, "fresh")} == {"missed"}
    assert outcomes(db, "fresh")[-1][0] == utc("2026-11-13 12:00")


@pytest.mark.parametrize(("late", "made"), [("4 min", 1), ("6 min", 0)])
def test_a_slot_is_missed_when_it_is_five_minutes_late(db: Db, late: str, made: int) -> None:
    begin(db, "2026-11-10 00:09Z", "fresh")
    db.run("select jet.tick()")
    db.shift("1 min")
    db.shift(late)
    db.run("select jet.tick()")
    assert db.value("select count(*) from m.note") == made


def test_slots_on_time_all_fire_though_only_the_latest_would_be_made_up_for(db: Db) -> None:
    begin(db, "2026-11-10 02:50Z", "nightly")
    db.run('update jet.schedule set plan = jsonb_set(plan, \'{minutes}\', \'["0", "1", "2"]\')')
    db.shift("12 min")
    db.run("select jet.tick()")
    assert [outcome for _, outcome in outcomes(db, "nightly")] == ["fired"] * 3


def test_the_slots_of_48_hours_are_written_ahead(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one")
    db.run("select jet.tick()")
    assert db.value("select count(*) from jet.slot") == 48
    db.shift("30 min")
    db.run("select jet.tick()")
    assert db.value("select count(*) from jet.slot") == 48
    db.shift("1 h")
    db.run("select jet.tick()")
    assert db.value("select max(at) - min(at) from jet.slot") == timedelta(hours=49)


def test_a_clock_that_was_set_back_leaves_no_gap(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one")
    db.run("select jet.tick()")
    db.run("update jet.clock set shift = shift - interval '90 d'")
    db.shift("1 h")
    db.run("select jet.tick()")
    db.shift("1 h")
    assert db.value("select jet.tick()") == 1
    assert outcomes(db, "every_one")[0][1] == "fired"


def test_the_next_slot_is_told_as_far_as_a_year_ahead(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "nightly")
    assert db.value("select m._due(jet.now())").astimezone(UTC) == utc("2026-11-10 03:00")
    db.run("""update jet.schedule set plan = plan || '{"months": ["7"], "days": ["4"]}'""")
    assert db.value("select m._due(jet.now())").astimezone(UTC) == utc("2027-07-04 02:00")
    db.run("select jet.schedule_pause('m.nightly')")
    assert db.value("select m._due(jet.now())") is None


def test_old_slots_are_forgotten(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one")
    for _ in range(2):
        db.shift("24 h")
        db.run("select jet.tick(1000)")
    first = db.value("select min(at) from jet.slot")
    db.run("update jet.pulse set late_at = '-infinity'")
    db.shift("29 d 1 min")
    while db.value("select jet.tick(1000)"):
        pass
    assert db.value("select min(at) from jet.slot") > first
    assert db.value("select count(*) from m.note") == 31 * 24


# ---------------------------------------------------------------- who sweeps


def test_any_heartbeat_fires_what_is_due(db: Db) -> None:
    begin(db, "2026-11-10 02:59Z", "nightly")
    worker = db.worker()
    db.shift("2 min")
    assert db.value("select jet.heartbeat(%s)", worker)
    assert db.value("select count(*) from m.report") == 1


def test_many_sweepers_fire_each_slot_once(dsn: str, db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one")
    db.shift("10 d")

    def sweep() -> None:
        with Db(dsn) as own:
            for _ in range(40):
                own.run("select jet.tick(20)")

    threads = [threading.Thread(target=sweep) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while db.value("select jet.tick()"):
        pass
    assert db.value("select count(*) from m.note") == 240
    assert db.value("select count(distinct at) from m.note") == 240


def test_a_slot_and_its_task_are_one_transaction(db: Db) -> None:
    begin(db, "2026-11-10 02:59Z", "nightly")
    db.shift("2 min")
    db.begin()
    db.run("select jet.tick()")
    assert db.value("select count(*) from m.report") == 1
    db.rollback()
    assert db.value("select count(*) from m.report") == 0
    db.run("select jet.tick()")
    assert db.value("select count(*) from m.report") == 1


# ---------------------------------------------------------------- pause, change


def test_a_paused_schedule_fires_nothing_and_makes_up_for_nothing(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one")
    db.run("select jet.schedule_pause('m.every_one')")
    db.shift("2 h")
    db.run("select jet.tick()")
    db.shift("2 h")
    db.run("select jet.schedule_resume('m.every_one')")
    db.shift("1 h")
    db.run("select jet.tick()")
    assert [outcome for _, outcome in outcomes(db, "every_one")] == ["paused"] * 4 + ["fired"]
    with pytest.raises(Exception, match=r"there is no schedule 'm\.no'"):
        db.run("select jet.schedule_pause('m.no')")


def test_another_plan_drops_the_slots_that_were_to_come_and_no_others(db: Db) -> None:
    begin(db, "2026-11-10 00:30Z", "every_one")
    db.run("select jet.tick()")
    db.shift("2 h")
    put = "select jet.schedule_put('m', 'every_one', %s, 'UTC', 'all')"
    db.run(put, Jsonb({"every": 1800}))
    assert db.value("select count(*) from jet.slot") == 2
    db.run("select jet.tick()")
    assert [at for at, _ in outcomes(db, "every_one")] == [utc("2026-11-10 01:00"), utc("2026-11-10 02:00")]
    db.shift("31 min")
    db.run("select jet.tick()")
    assert outcomes(db, "every_one")[-1] == (utc("2026-11-10 03:00"), "fired")
    db.run(put, Jsonb({"every": 1800}))
    assert db.value("select count(*) from jet.slot where outcome is null") > 90
    db.run("select jet.schedule_drop('m', 'every_one')")
    assert db.value("select count(*) from jet.slot where outcome is null") == 0
    db.shift("1 d")
    assert db.value("select jet.tick()") == 0


# ---------------------------------------------------------------- clocks that are changed

DST = {
    # zone, local day, cron: the slots in UTC
    ("Europe/London", "2026-03-29", "30 1 * * *"): ["2026-03-29 01:00"],  # 01:00 to 02:00 is left out
    ("Europe/London", "2026-03-29", "0 1,2 * * *"): ["2026-03-29 01:00"],
    ("Europe/London", "2026-10-25", "30 1 * * *"): ["2026-10-25 00:30"],  # 01:00 to 02:00 comes twice
    ("Europe/London", "2026-10-25", "*/30 1 * * *"): [f"2026-10-25 0{h}:{m}" for h in (0, 1) for m in ("00", "30")],
    ("America/New_York", "2026-03-08", "30 2 * * *"): ["2026-03-08 07:00"],
    ("America/New_York", "2026-11-01", "15 1 * * *"): ["2026-11-01 05:15"],
    ("America/New_York", "2026-11-01", "0 2 * * *"): ["2026-11-01 07:00"],
    ("Australia/Lord_Howe", "2026-10-04", "15 2 * * *"): ["2026-10-03 15:30"],  # 02:00 to 02:30 is left out
    ("Australia/Lord_Howe", "2026-04-05", "45 1 * * *"): ["2026-04-04 14:45"],  # 01:30 to 02:00 comes twice
    ("Australia/Lord_Howe", "2026-04-05", "45 * * * *"): 25,
    ("Australia/Lord_Howe", "2026-10-04", "0 * * * *"): 23,
}


def slots(db: Db, text: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    plan = Jsonb({"cron": text, **asdict(cron.plan(text))})
    rows = db.rows("select s from jet.slots(%s, %s, %s, %s) s order by s", plan, zone, after, until)
    return [row[0].astimezone(UTC) for row in rows]


@pytest.mark.parametrize(("zone", "day", "text"), DST)
def test_where_clocks_are_changed_a_time_of_day_comes_once(db: Db, zone: str, day: str, text: str) -> None:
    midnight = "select (%s::timestamp at time zone %s)"
    after, until = (db.value(midnight, f"{day} {time}", zone) for time in ("00:00", "23:59"))
    found = slots(db, text, zone, after - timedelta(seconds=1), until)
    wanted = DST[zone, day, text]
    if isinstance(wanted, int):
        assert len(found) == len(set(found)) == wanted
    else:
        assert found == [utc(each) for each in wanted]


def test_a_night_of_either_kind_makes_one_task_of_its_day(db: Db) -> None:
    for start, day in (("2026-03-28 12:00Z", date(2026, 3, 29)), ("2026-10-24 12:00Z", date(2026, 10, 25))):
        begin(db, start, "nightly")
        db.run("""update jet.schedule set plan = plan || '{"minutes": ["30"], "hours": ["1"]}'""")
        db.run("delete from m.report")
        for _ in range(40):
            db.shift("30 min")
            db.run("select jet.tick()")
        assert [row.day for row in db.rows("select day from m.report")] == [day]


@pytest.fixture(scope="module")
def shared(databases: Any) -> Iterator[Db]:
    """One database for many examples that change nothing in it."""
    dsn = databases.new(MACHINES)
    with Db(dsn) as found:
        yield found
    databases.drop(dsn)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda p: f"{min(p)}-{max(p)}")
    step = st.tuples(st.just("*") | span, st.integers(1, high)).map(lambda p: f"{p[0]}/{p[1]}")
    return st.just("*") | number | span | step | st.lists(number, min_size=2, max_size=3).map(",".join)


@st.composite
def crons(draw: st.DrawFn) -> str:
    days = fields(1, 31) | st.sampled_from(["L", "LW", "1,L"])
    weekdays = fields(0, 7) | st.sampled_from(["MON#1", "FRI#5", "5L", "7L", "SUN", "1-5"])
    text = " ".join(draw(part) for part in (fields(0, 59), fields(0, 23), days, fields(1, 12), weekdays))
    try:
        cron.plan(text)
    except cron.CronError:
        return "0 0 L * *"
    return text


@settings(max_examples=150, deadline=None)
@given(crons(), st.sampled_from(ZONES), st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)), st.integers(1, 200))
def test_the_database_and_the_library_agree(shared: Db, text: str, zone: str, start: datetime, hours: int) -> None:
    after = start.replace(tzinfo=UTC)
    until = after + timedelta(hours=hours)
    assert slots(shared, text, zone, after, until) == list(
        takewhile(lambda at: at <= until, cron.runs(text, zone, after))
    )


@settings(max_examples=60, deadline=None)
@given(
    crons(),
    st.sampled_from(ZONES),
    st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"]),
    st.integers(0, 2880),
)
def test_they_agree_where_clocks_are_changed_and_wherever_one_begins(
    shared: Db, text: str, zone: str, day: str, minutes: int
) -> None:
    after = utc(day) - timedelta(hours=24) + timedelta(minutes=minutes)
    until = after + timedelta(hours=26)
    assert slots(shared, text, zone, after, until) == list(
        takewhile(lambda at: at <= until, cron.runs(text, zone, after))
    )


def test_the_plan_in_a_migration_is_the_one_that_the_library_reads(db: Db) -> None:
    row = db.one("select plan, zone, missed from jet.schedule where name = 'nightly'")
    assert row.plan == json.loads(json.dumps({"cron": "0 3 * * *", **asdict(cron.plan("0 3 * * *"))}))
    assert (row.zone, row.missed) == ("Europe/London", "latest")
