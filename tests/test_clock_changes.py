"""Every kind of trigger over every change of the clocks, 2020 to 2040, in each distinct set of zone rules.

ALL_ZONES=1 tries them from 1990 on, where there are three times as many sets of rules.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduler_bridge.schedules import Custom, DailyTimes, Interval
from scheduler_bridge.triggers import next_fire, to_trigger, weight
from tests.clocks import Change, Walk, all_changes, between, changes, first_after, zones

US, SECOND, MINUTE, HOUR = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LISTED = (time(0, 0), time(0, 30), time(1, 30), time(2, 0), time(2, 30), time(3, 0), time(23, 30))
SHORT, LONG = HOUR + 30 * MINUTE, 27 * HOUR


class CountsOn(BaseTrigger):
    """One of a project's own, which knows nothing but its last fire time."""

    def __init__(self, start: datetime) -> None:
        self.start = start

    def get_next_fire_time(self, previous_fire_time, now):
        return self.start if previous_fire_time is None else previous_fire_time + 70 * MINUTE


class OfItsOwn(CronTrigger):
    """One that asks its parent, in UTC."""

    def get_next_fire_time(self, previous_fire_time, now):
        return super().get_next_fire_time(previous_fire_time, now)


@dataclass(frozen=True)
class Kind:
    """A kind of trigger, and the same said again for the oracle."""

    make: object  # of a zone and a change
    named: object = None  # whether a wall time is one of its own
    is_real: bool = False
    reach: timedelta = SHORT  # how far from the change it is looked at
    instants: object = None  # of a change, begin and end: for what follows no clock


def cron(zone, **fields):
    return Custom(CronTrigger(timezone=zone, **fields))


def is_grid(start, every):
    return lambda walk: [instant for instant in walk.instants if (instant - start) % every == timedelta(0)]


KINDS = {
    "times": Kind(lambda zone, change: DailyTimes(LISTED), lambda wall: wall.time() in LISTED, reach=LONG),
    "cron, each hour of a range": Kind(
        lambda zone, change: cron(zone, hour="0-23", minute="0-59/20"), lambda wall: wall.minute % 20 == 0
    ),
    "cron, once a day": Kind(
        lambda zone, change: cron(zone, hour=2, minute=30), lambda wall: (wall.hour, wall.minute) == (2, 30), reach=LONG
    ),
    "cron, list of hours": Kind(
        lambda zone, change: cron(zone, hour="0,1,2,3,23", minute="10,40"),
        lambda wall: wall.hour in (0, 1, 2, 3, 23) and wall.minute in (10, 40),
        reach=LONG,
    ),
    "cron, every 20 minutes": Kind(
        lambda zone, change: cron(zone, minute="*/20"), lambda wall: wall.minute % 20 == 0, is_real=True
    ),
    "cron, every hour": Kind(
        lambda zone, change: cron(zone, hour="*", minute=30), lambda wall: wall.minute == 30, is_real=True
    ),
    "cron, every minute of some hours": Kind(
        lambda zone, change: cron(zone, hour="1-2", minute="*/10"),
        lambda wall: wall.hour in (1, 2) and wall.minute % 10 == 0,
        is_real=True,
    ),
    "cron, every third hour": Kind(
        lambda zone, change: cron(zone, hour="*/3", minute="0-40/20"),
        lambda wall: wall.hour % 3 == 0 and wall.minute in (0, 20, 40),
        is_real=True,
    ),
    "cron, weekly": Kind(
        lambda zone, change: cron(zone, day_of_week="sun", hour="0-3", minute=30),
        lambda wall: wall.weekday() == 6 and wall.hour < 4 and wall.minute == 30,
        reach=LONG,
    ),
    "cron, monthly": Kind(
        lambda zone, change: cron(zone, day="last sun,1-7", hour="2,23", minute="0-50/10"),
        lambda wall: (
            (wall.day < 8 or (wall.weekday() == 6 and (wall + timedelta(days=7)).month != wall.month))
            and wall.hour in (2, 23)
            and wall.minute % 10 == 0
        ),
        reach=LONG,
    ),
    "calendar interval": Kind(
        lambda zone, change: Custom(
            CalendarIntervalTrigger(days=1, hour=2, minute=30, start_date="1989-01-01", timezone=zone)
        ),
        lambda wall: (wall.hour, wall.minute) == (2, 30),
        reach=LONG,
    ),
    "or": Kind(
        lambda zone, change: Custom(
            OrTrigger(
                [CronTrigger(hour="0-23", minute=30, timezone=zone), CronTrigger(hour="0-23", minute=0, timezone=zone)]
            )
        ),
        lambda wall: wall.minute in (0, 30),
    ),
    "and": Kind(
        lambda zone, change: Custom(
            AndTrigger([CronTrigger(minute="*/20", timezone=zone), CronTrigger(minute="*/30", timezone=zone)])
        ),
        lambda wall: wall.minute == 0,
        is_real=True,
    ),
    "interval": Kind(lambda zone, change: Interval(70 * MINUTE), instants=lambda change: (change.at, 70 * MINUTE)),
    "interval trigger": Kind(
        lambda zone, change: Custom(IntervalTrigger(minutes=50, start_date=change.at - 99 * 50 * MINUTE)),
        instants=lambda change: (change.at, 50 * MINUTE),
    ),
    "counting trigger of the project": Kind(
        lambda zone, change: Custom(CountsOn(change.at - 20 * 70 * MINUTE)),
        instants=lambda change: (change.at, 70 * MINUTE),
    ),
    "cron trigger of the project": Kind(
        lambda zone, change: Custom(OfItsOwn(minute="*/20", timezone="UTC")),
        instants=lambda change: (datetime(2000, 1, 1, tzinfo=UTC), 20 * MINUTE),
    ),
}


