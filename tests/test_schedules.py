from contextlib import suppress
from datetime import UTC, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from scheduler_bridge import schedules
from scheduler_bridge.exceptions import ScheduleError
from scheduler_bridge.schedules import DailyTimes, Interval, Manual


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("45 minutes", timedelta(minutes=45)),
        ("1:30:00", timedelta(minutes=90)),
        ("0:45", timedelta(minutes=45)),
        ("2 days 4 hours", timedelta(days=2, hours=4)),
        ("1h30m", timedelta(minutes=90)),
        (" 1.5 Hours ", timedelta(minutes=90)),
        ("1 day, 2:00:00", timedelta(hours=26)),
        ("90s", timedelta(seconds=90)),
    ],
)
def test_an_interval_is_read_as_a_person_types_it(text, every):
    assert schedules.parse_interval_text(text) == Interval(every)


@pytest.mark.parametrize(
    "text", ["", "soon", "5", "5 parsecs", "5 minutes ago", "-5 minutes", "0:00", "9" * 30 + " weeks"]
)
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ScheduleError, match="expected"):
        schedules.parse_interval_text(text)


@given(
    st.timedeltas(timedelta(seconds=1), timedelta(days=400)).map(lambda t: timedelta(seconds=int(t.total_seconds())))
)
def test_an_interval_said_in_words_is_read_back(every):
    assert schedules.parse_interval_text(schedules.interval_words(every)) == Interval(every)


@given(st.text())
def test_any_text_is_a_schedule_or_refused_and_nothing_else(text):
    for parse in (schedules.parse_interval_text, schedules.parse_times_text, schedules.parse_time):
        with suppress(ScheduleError):
            parse(text)


def test_times_are_read_as_a_person_types_them():
    assert schedules.parse_times_text("18:30, 09:30 7:05:10") == DailyTimes((time(7, 5, 10), time(9, 30), time(18, 30)))


def test_a_schedule_is_said_in_words():
    assert schedules.words(Interval(timedelta(minutes=90))) == "every 1 hour 30 minutes"
    times = DailyTimes((time(9, 30), time(9, 30, tzinfo=ZoneInfo("Asia/Tokyo"))))
    assert schedules.words(times) == "daily at 09:30, 09:30 Asia/Tokyo"
    assert schedules.words(Manual()) == "by hand or after another job"


@pytest.mark.parametrize(
    "schedule",
    [
        Interval(timedelta(seconds=90)),
        DailyTimes((time(9, 30), time(18, 30, 5))),
        DailyTimes((time(9, 30, tzinfo=ZoneInfo("Asia/Tokyo")),)),
        Manual(),
    ],
)
def test_a_fingerprint_is_read_back(schedule):
    assert schedules.from_fingerprint(schedules.fingerprint(schedule, UTC)) == schedule


@pytest.mark.parametrize("text", ["", "disabled", "{", '{"interval": -1}', '{"times": [["25:00", ""]]}', "[]", "5"])
def test_a_fingerprint_that_says_nothing_means_by_hand(text):
    assert schedules.from_fingerprint(text) == Manual()


@pytest.mark.parametrize("language", ["en", "de", "fr", "sv"])
@pytest.mark.parametrize("every", [timedelta(days=1, hours=1), timedelta(days=3, minutes=45, seconds=2)])
def test_an_interval_said_in_the_readers_language_is_read_back(language, every):
    with translation.override(language):
        assert schedules.parse_interval_text(schedules.interval_words(every)).every == every
        assert schedules.parse_interval_text("45 minutes").every == timedelta(minutes=45)
