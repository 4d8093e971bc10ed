"""The fire times of a stretch against those that the trigger gives one by one."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scheduler_bridge.schedules import Custom, DailyTimes, Interval
from scheduler_bridge.triggers import Courses, Overdue, next_fire, to_trigger, upcoming
from scheduler_bridge.triggers.course import steady

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)  # the day before the clocks go forward
MINUTE = timedelta(minutes=1)


def custom(trigger):
    return to_trigger(Custom(trigger), STOCKHOLM, anchor=NOW)


TRIGGERS = {
    "interval": to_trigger(Interval(timedelta(minutes=7, microseconds=3)), UTC, anchor=NOW - timedelta(minutes=3)),
    "bounded interval": custom(
        IntervalTrigger(minutes=10, start_date=NOW + 5 * MINUTE, end_date=NOW + 90 * MINUTE, timezone=UTC)
    ),
    "times": to_trigger(DailyTimes((time(2, 30), time(15, 0))), STOCKHOLM),
    "cron": custom(CronTrigger(hour="*/3", minute=20, timezone=STOCKHOLM)),
    "either": custom(
        OrTrigger([CronTrigger(hour=3, timezone=STOCKHOLM), IntervalTrigger(hours=5, start_date=NOW, timezone=UTC)])
    ),
    "date": custom(DateTrigger(NOW + timedelta(hours=3))),
}


@pytest.mark.parametrize("name", TRIGGERS)
@hypothesis_settings(deadline=None, max_examples=50)
@given(minutes=st.lists(st.integers(0, 3000), min_size=1, max_size=6), width=st.integers(0, 2000))
def test_a_course_gives_what_the_trigger_gives(name, minutes, width):
    trigger = TRIGGERS[name]
    course = Courses(NOW).course(trigger)
    for moment in (NOW + minute * MINUTE for minute in minutes):
        first = next_fire(trigger, moment)
        assert course.after(moment) == first
        if first is not None:
            end = first + width * MINUTE
            passed = stepped(trigger, first, end)
            assert course.fold(first, end) == Overdue(latest=passed[-1], coalesced=len(passed) - 1)


def stepped(trigger, first: datetime, end: datetime) -> list[datetime]:
    """Give the fire times from this one to the end, one by one."""
    found = [first]
    while (moment := next_fire(trigger, found[-1])) is not None and moment <= end:
        found.append(moment)
    return found


def test_an_interval_is_not_asked_for_each_fire_time():
    courses = Courses(NOW)
    course = courses.course(TRIGGERS["interval"])
    course.fold(course.after(NOW), NOW + timedelta(days=300))
    assert courses.asked == 0


def test_triggers_with_the_same_fire_times_are_asked_once():
    courses = Courses(NOW)
    triggers = [custom(CronTrigger(minute="*/5", timezone=STOCKHOLM)) for _ in range(3)]
    for trigger in triggers:
        assert courses.course(trigger).after(NOW + MINUTE) == NOW + 5 * MINUTE
    assert courses.asked == 1


def test_times_of_day_in_several_zones_are_kept_apart():
    courses = Courses(NOW)
    found = [
        courses.course(to_trigger(DailyTimes((time(15, 0, tzinfo=ZoneInfo(zone)),)), UTC)).after(NOW)
        for zone in ("Europe/Stockholm", "Europe/London", "America/New_York")
    ]
    assert [moment.hour for moment in found] == [14, 15, 19]


@pytest.mark.parametrize(
    "make",
    [
        lambda jitter: IntervalTrigger(minutes=5, start_date=NOW, jitter=jitter, timezone=UTC),
        lambda jitter: CronTrigger(minute="*/5", jitter=jitter, timezone=STOCKHOLM),
        lambda jitter: OrTrigger([CronTrigger(minute="*/5", timezone=STOCKHOLM)], jitter),
        lambda jitter: OrTrigger([CronTrigger(minute="*/5", jitter=jitter, timezone=STOCKHOLM)]),
        lambda jitter: AndTrigger([CronTrigger(minute="*/5", timezone=STOCKHOLM)], jitter),
    ],
)
def test_the_random_part_of_a_trigger_is_left_out(make):
    with_, without = custom(make(200)), custom(make(None))
    assert upcoming(steady(with_), NOW, 4) == upcoming(without, NOW, 4)
    course = Courses(NOW).course(with_)
    assert course.after(NOW) == next_fire(without, NOW)


def test_the_trigger_itself_keeps_its_random_part():
    trigger = custom(CronTrigger(minute="*/5", jitter=200, timezone=STOCKHOLM))
    steady(trigger)
    assert trigger.jitter == 200
