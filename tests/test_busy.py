from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler_bridge.models import Cause, Run, Status
from scheduler_bridge.overview import shares

MINUTE = timedelta(minutes=1)


@pytest.fixture
def add(job):
    def add(due_at, minutes=1.0, status=Status.SUCCEEDED, late=timedelta(0), **values):
        started = None if status in {Status.SKIPPED, Status.QUEUED} else due_at + late
        ended = None if status in {Status.RUNNING, Status.QUEUED} or started is None else started + minutes * MINUTE
        spans = {"scheduled_for": due_at, "started_at": started, "finished_at": ended}
        return Run.objects.create(job=job, status=status, cause=Cause.SCHEDULE, **{**spans, **values})

    return add


def local(text: str) -> datetime:
    """Give a moment of Stockholm in March 2026, an hour ahead of UTC."""
    return datetime.fromisoformat(f"2026-03-{text}+01:00").astimezone(UTC)


def minutes(share) -> float:
    return round(share.busy / MINUTE, 3)


def test_days_begin_at_midnight_in_the_zone_of_the_scheduler(add, now):  # now is Tuesday the 10th, 13:00
    add(local("10 00:00:01"), 3)
    add(local("09 23:50"), 5)
    add(local("09 00:00:01"), 7)
    add(local("08 23:50"), 9)
    today, week = shares(now)
    assert (minutes(today), today.runs, today.first, today.last) == (3, 1, date(2026, 3, 10), date(2026, 3, 10))
    assert (minutes(week), week.runs, week.first) == (15, 3, date(2026, 3, 9))
    assert today.elapsed == timedelta(hours=13)
    assert today.share == pytest.approx(3 / (13 * 60))


def test_a_run_over_midnight_counts_on_both_sides(add, now):
    add(local("09 23:00"), 90)
    today, week = shares(now)
    assert (minutes(today), minutes(week)) == (30, 90)
    assert (today.runs, week.runs) == (0, 1)


def test_a_run_that_started_late_counts_where_it_ran(add, now):
    add(local("09 22:00"), 20, late=timedelta(hours=3))
    assert [minutes(share) for share in shares(now)] == [20, 20]


def test_a_run_that_goes_on_counts_up_to_now(add, now):
    add(now - 4 * MINUTE, status=Status.RUNNING)
    assert [minutes(share) for share in shares(now)] == [4, 4]


def test_what_did_not_run_counts_as_a_run_and_as_no_time(add, now):
    add(now - MINUTE, status=Status.SKIPPED, finished_at=now)
    add(now + MINUTE, status=Status.QUEUED)
    assert [(minutes(share), share.runs) for share in shares(now)] == [(0, 2), (0, 2)]


def test_an_end_before_the_start_takes_nothing_away(add, now):
    add(now - 9 * MINUTE, 2)
    add(now - 5 * MINUTE, -30)
    assert minutes(shares(now)[0]) == 2


def test_nothing_ran(job, now):
    today, week = shares(now)
    assert (today.share, week.share, week.runs) == (0, 0, 0)


def test_a_clock_that_is_set_back_never_shows_more_than_all(add, now):
    add(local("10 00:00"), 60)
    add(local("10 00:00"), 60)
    assert shares(local("10 00:30"))[0].share == 1.0


def test_the_first_moment_of_a_day(job):
    today, week = shares(local("09 00:00"))
    assert (today.share, today.elapsed, week.elapsed) == (0, timedelta(0), timedelta(0))


def test_both_spans_are_read_in_one_statement(add, now, django_assert_num_queries):
    with django_assert_num_queries(1):
        shares(now)


def test_what_was_handed_over_does_not_keep_the_worker_busy(add, now):
    add(local("10 10:00"), 30, queue="reports", host="far")
    add(local("10 11:00"), 4)
    today, week = shares(now)
    assert (minutes(today), minutes(week)) == (4, 4)
    assert (today.runs, week.runs) == (2, 2)
