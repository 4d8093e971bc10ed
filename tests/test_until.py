from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from scheduler_bridge import until
from scheduler_bridge.exceptions import ScheduleError

STOCKHOLM = ZoneInfo("Europe/Stockholm")
TUESDAY = datetime(2026, 3, 10, 13, 0, tzinfo=STOCKHOLM)


def read(text: str, now: datetime = TUESDAY) -> str:
    return until.typed(until.parse(text, now, STOCKHOLM), STOCKHOLM)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18:30", "2026-03-10 18:30"),
        ("9:30", "2026-03-11 09:30"),
        ("13:00", "2026-03-11 13:00"),
        ("13:00:01", "2026-03-10 13:00:01"),
        ("Monday 08:00", "2026-03-16 08:00"),
        ("mon 8:00", "2026-03-16 08:00"),
        ("Thurs. 08:00", "2026-03-12 08:00"),
        ("Tuesday 14:00", "2026-03-10 14:00"),
        ("tuesday, 12:00", "2026-03-17 12:00"),
        ("Monday", "2026-03-16 00:00"),
        ("Tuesday", "2026-03-17 00:00"),
        ("today 15:00", "2026-03-10 15:00"),
        ("tomorrow 08:00", "2026-03-11 08:00"),
        ("tomorrow", "2026-03-11 00:00"),
        ("2026-12-01 08:00", "2026-12-01 08:00"),
        ("2026-12-01T08:00", "2026-12-01 08:00"),
        ("2026-12-01", "2026-12-01 00:00"),
        ("  2026-12-01\t08:00 ", "2026-12-01 08:00"),
        ("2 hours", "2026-03-10 15:00"),
        ("in 3 days", "2026-03-13 13:00"),
        ("for 90 minutes", "2026-03-10 14:30"),
    ],
)
def test_an_end_is_read_as_a_person_types_it(text, moment):
    assert read(text) == moment


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "expected a moment such as"),
        ("soon", "expected a moment such as"),
        ("mo 08:00", "expected a moment such as"),
        ("next year 08:00", "expected a moment such as"),
        ("Monday 25:00", "expected a time from"),
        ("2026-02-30 08:00", "expected a date of the calendar"),
        ("2026-03-10 12:59", "expected a moment to come"),
        ("2026-03-10 13:00", "expected a moment to come"),
        ("today 08:00", "expected a moment to come"),
        ("2025-01-01", "expected a moment to come"),
        ("0001-01-01 00:00", "within the calendar"),
        ("9999-12-31 08:00 08:00", "expected a moment such as"),
        ("99999999999 days", "expected a moment such as"),
        ("٣ hours", "expected a moment such as"),
        ("x" * 500, "expected a moment such as"),
    ],
)
def test_what_is_no_end_is_refused_with_what_was_expected(text, error):
    with pytest.raises(ScheduleError, match=error):
        read(text)


def test_a_day_is_read_in_the_language_of_the_reader_too():
    with translation.override("de"):
        assert read("Montag 08:00") == "2026-03-16 08:00"
        assert read("Monday 08:00") == "2026-03-16 08:00"


def test_the_result_is_a_moment_in_utc():
    found = until.parse("18:30", TUESDAY, STOCKHOLM)
    assert (found, found.utcoffset()) == (datetime(2026, 3, 10, 17, 30, tzinfo=UTC), timedelta(0))


def test_a_time_that_the_clocks_leave_out_is_the_shifted_one():
    assert read("2026-03-29 02:30") == "2026-03-29 03:30"
    before = datetime(2026, 3, 29, 1, 59, tzinfo=STOCKHOLM)
    assert until.parse("02:30", before, STOCKHOLM) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first_of_them_to_come():
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert until.parse("2026-10-25 02:30", TUESDAY, STOCKHOLM) == first
    assert until.parse("02:30", first - timedelta(minutes=1), STOCKHOLM) == first
    assert until.parse("02:30", first, STOCKHOLM) == first + timedelta(hours=1)
    assert read("02:30", first + timedelta(hours=1)) == "2026-10-26 02:30"


def test_a_weekday_after_a_clock_change_keeps_its_time_of_day():
    friday = datetime(2026, 3, 27, 12, 0, tzinfo=STOCKHOLM)
    assert until.parse("Monday 08:00", friday, STOCKHOLM) == datetime(2026, 3, 30, 6, 0, tzinfo=UTC)


def test_an_end_is_shown_as_it_is_typed_with_seconds_only_where_there_are_some():
    for text in ("2026-12-01 08:00", "2026-12-01 08:00:05"):
        assert read(text) == text
