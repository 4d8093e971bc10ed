"""The simulated worker against tables worked out by hand, and against the rules that hold for every table."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scheduler_bridge.forecast import Load, Owed, Running, Stage, Waiting, simulate
from scheduler_bridge.history import PRIORITY
from scheduler_bridge.models import Cause
from scheduler_bridge.schedules import Custom, Interval
from scheduler_bridge.triggers import next_fire, to_trigger

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OWED = Owed(since=NOW - SECOND, latest=NOW, coalesced=0)
often = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NUMBERS = {name: number for number, name in enumerate("abcdef")}


def at(seconds: float) -> datetime:
    return NOW + seconds * SECOND


def every(seconds: float, first: float):
    """Give the trigger that fires so many seconds after the beginning, and then every so often."""
    return to_trigger(Interval(seconds * SECOND), UTC, anchor=at(first - seconds))


def load(name: str, usual: float, trigger=None, *, followers: str = "", **values) -> Load:
    given = {
        "job_id": NUMBERS[name],
        "name": name,
        "stages": (Stage(trigger=trigger, since=NOW),),
        "usual": usual * SECOND,
        "followers": tuple(NUMBERS[follower] for follower in followers),
    }
    return Load(**given | values)


def table(loads, until: float = 60, **values):
    """Give name, due, start and end of each run, in seconds."""
    found = simulate(loads, NOW, at(until), **values)
    return [(item.name, *map(seconds, (item.due, item.starts, item.ends))) for item in found.starts]


def seconds(moment: datetime) -> float:
    return (moment - NOW) / SECOND


def test_a_job_alone_runs_at_its_fire_times():
    assert table([load("a", 5, every(20, 10))]) == [("a", 10, 10, 15), ("a", 30, 30, 35), ("a", 50, 50, 55)]


def test_of_two_that_collide_the_later_waits_and_says_behind_what():
    found = simulate([load("a", 10, every(60, 5)), load("b", 3, every(60, 7))], NOW, at(60))
    assert [(item.name, seconds(item.starts), item.behind) for item in found.starts] == [
        ("a", 5, ()),
        ("b", 15, ("a",)),
    ]
    assert found.starts[1].late == 8 * SECOND


def test_what_falls_due_at_one_moment_runs_by_name():
    assert [row[0] for row in table([load(name, 1, every(60, 5)) for name in "bca"])] == ["a", "b", "c"]


def test_behind_names_each_job_once_in_the_order_of_the_worker():
    loads = [load("a", 4, every(5, 1)), load("b", 4, every(60, 2)), load("c", 1, every(60, 8))]
    last = simulate(loads, NOW, at(30)).starts[-1]
    assert table(loads, 30)[:4] == [("a", 1, 1, 5), ("b", 2, 5, 9), ("a", 6, 9, 13), ("c", 8, 13, 14)]
    assert simulate(loads, NOW, at(30)).starts[3].behind == ("b", "a")
    assert last.name == "a"


def test_behind_names_only_the_first_of_many():
    loads = [Load(job_id=number, name=f"{number:02}", owed=OWED, usual=SECOND) for number in range(30)]
    last = simulate(loads, NOW, at(60)).starts[-1]
    assert last.behind == tuple(f"{number:02}" for number in range(20))


def test_behind_names_one_that_comes_after_many_runs_of_another():
    many = tuple(Waiting(run_id=number, cause=Cause.MANUAL, due=NOW) for number in range(50))
    asked = (Waiting(run_id=50, cause=Cause.MANUAL, due=NOW),)
    loads = [load("a", 1, queued=many), load("b", 1, queued=asked), load("c", 1, owed=OWED)]
    assert simulate(loads, NOW, at(60)).starts[-1].behind == ("a", "b")


def test_followers_run_in_their_order_ahead_of_everything_that_waits():
    loads = [load("a", 5, every(60, 1), followers="cd"), load("b", 1, every(60, 2)), load("c", 2), load("d", 2)]
    assert table(loads) == [("a", 1, 1, 6), ("c", 6, 6, 8), ("d", 6, 8, 10), ("b", 2, 10, 11)]


def test_a_follower_that_is_disabled_or_gone_does_not_come():
    loads = [load("a", 5, every(60, 1), followers="cf"), load("c", 2, stages=(), enabled=False)]
    assert table(loads) == [("a", 1, 1, 6)]


def test_fire_times_fold_into_the_one_that_waits():
    found = simulate([load("a", 25, every(60, 1)), load("b", 1, every(10, 5))], NOW, at(40))
    waited = found.starts[1]
    assert (waited.name, waited.due, waited.fire_time, waited.starts, waited.coalesced) == (
        "b",
        at(5),
        at(25),
        at(26),
        2,
    )
    assert found.starts[2].due == at(35)


def test_a_job_slower_than_its_interval_starts_again_as_soon_as_it_ends():
    assert table([load("a", 25, every(10, 10))], 70) == [("a", 10, 10, 35), ("a", 20, 35, 60), ("a", 40, 60, 85)]


def test_many_fire_times_are_folded_at_once():
    found = simulate([load("a", 3600, every(1, 1))], NOW, at(86_400))
    assert [item.coalesced for item in found.starts] == [0, *[3599] * 23]


def test_a_cron_trigger_is_asked_for_what_folds():
    trigger = to_trigger(Custom(CronTrigger(second="*/10", timezone=UTC)), UTC)
    found = simulate([load("a", 25, trigger)], NOW, at(60))
    assert [(seconds(item.fire_time), item.coalesced) for item in found.starts] == [(10, 0), (30, 1)]


@pytest.mark.parametrize(("share", "takes"), [(0, 8), (0.75, 2), (1, 0)])
def test_a_job_that_is_often_skipped_takes_as_long_as_it_does_on_average(share, takes):
    found = simulate([load("a", 8, every(20, 10), skipped=share)], NOW, at(20))
    assert [(item.ends - item.starts) / SECOND for item in found.starts] == [takes]


def test_followers_come_as_seldom_as_the_job_they_follow():
    loads = [load("a", 8, every(60, 10), skipped=0.75, followers="b"), load("b", 8, skipped=0.5)]
    assert table(loads) == [("a", 10, 10, 12), ("b", 12, 12, 13)]
    never = [load("a", 8, every(60, 10), skipped=1.0, followers="b"), load("b", 8)]
    assert table(never) == [("a", 10, 10, 10)]


def test_what_runs_now_is_waited_for_and_followed():
    running = Running(started=at(-5), ends=at(12))
    loads = [load("a", 17, running=running, followers="c"), load("b", 1, every(60, 10)), load("c", 3)]
    found = simulate(loads, NOW, at(60))
    assert [(item.name, seconds(item.starts)) for item in found.starts] == [("c", 12), ("b", 15)]
    assert found.starts[1].behind == ("a", "c")
    assert found.busy == pytest.approx(16 / 60)


def test_what_is_owed_waits_since_it_fell_due_and_counts_what_it_folds():
    owed = Owed(since=at(-100), latest=at(-10), coalesced=9)
    busy = load("b", 225, running=Running(started=at(-200), ends=at(25)))
    found = simulate([load("a", 1, every(10, 0), owed=owed), busy], NOW, at(30))
    assert [(item.due, item.fire_time, item.coalesced) for item in found.starts] == [(at(-100), at(20), 11)]
    assert found.starts[0].late == 125 * SECOND


def test_queued_runs_go_ahead_of_scheduled_ones_when_their_time_has_come():
    chained = Waiting(run_id=9, cause=Cause.CHAIN, due=at(-1))
    asked = [Waiting(run_id=number, cause=Cause.MANUAL, due=at(due)) for number, due in ((7, -3), (8, 30))]
    loads = [
        load("a", 5, owed=Owed(since=at(-60), latest=at(-60), coalesced=0)),
        load("b", 4, queued=tuple(asked)),
        load("c", 2, queued=(chained,)),
    ]
    assert table(loads) == [("c", -1, 0, 2), ("b", -3, 2, 6), ("a", -60, 6, 11), ("b", 30, 30, 34)]


def test_of_runs_queued_for_one_moment_the_oldest_is_first():
    runs = [Waiting(run_id=number, cause=Cause.MANUAL, due=NOW) for number in (8, 9, 7)]
    loads = [load(name, 1, queued=(run,)) for name, run in zip("abc", runs, strict=True)]
    assert [row[0] for row in table(loads)] == ["c", "a", "b"]


@pytest.mark.parametrize("forced", [False, True])
def test_a_queued_run_of_a_disabled_job_runs_only_when_it_is_forced(forced):
    queued = (Waiting(run_id=7, cause=Cause.MANUAL, due=NOW, is_forced=forced),)
    assert len(table([load("a", 5, stages=(), queued=queued, enabled=False)])) == forced


def test_a_forced_run_is_not_skipped():
    queued = (Waiting(run_id=7, cause=Cause.MANUAL, due=NOW, is_forced=True),)
    assert table([load("a", 8, queued=queued, skipped=0.75)]) == [("a", 0, 0, 8)]


def test_a_fire_time_that_a_person_wants_left_out_does_not_come():
    assert [row[1] for row in table([load("a", 1, every(20, 10), left_out=at(10))])] == [30, 50]


def test_another_trigger_takes_over_when_its_stage_begins():
    stages = (
        Stage(trigger=None, since=NOW),
        Stage(trigger=every(10, 5), since=at(20)),
        Stage(trigger=every(60, 50), since=at(40)),
    )
    assert [row[1] for row in table([load("a", 1, stages=stages)])] == [25, 35, 50]


def test_fire_times_of_several_stages_fold_into_one():
    stages = (Stage(trigger=every(10, 5), since=NOW), Stage(trigger=every(5, 2), since=at(28)))
    busy = load("b", 41, running=Running(started=NOW, ends=at(41)))
    (first,) = simulate([load("a", 60, stages=stages), busy], NOW, at(50)).starts
    assert (seconds(first.due), seconds(first.fire_time), first.coalesced) == (5, 37, 4)


def test_what_has_not_started_at_the_end_is_told():
    found = simulate([load("a", 100, every(60, 10)), load("b", 1, every(60, 20))], NOW, at(60))
    assert [(item.name, seconds(item.due), item.behind) for item in found.waiting] == [("b", 20, ("a",))]


def test_what_would_be_chained_later_is_no_part_of_it():
    found = simulate([load("a", 100, every(60, 10), followers="b"), load("b", 1)], NOW, at(60))
    assert (len(found.starts), found.waiting) == (1, ())


def test_the_overhang_is_not_counted_as_busy():
    assert simulate([load("a", 100, every(60, 15))], NOW, at(60)).busy == pytest.approx(0.75)


def test_an_empty_window_is_not_busy():
    found = simulate([load("a", 5, every(60, 0))], NOW, NOW)
    assert (found.starts, found.busy, found.is_whole) == ((), 0, True)


def test_it_is_cut_at_the_limit_and_says_how_far_it_came():
    found = simulate([load("a", 1, every(10, 10))], NOW, at(60), limit=3)
    assert (len(found.starts), found.until, found.is_whole) == (3, at(31), False)
    assert found.busy == pytest.approx(3 / 31)


def test_fire_times_that_must_be_asked_for_count_towards_the_limit():
    trigger = to_trigger(Custom(CronTrigger(second="*", timezone=UTC)), UTC)
    found = simulate([load("a", 20, trigger)], NOW, at(600), limit=50)
    assert (found.is_whole, found.until) == (False, at(81))


def test_a_chain_in_a_circle_that_takes_no_time_comes_to_an_end():
    found = simulate([load("a", 0, every(60, 10), followers="b"), load("b", 0, followers="a")], NOW, at(60), limit=100)
    assert (len(found.starts), found.until, found.is_whole) == (100, at(10), False)


queued = st.builds(
    lambda number, cause, due: Waiting(run_id=number, cause=cause, due=at(due)),
    st.integers(1, 50),
    st.sampled_from([Cause.MANUAL, Cause.CHAIN]),
    st.integers(-20, 100),
)


@st.composite
def crowds(draw) -> list[Load]:
    """Give some jobs with all that a job can have, but circles."""
    found = []
    for name in "abcdef"[: draw(st.integers(1, 6))]:
        trigger = draw(
            st.one_of(
                st.none(),
                st.builds(every, st.integers(1, 40), st.integers(0, 40)),
                st.builds(
                    lambda step: to_trigger(Custom(CronTrigger(second=f"*/{step}", timezone=UTC)), UTC),
                    st.integers(5, 50),
                ),
            )
        )
        later = "abcdef"["abcdef".index(name) + 1 :]
        followers = draw(st.sets(st.sampled_from(later), max_size=2)) if later else ()
        owed = draw(st.none() | st.integers(1, 90).map(lambda ago: Owed(since=at(-ago), latest=NOW, coalesced=ago)))
        usual = draw(st.integers(0, 30)) / 2
        share = draw(st.sampled_from([0.0, 0.0, 0.5, 1.0]))
        in_hand = {"owed": owed, "queued": tuple(draw(st.lists(queued, max_size=2)))}
        found.append(load(name, usual, trigger, followers="".join(sorted(followers)), skipped=share, **in_hand))
    busy = draw(st.none() | st.integers(0, 60).map(lambda end: Running(started=at(-5), ends=at(end))))
    return [replace(found[0], running=busy), *found[1:]]


UNTIL = at(120)


def fires(item: Load) -> list[datetime]:
    """Give the fire times of a job within the window, one by one."""
    found, moment = [], NOW
    trigger = item.stages[0].trigger
    while trigger is not None and (moment := next_fire(trigger, moment) or UNTIL) < UNTIL:
        found.append(moment)
    return found


@often
@given(crowds())
def test_the_worker_does_one_thing_at_a_time_and_nothing_before_it_is_due(crowd):
    found = simulate(crowd, NOW, UNTIL)
    begin = crowd[0].running.ends if crowd[0].running else NOW
    assert all(item.starts >= max(item.due, begin) for item in found.starts)
    assert all(earlier.ends <= later.starts for earlier, later in pairwise(found.starts))


@often
@given(crowds())
def test_the_busy_share_is_the_sum_of_all_durations(crowd):
    found = simulate(crowd, NOW, UNTIL)
    running = crowd[0].running
    spans = [*([(NOW, running.ends)] if running else []), *((item.starts, item.ends) for item in found.starts)]
    total = sum((min(end, UNTIL) - begin for begin, end in spans), timedelta(0))
    assert found.busy == pytest.approx(total / (UNTIL - NOW))


@often
@given(crowds())
def test_each_fire_time_is_covered_by_one_start_or_waits_at_the_end(crowd):
    found = simulate(crowd, NOW, UNTIL)
    for item in crowd:
        mine = [run for run in found.starts if run.job_id == item.job_id and run.cause == Cause.SCHEDULE]
        waiting = [run.due for run in found.waiting if run.job_id == item.job_id and run.cause == Cause.SCHEDULE]
        due = fires(item)
        covered = sum(1 + run.coalesced for run in mine)
        owed = 1 + item.owed.coalesced if item.owed else 0
        left = [moment for moment in due if waiting and moment >= waiting[0]]
        assert len(waiting) <= 1
        if waiting and waiting[0] <= NOW:
            assert mine == []
        else:
            assert covered == owed + len(due) - len(left)
        assert all(run.fire_time <= run.starts for run in mine)
        assert all(earlier.fire_time < later.due for earlier, later in pairwise(mine))


@often
@given(crowds())
def test_of_those_that_wait_the_first_by_cause_and_then_by_time_is_taken(crowd):
    found = simulate(crowd, NOW, UNTIL)
    waits = [(item.starts, PRIORITY[item.cause], item.due) for item in found.starts]
    for place, (starts, *rank) in enumerate(waits):
        assert all(rank <= later for _, *later in waits[place:] if later[1] < starts)


@often
@given(crowds())
def test_all_of_what_goes_on_while_one_waits_is_named(crowd):
    found = simulate(crowd, NOW, UNTIL)
    running = crowd[0].running
    spans = [("a", running.ends)] if running and running.ends > NOW else []
    for item in found.starts:
        names = [name for name, end in spans if end > item.due]
        assert item.behind == tuple(Counter(names))
        if item.ends > item.starts:
            spans.append((item.name, item.ends))


# What is handed over


def away(name: str, usual: float, trigger=None, **values) -> Load:
    return load(name, usual, trigger, is_away=True, **values)


def test_what_is_handed_over_starts_at_once_and_keeps_nobody_waiting():
    found = simulate(
        [away("a", 30, every(60, 5)), load("b", 10, every(60, 6)), load("c", 2, every(60, 7))], NOW, at(60)
    )
    assert [(item.name, seconds(item.starts), item.behind, item.is_away) for item in found.starts] == [
        ("a", 5, (), True),
        ("b", 6, (), False),
        ("c", 16, ("b",), False),
    ]
    assert found.busy == pytest.approx(12 / 60)


def test_a_job_that_is_handed_over_has_one_run_at_a_time_and_folds_the_rest():
    found = simulate([away("a", 25, every(10, 10))], NOW, at(60))
    assert [(seconds(item.due), seconds(item.starts), item.coalesced) for item in found.starts] == [
        (10, 10, 0),
        (20, 35, 1),
    ]
    assert found.is_whole


def test_what_goes_on_elsewhere_is_not_what_the_worker_does():
    running = Running(started=at(-5), ends=at(20), is_away=True)
    loads = [away("a", 25, every(60, 10), running=running), load("b", 3, every(60, 1))]
    assert table(loads) == [("b", 1, 1, 4), ("a", 10, 20, 45)]


def test_followers_come_when_the_run_elsewhere_has_ended():
    loads = [away("a", 10, every(60, 5), followers="bc"), load("b", 4), away("c", 20), load("d", 12, every(60, 6))]
    assert table(loads) == [("a", 5, 5, 15), ("d", 6, 6, 18), ("c", 15, 15, 35), ("b", 15, 18, 22)]


def test_a_job_that_is_handed_over_follows_one_of_the_worker():
    loads = [load("a", 10, every(60, 5), followers="b"), away("b", 30), load("c", 3, every(60, 6))]
    assert table(loads) == [("a", 5, 5, 15), ("b", 15, 15, 45), ("c", 6, 15, 18)]


def test_queued_runs_of_a_job_that_is_handed_over_follow_each_other():
    queued = (Waiting(run_id=1, cause=Cause.MANUAL, due=at(-2)), Waiting(run_id=2, cause=Cause.MANUAL, due=at(-1)))
    assert table([away("a", 10, queued=queued)]) == [("a", -2, -2, 8), ("a", -1, 8, 18)]


def test_many_runs_elsewhere_during_one_of_the_worker_are_cut_at_the_limit_too():
    found = simulate([load("a", 50, every(60, 1)), away("b", 0, every(1, 2))], NOW, at(60), limit=10)
    assert (len(found.starts), found.is_whole, seconds(found.until)) == (10, False, 11)