def expected(kind: Kind, walk: Walk, change: Change) -> list[datetime]:
    """Give the fire times by the oracle, each as often as it stands for a listed time."""
    if kind.instants is not None:
        return is_grid(*kind.instants(change))(walk)
    return walk.real(kind.named) if kind.is_real else walk.once(kind.named)


def collected(trigger: BaseTrigger, begin: datetime, end: datetime) -> list[datetime]:
    """Give the fire times of a stretch as the loop asks for them, with a clock that is behind."""
    found, previous = [], begin
    while True:
        following = trigger.get_next_fire_time(previous, previous - 5 * MINUTE)
        if following is None or following > end:
            return found
        assert following > previous, "it stands still"
        found.append(following)
        previous = following


def moments(change: Change, reach: timedelta) -> list[datetime]:
    """Give moments to ask at: around the change, inside what it leaves out or repeats, and before it."""
    width = abs(change.shift)
    around = (-reach, -width - US, -width / 2, -US, timedelta(0), width / 2, width)
    return [change.at + step for step in around]


def steps_of(change: Change) -> timedelta:
    """Give the widest step whose readings hit every whole ten minutes of the clock, before and after."""
    wall = change.at.astimezone(ZoneInfo(change.zone))
    for step in (10 * MINUTE, 5 * MINUTE, MINUTE):
        if not timedelta(minutes=wall.minute, seconds=wall.second) % step and not change.shift % step:
            return step
    return SECOND


@pytest.mark.parametrize("name", zones())
def test_every_trigger_fires_exactly_when_the_clock_says_so(name):
    zone = ZoneInfo(name)
    for number, change in enumerate(changes(name)):
        walk = Walk(change, steps_of(change), LONG + abs(change.shift) + 26 * HOUR)
        walks = {LONG: walk, SHORT: walk.near(3 * (SHORT + abs(change.shift)))}
        for title, kind in KINDS.items():
            if kind.instants is not None and number % 4:
                continue  # it follows no clock
            check(kind, walks[kind.reach], change, zone, (title, change))


