"""Fire times of each kind of trigger, one by one; over every change of the clocks in test_clock_changes.py."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import strategies as st

from scheduler_bridge.schedules import Custom, DailyTimes, Interval, Manual
from scheduler_bridge.triggers import fingerprint, next_fire, overdue, to_trigger, upcoming, weight

STOCKHOLM = ZoneInfo("Europe/Stockholm")
ZONES = sorted(available_timezones())
US = timedelta(microseconds=1)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))
times_of_day = st.times().map(lambda moment: moment.replace(microsecond=0))


def expected(day: date, listed: time, zone: ZoneInfo) -> datetime:
    """Give the instant of a listed time on a day by trying out the seconds of the real clock around it.

    It is the first instant at which the clock shows that time; if none does, as late after the last reading before
    the gap as the listed time is after that reading.
    """
    wall = datetime.combine(day, listed)
    for offset in sorted(offsets(day, zone), reverse=True):
        instant = (wall - offset).replace(tzinfo=UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            return instant
    return (wall - before_gap(day, zone)).replace(tzinfo=UTC)


def offsets(day: date, zone: ZoneInfo) -> set[timedelta]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return {(noon + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-40, 41)}


def before_gap(day: date, zone: ZoneInfo) -> timedelta:
    return min(offsets(day, zone))


def triggers(listed: time, zone: ZoneInfo):
    cron = CronTrigger(hour=listed.hour, minute=listed.minute, timezone=zone)
    return to_trigger(DailyTimes((listed,)), zone), to_trigger(Custom(cron), UTC)


@given(st.sampled_from(ZONES), moments, st.lists(times_of_day, min_size=1, max_size=5, unique=True))
def test_the_next_fire_time_is_the_earliest_instant_of_all_listed_times(name, now, listed):
    zone = ZoneInfo(name)
    trigger = to_trigger(DailyTimes(tuple(listed)), zone)
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=day) for day in range(-1, 4)]
    wanted = min(i for day in days for moment in listed if (i := expected(day, moment, zone)) > now)
    assert next_fire(trigger, now) == wanted
    assert trigger.get_next_fire_time(now, now) == wanted


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=STOCKHOLM, fold=fold).astimezone(UTC)


def test_a_time_in_the_gap_fires_at_the_shifted_instant():
    for trigger in triggers(time(2, 30), STOCKHOLM):
        assert next_fire(trigger, local("2026-03-29T00:00")) == local("2026-03-29T03:30")


def test_a_start_just_after_the_gap_still_fires_today():
    for trigger in triggers(time(2, 30), STOCKHOLM):
        assert trigger.get_next_fire_time(None, local("2026-03-29T03:10")) == local("2026-03-29T03:30")


def test_a_start_inside_the_second_pass_of_a_repeated_hour_waits_for_tomorrow():
    for trigger in triggers(time(2, 30), STOCKHOLM):
        assert trigger.get_next_fire_time(None, local("2026-10-25T02:10", fold=1)) == local("2026-10-26T02:30")


def test_the_day_after_the_change_is_not_lost():
    for trigger in triggers(time(0, 15), STOCKHOLM):
        assert next_fire(trigger, local("2026-03-29T12:00")) == local("2026-03-30T00:15")
    weekly = to_trigger(Custom(CronTrigger(day_of_week="mon", hour=0, minute=15, timezone=STOCKHOLM)), UTC)
    assert next_fire(weekly, local("2026-03-24T00:00")) == local("2026-03-30T00:15")


def test_two_listed_times_on_one_instant_are_one_fire_that_counts_both():
    trigger = to_trigger(DailyTimes((time(2, 30), time(3, 30))), STOCKHOLM)
    fires = upcoming(trigger, local("2026-03-29T00:00"), 2)
    assert fires == [local("2026-03-29T03:30"), local("2026-03-30T02:30")]
    assert [weight(trigger, fire) for fire in fires] == [2, 1]


def test_a_day_that_a_zone_skipped_folds_into_its_neighbour():
    apia = ZoneInfo("Pacific/Apia")
    for trigger in triggers(time(9, 0), apia):
        fires = upcoming(trigger, datetime(2011, 12, 28, 20, tzinfo=UTC), 3)
        assert [fire.astimezone(apia).day for fire in fires] == [29, 31, 1]
        assert [weight(trigger, fire) for fire in fires] == [1, 2, 1]


def test_a_time_with_a_zone_keeps_its_own():
    trigger = to_trigger(DailyTimes((time(9, 0, tzinfo=ZoneInfo("Asia/Tokyo")), time(9, 0))), STOCKHOLM)
    fires = upcoming(trigger, datetime(2026, 7, 1, tzinfo=UTC) - US, 2)
    assert fires == [datetime(2026, 7, 1, 0, tzinfo=UTC), datetime(2026, 7, 1, 7, tzinfo=UTC)]


def test_a_combined_trigger_keeps_the_exactness_of_its_members():
    members = [CronTrigger(hour=1, minute=30, timezone=STOCKHOLM), CronTrigger(hour=2, minute=30, timezone=STOCKHOLM)]
    trigger = to_trigger(Custom(OrTrigger(members)), UTC)
    fires = upcoming(trigger, local("2026-10-24T12:00"), 4)
    assert fires == [
        local("2026-10-25T01:30"),
        local("2026-10-25T02:30"),
        local("2026-10-26T01:30"),
        local("2026-10-26T02:30"),
    ]


def test_a_cron_trigger_keeps_its_limits():
    start, end = datetime(2026, 5, 1, tzinfo=STOCKHOLM), datetime(2026, 5, 2, tzinfo=STOCKHOLM)
    trigger = to_trigger(Custom(CronTrigger(hour=9, timezone=STOCKHOLM, start_date=start, end_date=end)), UTC)
    assert upcoming(trigger, local("2026-01-01T00:00"), 5) == [local("2026-05-01T09:00")]


def test_a_cron_trigger_of_every_second_goes_through_both_passes_of_the_clock():
    trigger = to_trigger(Custom(CronTrigger(second="*", timezone=STOCKHOLM)), UTC)
    assert next_fire(trigger, local("2026-07-01T12:00:00")) == local("2026-07-01T12:00:01")
    assert next_fire(trigger, local("2026-10-25T02:59:59")) == local("2026-10-25T02:00:00", fold=1)


def test_a_date_trigger_fires_once():
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    trigger = to_trigger(Custom(DateTrigger(moment)), UTC)
    assert upcoming(trigger, moment - timedelta(days=1), 3) == [moment]


def test_a_manual_job_has_no_trigger():
    assert to_trigger(Manual(), UTC) is None


spans = st.integers(1, 10 * 86400).map(lambda seconds: timedelta(seconds=seconds))


@given(moments, spans, st.lists(st.integers(0, 5 * 86400), max_size=5))
def test_an_interval_stays_on_its_grid_over_any_restarts(anchor, every, pauses):
    now = anchor
    for pause in pauses:
        now += timedelta(seconds=pause)
        found = next_fire(to_trigger(Interval(every), UTC, anchor=anchor), now)
        assert (found - anchor) % every == timedelta(0)
        assert now < found <= now + every


@given(moments, st.integers(1, 300), st.integers(0, 5000))
def test_what_is_overdue_is_counted_as_by_hand(anchor, seconds, elapsed):
    trigger = to_trigger(Interval(timedelta(seconds=seconds)), UTC, anchor=anchor)
    found = overdue(trigger, anchor, anchor + timedelta(seconds=elapsed))
    count = elapsed // seconds
    if count == 0:
        assert found is None
    else:
        assert (found.latest, found.coalesced) == (anchor + count * timedelta(seconds=seconds), count - 1)


def test_years_of_downtime_are_counted_at_once():
    anchor = datetime(2020, 1, 1, tzinfo=UTC)
    trigger = to_trigger(Interval(timedelta(seconds=1)), UTC, anchor=anchor)
    found = overdue(trigger, anchor, anchor + timedelta(days=365))
    assert found.coalesced == 365 * 86400 - 1


def test_no_fire_time_is_overdue_beyond_the_end_of_an_interval():
    start = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    trigger = IntervalTrigger(minutes=10, start_date=start, end_date=start + timedelta(minutes=25), timezone=UTC)
    found = overdue(to_trigger(Custom(trigger), STOCKHOLM), start - US, start + timedelta(days=1))
    assert (found.latest, found.coalesced) == (start + timedelta(minutes=20), 2)


@given(moments, st.integers(0, 20))
def test_overdue_times_of_day_are_counted_with_their_weights(since, days):
    trigger = to_trigger(DailyTimes((time(2, 30), time(3, 30))), STOCKHOLM)
    now = since + timedelta(days=days)
    found = overdue(trigger, since, now)
    fires = [fire for fire in upcoming(trigger, since, 50) if fire <= now]
    assert (found.coalesced + 1 if found else 0) == sum(weight(trigger, fire) for fire in fires)


def test_an_interval_trigger_of_the_settings_is_kept_as_it_is():
    given_ = IntervalTrigger(minutes=5, timezone=UTC)
    assert next_fire(to_trigger(Custom(given_), UTC), given_.start_date - US) == given_.start_date


def test_an_interval_trigger_without_a_start_hangs_on_the_last_fire_time():
    anchor = datetime(2026, 5, 1, 12, tzinfo=UTC)
    made_at_two_starts = [IntervalTrigger(hours=24, timezone=UTC), IntervalTrigger(hours=24, timezone=UTC)]
    assert len({fingerprint(Custom(trigger), UTC) for trigger in made_at_two_starts}) == 1
    for trigger in made_at_two_starts:
        assert next_fire(to_trigger(Custom(trigger), UTC, anchor=anchor), anchor) == anchor + timedelta(days=1)


def test_an_interval_trigger_with_a_start_keeps_it():
    start = datetime(2026, 5, 1, 0, 30, tzinfo=UTC)
    trigger = to_trigger(Custom(IntervalTrigger(hours=1, start_date=start, timezone=UTC)), UTC, anchor=start + US)
    assert next_fire(trigger, start + timedelta(minutes=5)) == start + timedelta(hours=1)
