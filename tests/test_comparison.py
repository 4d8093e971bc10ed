from datetime import UTC, datetime, timedelta

from scheduler_bridge import forecast
from scheduler_bridge.forecast import Forecast, Load, Stage, Start, Unstarted
from scheduler_bridge.models import Cause
from scheduler_bridge.schedules import Interval
from scheduler_bridge.triggers import to_trigger

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def start(name: str, now: datetime, due: float, starts: float, behind: tuple[str, ...] = ()) -> Start:
    moment = now + due * SECOND
    begin = now + starts * SECOND
    return Start(
        job_id=ord(name),
        name=name,
        cause=Cause.SCHEDULE,
        due=moment,
        fire_time=moment,
        starts=begin,
        ends=begin + SECOND,
        coalesced=0,
        behind=behind,
    )


def outlook(now: datetime, *starts: Start, waiting: tuple[Unstarted, ...] = (), until: float = 60) -> Forecast:
    end = now + until * SECOND
    return Forecast(starts=starts, waiting=waiting, until=end, busy=len(starts) / 10, is_whole=True)


def test_the_worst_of_those_that_are_late_comes_first(now):
    found = outlook(now, start("a", now, 1, 5), start("b", now, 2, 20), start("c", now, 21, 25.5))
    assert [item.name for item in forecast.late(found, 4 * SECOND)] == ["b", "c"]


def test_a_comparison_names_who_starts_later_and_who_earlier(now):
    before = outlook(now, start("a", now, 1, 5), start("a", now, 10, 12), start("b", now, 2, 20), start("c", now, 5, 5))
    after = outlook(
        now, start("a", now, 1, 1), start("a", now, 10, 31, ("c",)), start("b", now, 2, 6), start("c", now, 5, 5)
    )
    found = forecast.compare(before, after)
    (later,), (earlier,) = found.later, found.earlier
    assert (later.name, later.before.late, later.after.late, later.by) == ("a", 4 * SECOND, 21 * SECOND, 17 * SECOND)
    assert (later.after.behind, later.after.due) == (("c",), now + 10 * SECOND)
    assert (earlier.name, earlier.by) == ("b", -14 * SECOND)
    assert (found.busy_before, found.busy_after) == (0.4, 0.4)


def test_a_job_that_comes_up_once_only_is_compared_with_no_wait(now):
    found = forecast.compare(outlook(now), outlook(now, start("a", now, 1, 5)))
    assert (found.later[0].before, found.later[0].by) == (None, 4 * SECOND)


def test_small_differences_are_not_named(now):
    before, after = outlook(now, start("a", now, 1, 5)), outlook(now, start("a", now, 1, 5.9))
    assert forecast.compare(before, after).later == ()
    assert len(forecast.compare(before, after, SECOND / 2).later) == 1


def test_one_that_still_waits_counts_as_late_until_then(now):
    waits = Unstarted(job_id=ord("a"), name="a", cause=Cause.SCHEDULE, due=now + 10 * SECOND, behind=("b",))
    found = forecast.compare(outlook(now), outlook(now, waiting=(waits,)))
    assert (found.later[0].by, found.later[0].after.behind) == (50 * SECOND, ("b",))


def test_two_forecasts_are_compared_as_far_as_both_reach(now):
    before = outlook(now, start("a", now, 1, 5), start("b", now, 50, 59), start("c", now, 25, 45))
    after = outlook(now, start("a", now, 1, 1), until=30)
    found = forecast.compare(before, after)
    assert found.until == now + 30 * SECOND
    assert [(item.name, -item.by) for item in found.earlier] == [("c", 5 * SECOND), ("a", 4 * SECOND)]
    assert found.later == ()


def test_the_largest_difference_comes_first(now):
    found = forecast.compare(outlook(now), outlook(now, start("a", now, 1, 5), start("b", now, 2, 20)))
    assert [item.name for item in found.later] == ["b", "a"]


def test_a_job_that_comes_more_often_makes_others_late(now):
    def load(name: str, minutes: int, first: int, takes: int) -> Load:
        trigger = to_trigger(Interval(minutes * MINUTE), UTC, anchor=now + (first - minutes) * MINUTE)
        return Load(job_id=ord(name), name=name, stages=(Stage(trigger=trigger, since=now),), usual=takes * MINUTE)

    ship, pays = load("s", 30, 21, 1), (load("p", 60, 40, 5), load("p", 20, 20, 5))
    before, after = (forecast.simulate([ship, pay], now, now + 60 * MINUTE) for pay in pays)
    (later,) = forecast.compare(before, after).later
    assert (later.name, later.by, later.after.behind) == ("s", 4 * MINUTE, ("p",))
