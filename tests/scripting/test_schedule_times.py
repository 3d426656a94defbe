"""scripting/schedule_times.py: intervals and cron expressions, around the days when clocks change."""

from __future__ import annotations

import datetime as dates
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from goop2.scripting.schedule_times import COUNTED_MAX, Cron, Every, ScheduleError, parse_cron, parse_every, times_passed

BERLIN, NEW_YORK, LORD_HOWE, ST_JOHNS = (
    ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns")
)
ZONES = (BERLIN, NEW_YORK, LORD_HOWE, ST_JOHNS, ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu"))
SPRING, AUTUMN = dates.date(2026, 3, 29), dates.date(2026, 10, 25)  # in Berlin


def at(zone: ZoneInfo, *wall: int, fold: int = 0) -> float:
    return dates.datetime(*wall, tzinfo=zone, fold=fold).timestamp()  # type: ignore[arg-type,misc]


def walls(text: str, zone: ZoneInfo, start: float, count: int) -> list[str]:
    """What clocks show at the next times, with their offset from UTC."""
    found, instant, cron = [], start, parse_cron(text)
    for _ in range(count):
        instant = cron.after(instant, zone) or 0.0
        found.append(dates.datetime.fromtimestamp(instant, zone).strftime("%d %H:%M %z"))
    return found


def brute_force(cron: Cron, start: float, zone: ZoneInfo, minutes: int) -> float | None:
    """The first minute whose wall clock the fields name: what the fast search must find."""
    instant = (int(start // 60) + 1) * 60
    for step in range(minutes):
        here = dates.datetime.fromtimestamp(instant + 60 * step, zone)
        if cron.names(here.date()) and here.hour in cron.hour.values and here.minute in cron.minute.values:
            return float(instant + 60 * step)
    return None


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("15m", 900), ("2h", 7200), ("366d", 366 * 86400)])
def test_an_interval_is_a_whole_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_every(text) == Every(seconds)


@pytest.mark.parametrize("text", ["", "0s", "15", "m", "1.5h", "15 m", "-1m", "1w", "367d", "1m30s", "999999999d", "١m"])
def test_what_is_no_interval_is_said_with_the_remedy(text: str) -> None:
    with pytest.raises(ScheduleError, match=r"@every wants a whole number and s, m, h or d, at least 1s"):
        parse_every(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 8 * *", "five fields"),
        ("0 8 * * * *", "five fields"),
        ("@daily", "five fields"),
        ("60 8 * * *", 'the minute has "60"; allowed is 0 to 59'),
        ("0 24 * * *", "the hour has"),
        ("0 8 0 * *", "the day has"),
        ("0 8 * 13 *", "the month has"),
        ("0 8 * * 8", "the weekday has"),
        ("*/0 * * * *", "a step is a whole number"),
        ("10-5 * * * *", "ends before it begins"),
        ("x * * * *", "the minute has"),
        ("0 8 31 2 *", "never comes"),
        ("0 8 30 feb *", "never comes"),
        ("* " * 200, "five fields"),
    ],
)
def test_what_is_no_expression_is_said_with_the_field(text: str, said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        parse_cron(text)


def test_lists_ranges_steps_and_names_are_read() -> None:
    cron = parse_cron("1,5-7,*/30 8-18/5 1 JAN,dec mon-fri,7")
    assert sorted(cron.minute.values) == [0, 1, 5, 6, 7, 30]
    assert sorted(cron.hour.values) == [8, 13, 18]
    assert sorted(cron.month.values) == [1, 12]
    assert sorted(cron.weekday.values) == [0, 1, 2, 3, 4, 5]


def test_day_and_weekday_are_alternatives_where_both_are_given() -> None:
    both = parse_cron("0 0 13 * fri")
    assert both.names(dates.date(2026, 11, 13))  # a Friday
    assert both.names(dates.date(2026, 10, 13))  # a Tuesday
    assert both.names(dates.date(2026, 10, 16))  # a Friday
    assert not both.names(dates.date(2026, 10, 14))
    assert not parse_cron("0 0 */2 * fri").names(dates.date(2026, 10, 13))  # a star: both must be met, as in cron


def test_a_time_that_the_change_leaves_out_comes_right_after_it() -> None:
    assert walls("30 2 * * *", BERLIN, at(BERLIN, 2026, 3, 28, 12), 3) == ["29 03:00 +0200", "30 02:30 +0200", "31 02:30 +0200"]
    assert walls("10,40 2 * * *", BERLIN, at(BERLIN, 2026, 3, 28, 12), 2) == ["29 03:00 +0200", "30 02:10 +0200"]  # once, not twice


def test_a_time_that_comes_twice_runs_at_the_first() -> None:
    assert walls("30 2 * * *", BERLIN, at(BERLIN, 2026, 10, 24, 12), 2) == ["25 02:30 +0200", "26 02:30 +0100"]


def test_an_expression_with_a_star_follows_the_clock() -> None:
    assert walls("*/30 2 * * *", BERLIN, at(BERLIN, 2026, 3, 28, 12), 2) == ["30 02:00 +0200", "30 02:30 +0200"]
    twice = ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100", "26 02:00 +0100"]
    assert walls("*/30 2 * * *", BERLIN, at(BERLIN, 2026, 10, 24, 12), 5) == twice
    assert walls("0 * * * *", BERLIN, at(BERLIN, 2026, 3, 29, 0, 30), 3) == ["29 01:00 +0100", "29 03:00 +0200", "29 04:00 +0200"]


def test_a_change_of_half_an_hour_is_a_change() -> None:
    # On Lord Howe clocks go from 2:00 to 2:30 on 4 October 2026, and from 2:00 back to 1:30 on 5 April.
    assert walls("15 2 * * *", LORD_HOWE, at(LORD_HOWE, 2026, 10, 3, 12), 1) == ["04 02:30 +1100"]
    assert walls("45 1 * * *", LORD_HOWE, at(LORD_HOWE, 2026, 4, 4, 12), 2) == ["05 01:45 +1100", "06 01:45 +1030"]
    assert walls("*/45 1 * * *", LORD_HOWE, at(LORD_HOWE, 2026, 4, 4, 12), 3) == ["05 01:00 +1100", "05 01:45 +1100", "05 01:45 +1030"]


def test_a_leap_day_is_found_over_the_year_that_is_none() -> None:
    assert walls("0 0 29 2 *", BERLIN, at(BERLIN, 2096, 3, 1), 1) == ["29 00:00 +0100"]


expressions = st.builds(
    lambda minute, hour, day, month, weekday: f"{minute} {hour} {day} {month} {weekday}",
    st.sampled_from(["*", "*/7", "*/30", "0", "1,31", "59"]),
    st.sampled_from(["*", "*/2", "0", "1-3", "2", "23"]),
    st.sampled_from(["*", "*/3", "1", "28-31"]),
    st.sampled_from(["*", "3,10,11", "4"]),
    st.sampled_from(["*", "sun", "1-5", "7"]),
)
near_changes = st.sampled_from(
    [
        *(at(BERLIN, 2026, 3, 28), at(BERLIN, 2026, 10, 24), at(NEW_YORK, 2026, 3, 7), at(NEW_YORK, 2026, 11, 1)),
        *(at(LORD_HOWE, 2026, 4, 4), at(LORD_HOWE, 2026, 10, 3), at(ST_JOHNS, 2010, 3, 13), at(ST_JOHNS, 2010, 11, 6)),
    ]
)


def offset_of(instant: float, zone: ZoneInfo) -> object:
    return dates.datetime.fromtimestamp(instant, zone).utcoffset()


@given(expressions, near_changes, st.integers(0, 3 * 86400), st.sampled_from(ZONES))
@example("0 2 * * sun", 1790947800.0, 0, LORD_HOWE)
@example("*/30 23 * * *", at(ST_JOHNS, 2010, 11, 6), 80_000, ST_JOHNS)  # there clocks go from 0:01 back to 23:01
@settings(max_examples=150, deadline=None)
def test_the_next_time_is_the_first_minute_that_fits(text: str, day: float, offset: int, zone: ZoneInfo) -> None:
    cron, start = parse_cron(text), day + offset
    wanted = brute_force(cron, start, zone, 3 * 1440)
    found = cron.after(start, zone)
    if wanted is None:
        # No minute fits a time that the change leaves out: it comes right after the change.
        assert found is None or found > start + 3 * 86400 - 7200 or offset_of(found, zone) != offset_of(found - 1, zone)
    elif cron.minute.begins_with_star or cron.hour.begins_with_star:
        assert found == wanted
    else:
        # A time that is left out may come before, and the second of two times does not count.
        second = dates.datetime.fromtimestamp(wanted, zone).fold == 1
        assert found is not None
        assert start < found
        assert second or found <= wanted


@given(near_changes, st.sampled_from(ZONES))
@settings(max_examples=40, deadline=None)
def test_a_daily_time_comes_once_on_each_day(day: float, zone: ZoneInfo) -> None:
    cron, instant, days = parse_cron("30 2 * * *"), day - 86400, []
    for _ in range(6):
        instant = cron.after(instant, zone) or 0.0
        days.append(dates.datetime.fromtimestamp(instant, zone).date())
    assert days == [days[0] + dates.timedelta(days=place) for place in range(6)]


def test_missed_times_are_counted_to_a_limit() -> None:
    assert times_passed(Every(60), 0.0, 59.0) == 1
    assert times_passed(Every(60), 0.0, 120.0) == 3
    assert times_passed(Every(1), 0.0, 1e9) == COUNTED_MAX
    assert times_passed(parse_cron("0 8 * * *"), at(BERLIN, 2026, 3, 28, 8), at(BERLIN, 2026, 3, 30, 9), BERLIN) == 3
    assert times_passed(parse_cron("* * * * *"), 0.0, 1e9, BERLIN) == COUNTED_MAX
