"""Cron fields, combined triggers and calendar intervals in their exact form."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scheduler_bridge.exceptions import TriggerError
from scheduler_bridge.schedules import Custom, Interval
from scheduler_bridge.triggers import fingerprint, next_fire, overdue, to_trigger, upcoming, weight
from tests.clocks import Walk, all_changes, first_after

STOCKHOLM = ZoneInfo("Europe/Stockholm")
APIA = ZoneInfo("Pacific/Apia")
HOUR, MINUTE, US = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))


def custom(trigger, anchor=NOW):
    return to_trigger(Custom(trigger), STOCKHOLM, anchor=anchor)


def cron(**fields):
    return custom(CronTrigger(**{"timezone": STOCKHOLM, **fields}))


def local(text: str, fold: int = 0, zone: ZoneInfo = STOCKHOLM) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def field(first: int, last: int):
    """Draw a field as it is written, and the values that it names."""
    values = st.integers(first, last)
    ranges = st.lists(values, min_size=2, max_size=2).map(sorted)
    return st.one_of(
        st.just(("*", frozenset(range(first, last + 1)))),
        st.integers(1, last - first).map(lambda step: (f"*/{step}", frozenset(range(first, last + 1, step)))),
        ranges.map(lambda ends: (f"{ends[0]}-{ends[1]}", frozenset(range(ends[0], ends[1] + 1)))),
        st.lists(values, min_size=1, max_size=4).map(lambda found: (",".join(map(str, found)), frozenset(found))),
        values.map(lambda value: (f"*/{last - first},{value}", frozenset({first, last, value}))),
    )


@settings(deadline=None, max_examples=60)
@given(field(0, 23), field(0, 59), field(1, 31), field(0, 6), st.data())
def test_any_cron_fields_fire_when_the_local_clock_says_so(hour, minute, day, weekday, data):
    change = data.draw(st.sampled_from(all_changes()))
    zone = ZoneInfo(change.zone)
    texts = {"hour": hour[0], "minute": minute[0], "day": day[0], "day_of_week": weekday[0]}
    trigger = custom(CronTrigger(timezone=zone, **texts))

    def named(wall):
        is_its_time = wall.hour in hour[1] and wall.minute in minute[1] and not wall.second
        return is_its_time and wall.day in day[1] and wall.weekday() in weekday[1]

    walk = Walk(change, MINUTE, 10 * HOUR)
    is_real = hour[0].startswith("*") or minute[0].startswith("*")
    wanted = walk.real(named) if is_real else walk.once(named)
    for seconds in data.draw(st.lists(st.integers(-3 * 3600, 3 * 3600), min_size=1, max_size=4)):
        after = change.at + timedelta(seconds=seconds)
        found, right = next_fire(trigger, after), first_after(wanted, after)
        assert found == right or (right is None and (found is None or found > walk.instants[-1] - 3 * HOUR))


@settings(deadline=None, max_examples=150)
@given(field(1, 12), field(1, 31), field(1, 53), field(0, 6), field(0, 23), field(0, 59), field(0, 59), moments)
@example(("2", 0), ("29", 0), ("*", 0), ("sun", 0), ("1-5", 0), ("7", 0), ("*/9", 0), NOW)
@example(("jan-mar", 0), ("last fri", 0), ("*", 0), ("*", 0), ("*", 0), ("7", 0), ("*/9", 0), NOW)
@example(("*", 0), ("1st mon,last", 0), ("*/2", 0), ("mon-fri", 0), ("23", 0), ("59", 0), ("59", 0), NOW)
def test_in_utc_a_cron_trigger_is_apschedulers(month, day, week, weekday, hour, minute, second, now):
    names = ("month", "day", "week", "day_of_week", "hour", "minute", "second")
    texts = dict(zip(names, (part[0] for part in (month, day, week, weekday, hour, minute, second)), strict=True))
    # Their own search goes through every day up to the year 9999 where there is none.
    stock = CronTrigger(timezone=UTC, end_date=now + timedelta(days=800), **texts)
    assert next_fire(custom(stock), now) == stock.get_next_fire_time(None, now + US)


def test_years_are_kept():
    assert upcoming(cron(year="2027-2031/2", month=1, day=1), NOW, 9) == [
        local(f"{year}-01-01T00:00") for year in (2027, 2029, 2031)
    ]
    assert next_fire(cron(year=2025), NOW) is None
    assert next_fire(cron(year=9000, month=2, day=29), NOW) is None
    assert next_fire(cron(year="2400-9999", month=2, day=29, day_of_week="sun"), NOW) == local("2404-02-29T00:00")


def test_one_that_names_no_day_has_no_fire_time():
    for fields in ({"month": 2, "day": 30}, {"month": "4,6", "day": 31}, {"week": 53, "month": 6}):
        assert next_fire(cron(**fields), NOW) is None


def test_one_that_names_only_times_its_clock_leaves_out_says_so():
    with pytest.raises(TriggerError, match="Europe/Stockholm"):
        next_fire(cron(month=3, day="last sun", hour=2, minute="*"), NOW)


@pytest.mark.parametrize(
    ("fields", "is_real"),
    [
        ({"minute": "*/20"}, True),
        ({"second": 30}, True),
        ({"hour": "*", "minute": 5}, True),
        ({"hour": "*/2"}, True),
        ({"hour": 2, "minute": "*/7,3"}, True),
        ({"minute": 5}, True),
        ({"hour": "0-23"}, False),
        ({"hour": "2", "minute": "0-59"}, False),
        ({"hour": "3,*/5", "minute": "1,*/9"}, False),
        ({"day": "*"}, False),
    ],
)
def test_a_star_at_the_beginning_of_minute_or_hour_follows_the_real_clock(fields, is_real):
    trigger = cron(**fields)
    second_pass = [local("2026-10-25T02:00", fold=1), local("2026-10-25T03:00") - US]
    found = next_fire(trigger, second_pass[0] - US)
    assert (second_pass[0] <= found <= second_pass[1]) == is_real


def test_every_twenty_minutes_goes_on_through_both_changes():
    for start in (datetime(2027, 3, 28, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)):
        wanted = [start + 20 * MINUTE * number for number in range(1, 13)]
        assert upcoming(cron(minute="*/20"), start, 12) == wanted
        assert next_fire(cron(minute="*/20"), start + HOUR) == start + HOUR + 20 * MINUTE


def test_wall_times_on_one_instant_are_counted():
    trigger = cron(hour="0-23", minute="0-59/20")
    fires = upcoming(trigger, local("2027-03-28T01:30"), 8)
    assert [weight(trigger, fire) for fire in fires] == [1, 2, 2, 2, 1, 1, 1, 1]
    assert [weight(cron(minute="*/20"), fire) for fire in fires] == [1] * 8
    # Apia had no 30 December 2011.
    found = overdue(
        custom(CronTrigger(hour="0-23", timezone=APIA)),
        local("2011-12-29T00:00", zone=APIA) - US,
        local("2012-01-01T00:00", zone=APIA) - US,
    )
    assert found.coalesced + 1 == 3 * 24


def test_an_and_trigger_fires_when_all_its_members_do():
    days = [CronTrigger(day="1-7", timezone=STOCKHOLM), CronTrigger(day_of_week="fri", hour=0, timezone=STOCKHOLM)]
    assert upcoming(custom(AndTrigger(days)), NOW, 3) == [
        local("2026-06-05T00:00"),
        local("2026-07-03T00:00"),
        local("2026-08-07T00:00"),
    ]
    with_jitter = AndTrigger([CronTrigger(minute="*/20", jitter=30), CronTrigger(minute="*/30", jitter=9)], jitter=60)
    for number, fire in enumerate(upcoming(custom(with_jitter), NOW, 5), start=1):
        assert NOW + number * HOUR <= fire <= NOW + number * HOUR + MINUTE


def test_an_and_trigger_ends_with_a_member():
    ended = CronTrigger(hour=0, end_date=NOW - HOUR, timezone=UTC)
    assert next_fire(custom(AndTrigger([CronTrigger(hour=0, timezone=UTC), ended])), NOW) is None
    assert next_fire(custom(AndTrigger([])), NOW) is None
    assert next_fire(custom(OrTrigger([])), NOW) is None


@pytest.mark.parametrize(
    "members",
    [
        [CronTrigger(day_of_week="mon"), CronTrigger(day_of_week="tue")],
        [IntervalTrigger(hours=2, start_date=NOW + US), CronTrigger(day_of_week="sat,sun")],
        [CronTrigger(second="*/2"), CronTrigger(second="1-59/2")],
        [CronTrigger(day="1-7"), CronTrigger(day_of_week="fri", hour=7)],
    ],
)
def test_an_and_trigger_that_never_fires_says_so(members):
    with pytest.raises(TriggerError, match="a moment at which all members of and"):
        next_fire(custom(AndTrigger(members), NOW + US), NOW)


def test_intervals_without_a_start_hang_on_the_last_fire_time_inside_others():
    for make in (AndTrigger, OrTrigger):
        found = [next_fire(custom(make([IntervalTrigger(hours=24)])), NOW) for _ in range(2)]
        assert found == [NOW + 24 * HOUR] * 2


@pytest.mark.parametrize("made", [{"seconds": -5}, {"seconds": 0.000001}])
def test_an_interval_that_no_clock_can_follow_is_refused(made):
    with pytest.raises(TriggerError, match="an interval of 10 milliseconds or more"):
        next_fire(custom(IntervalTrigger(start_date=NOW, **made)), NOW)


def test_an_interval_whose_start_has_no_zone_is_refused():
    trigger = IntervalTrigger(hours=1)
    trigger.start_date = datetime(2026, 1, 1)
    with pytest.raises(TriggerError, match="with a time zone"):
        next_fire(custom(trigger), NOW)


@settings(deadline=None, max_examples=50)
@given(moments, st.integers(10_000, 10**12), st.integers(0, 10**15))
def test_an_interval_is_exact_to_the_microsecond(start, every, elapsed):
    trigger = custom(IntervalTrigger(seconds=1, start_date=start, timezone=UTC), None)
    trigger.interval = timedelta(microseconds=every)
    try:
        after = start + timedelta(microseconds=elapsed)
        wanted = start + (timedelta(microseconds=elapsed) // trigger.interval + 1) * trigger.interval
    except OverflowError:
        return
    assert next_fire(trigger, after) == wanted


def test_beyond_the_last_year_there_is_no_fire_time():
    late = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    for trigger in (
        to_trigger(Interval(timedelta(days=36525)), UTC, anchor=NOW),
        cron(minute="*/20"),
        cron(hour=3),
        custom(CalendarIntervalTrigger(years=3000, start_date="2020-01-01", timezone=UTC)),
        custom(IntervalTrigger(weeks=4, start_date=NOW, jitter=90, timezone=UTC)),
        custom(DateTrigger(NOW)),
    ):
        assert next_fire(trigger, late) is None


@pytest.mark.parametrize("jitter", [-5, "5", float("nan"), float("inf")])
def test_a_random_part_that_is_no_span_of_time_is_refused(jitter):
    with pytest.raises(TriggerError, match="jitter"):
        next_fire(cron(hour=3, jitter=jitter), NOW)


def test_a_random_part_does_not_reach_beyond_the_end():
    end = NOW + 5 * MINUTE
    for made in (CronTrigger(minute="*/5", end_date=end, jitter=10**6, timezone=UTC),):
        assert upcoming(custom(made), NOW, 3) == [end]


def calendar(**fields):
    return custom(CalendarIntervalTrigger(**{"timezone": STOCKHOLM, **fields}))


def test_a_calendar_interval_has_the_dates_of_apscheduler():
    for fields in (
        {"days": 3, "hour": 4, "start_date": "2026-01-01"},
        {"weeks": 2, "days": 1, "start_date": "2026-01-31"},
        {"months": 1, "hour": 4, "start_date": "2026-01-31"},
        {"months": 3, "days": 2, "start_date": "2026-01-15"},
        {"years": 1, "start_date": "2024-02-29"},
        {"years": 1, "months": 5, "weeks": 1, "start_date": "2024-03-31", "end_date": "2030-01-01"},
    ):
        stock = CalendarIntervalTrigger(timezone=UTC, **fields)
        wanted = [stock.get_next_fire_time(None, NOW)]
        while wanted[-1] is not None and len(wanted) < 40:
            wanted.append(stock.get_next_fire_time(wanted[-1], NOW))
        wanted = [moment for moment in wanted if moment is not None]
        exact = custom(stock)
        assert upcoming(exact, wanted[0] - US, len(wanted)) == wanted
        for days in range(0, 1500, 37):  # it counts from its first day, whenever it is asked
            after = wanted[0] + timedelta(days=days)
            place = bisect_right(wanted, after)
            assert place == len(wanted) or next_fire(custom(stock), after) == wanted[place]


def test_a_calendar_interval_keeps_its_wall_time():
    trigger = calendar(days=1, hour=2, minute=30, start_date="2026-03-01")
    assert next_fire(trigger, local("2026-03-29T00:00")) == local("2026-03-29T03:30")
    assert upcoming(trigger, local("2026-10-24T12:00"), 2) == [local("2026-10-25T02:30"), local("2026-10-26T02:30")]


def test_a_calendar_interval_fires_inside_others():
    made = CalendarIntervalTrigger(days=2, hour=4, start_date="2026-01-01", timezone=STOCKHOLM)
    fridays = CronTrigger(day_of_week="fri", hour=4, timezone=STOCKHOLM)
    both = upcoming(custom(AndTrigger([made, fridays])), NOW, 2)
    assert both == [local("2026-05-15T04:00"), local("2026-05-29T04:00")]
    assert next_fire(custom(OrTrigger([made, fridays])), NOW) == local("2026-05-03T04:00")


def test_a_calendar_interval_without_a_first_day_hangs_on_the_last_fire_time():
    anchor = local("2026-05-02T04:00")
    for moment in (anchor, anchor + 200 * HOUR):
        trigger = custom(CalendarIntervalTrigger(weeks=2, hour=4, timezone=STOCKHOLM), anchor)
        assert next_fire(trigger, moment) == local("2026-05-16T04:00")


def test_a_calendar_interval_without_a_first_day_has_one_fingerprint(monkeypatch):
    def key(day, **fields):
        monkeypatch.setattr("scheduler_bridge.triggers.calendar_interval._LOADED", day)
        made = CalendarIntervalTrigger(timezone=STOCKHOLM, **fields)
        made.start_date = day  # as made on that day
        return fingerprint(Custom(made), UTC)

    days = (date(2026, 5, 1), date(2026, 6, 9))
    assert len({key(day, weeks=2, hour=4) for day in days}) == 1
    assert key(days[0], weeks=2, hour=4) != key(days[0], weeks=2, hour=5)
    fixed = [
        CalendarIntervalTrigger(weeks=2, start_date=day, timezone=STOCKHOLM) for day in ("2026-05-01", "2026-05-02")
    ]
    assert len({fingerprint(Custom(made), UTC) for made in fixed}) == 2


def test_a_calendar_interval_that_leads_back_is_refused():
    for fields in ({"days": -1}, {"months": 1, "days": -31}, {"months": -1}):
        with pytest.raises(TriggerError, match="expected a"):
            next_fire(calendar(start_date="2026-01-01", **fields), NOW)