def check(kind: Kind, walk: Walk, change: Change, zone: ZoneInfo, label: object) -> None:
    trigger = to_trigger(kind.make(zone, change), zone, anchor=change.at)
    reach = kind.reach + abs(change.shift)
    wanted = expected(kind, walk, change)
    # An interval begins after its anchor.
    begin = change.at - (timedelta(0) if trigger_begins_at(trigger, change) else reach)
    listed = between(wanted, begin, change.at + reach)
    assert collected(trigger, begin, change.at + reach) == sorted(set(listed)), label
    for moment in moments(change, reach):
        if begin <= moment:
            found, right = next_fire(trigger, moment), first_after(wanted, moment)
            assert found == right or (right is None and found > walk.instants[-1]), (label, moment)
    if kind.named is not None and not isinstance(trigger, AndTrigger):
        for fire in set(between(listed, change.at - abs(change.shift) - US, change.at + abs(change.shift))):
            assert weight(trigger, fire) == listed.count(fire), (label, fire)


def trigger_begins_at(trigger: BaseTrigger, change: Change) -> bool:
    return isinstance(trigger, IntervalTrigger) and trigger.start_date > change.at


@pytest.mark.parametrize("name", zones())
def test_seconds_follow_the_same_rule(name):
    zone = ZoneInfo(name)
    for change in changes(name)[:: 1 if len(changes(name)) < 8 else 7]:
        walk = Walk(change, 15 * SECOND, abs(change.shift) + 2 * HOUR)
        begin, end = change.at - HOUR / 2, change.at + abs(change.shift) + HOUR / 2
        for fields, is_real in (({"hour": "0-23", "minute": "0-59/10"}, False), ({"minute": "*/10"}, True)):
            trigger = to_trigger(cron(zone, second="15,45", **fields), zone)
            wanted = walk.real(on_the_quarter) if is_real else walk.once(on_the_quarter)
            assert collected(trigger, begin, end) == sorted(set(between(wanted, begin, end))), (change, is_real)


def on_the_quarter(wall: datetime) -> bool:
    return wall.minute % 10 == 0 and wall.second in (15, 45)


@pytest.mark.parametrize("name", zones())
def test_a_random_part_never_leads_back(name):
    zone = ZoneInfo(name)
    for change in changes(name)[::5]:
        for jitter in (90, 5000):
            for made in (
                CronTrigger(minute="*/20", jitter=jitter, timezone=zone),
                IntervalTrigger(minutes=20, start_date=change.at - timedelta(days=1), jitter=jitter),
                OrTrigger([CronTrigger(hour="0-23", minute="0-59/20", timezone=zone)], jitter),
            ):
                trigger = to_trigger(Custom(made), zone)
                found = collected(trigger, change.at - 2 * HOUR, change.at + 3 * HOUR)
                assert all(first < second for first, second in pairwise(found))
                assert found or jitter == 5000


@pytest.mark.parametrize("name", zones())
def test_a_calendar_interval_keeps_its_days_whenever_it_is_asked(name):
    zone = ZoneInfo(name)
    for change in changes(name)[::3]:
        first = change.at.astimezone(zone).date() - timedelta(days=9)
        made = CalendarIntervalTrigger(days=3, hour=2, minute=30, start_date=first, timezone=zone)
        walk = Walk(change, steps_of(change), timedelta(days=5))
        wanted = walk.once(lambda wall, first=first: is_third_day(wall, first))
        trigger = to_trigger(Custom(made), zone)
        for moment in (change.at + hours * HOUR for hours in range(-60, 60, 7)):
            right = first_after(wanted, moment) or walk.instants[-1]
            assert min(next_fire(trigger, moment), walk.instants[-1]) == right, (change, moment)


def is_third_day(wall: datetime, first) -> bool:
    return (wall.date() - first).days % 3 == 0 and (wall.hour, wall.minute) == (2, 30)


@pytest.mark.parametrize("name", zones()[::4])
def test_a_date_fires_once_wherever_it_lies(name):
    for change in changes(name)[::5]:
        for step in (-HOUR, timedelta(0), HOUR):
            trigger = to_trigger(Custom(DateTrigger(change.at + step)), ZoneInfo(name))
            assert collected(trigger, change.at - 2 * HOUR, change.at + 2 * HOUR) == [change.at + step]


def test_there_are_changes_of_every_sort_to_try():
    found = {change.shift for change in all_changes()}
    assert {HOUR, -HOUR, HOUR / 2, -HOUR / 2, 2 * HOUR, -2 * HOUR} <= found
    assert len(zones()) > 60
    assert len(all_changes()) > 500
