from datetime import timedelta

import pytest

from scheduler_bridge import diagnosis, stuck
from scheduler_bridge.models import Cause, Hold, Job, Run, Runner, Status
from scheduler_bridge.stuck import PATIENCE, StuckJob

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPECIMEN, BY_HAND = "tests.demo.specimen", "tests.demo.by_hand"


@pytest.fixture
def later(me, now):
    """A moment at which one job has been due for ten minutes, long after the runner began."""
    Job.objects.update(next_run_at=None, last_run=None)
    Run.objects.all().delete()
    Job.objects.filter(name=SPECIMEN).update(next_run_at=now + 50 * MINUTE)
    return now + 60 * MINUTE


def due(later):
    return later - 10 * MINUTE


def ran(name: str, due_at, start, end=None, **values) -> Run:
    job = Job.objects.get(name=name)
    status = Status.SUCCEEDED if end else Status.RUNNING
    times = {"scheduled_for": due_at, "started_at": start, "finished_at": end}
    run = Run.objects.create(**{"job": job, "status": status, "cause": Cause.SCHEDULE, **times, **values})
    Job.objects.filter(pk=job.pk).update(last_run=run)
    return run


def names(now) -> list[str]:
    return [found.name for found in stuck.stuck_jobs(now)]


def test_a_job_that_is_due_with_an_idle_worker_is_stuck_after_a_minute(later):
    assert stuck.stuck_jobs(later) == (StuckJob(name=SPECIMEN, due_at=due(later)),)
    assert names(due(later) + PATIENCE - SECOND) == []
    assert names(due(later) + PATIENCE) == [SPECIMEN]


def test_nothing_that_is_not_due_is_stuck(later):
    Job.objects.filter(name=SPECIMEN).update(next_run_at=later + SECOND)
    assert names(later) == []


@pytest.mark.parametrize("values", [{"enabled": False}, {"handed_run_id": 7}])
def test_a_job_that_is_not_to_start_is_not_stuck(later, values):
    Job.objects.filter(name=SPECIMEN).update(**values)
    assert names(later) == []


def test_a_removed_job_is_not_stuck(later):
    Job.objects.filter(name=SPECIMEN).update(removed_at=later)
    assert names(later) == []


def test_nothing_is_stuck_without_a_runner_or_on_hold(later):
    Runner.objects.update(held=True)
    assert names(later) == []
    Runner.objects.update(held=False, token="")
    assert names(later) == []


def test_the_minute_counts_from_the_start_of_the_runner_and_from_the_end_of_a_hold(later):
    Runner.objects.update(since=later - 30 * SECOND)
    assert names(later) == []
    Runner.objects.update(since=due(later))
    hold = Hold.objects.create(begun_at=due(later), ended_at=later - 30 * SECOND)
    assert names(later) == []
    Hold.objects.filter(pk=hold.pk).update(ended_at=later - PATIENCE)
    assert names(later) == [SPECIMEN]


def test_a_job_that_waits_behind_a_long_run_is_not_stuck(later):
    ran(BY_HAND, due(later) - SECOND, due(later) - SECOND)
    assert names(later) == []


def test_a_job_whose_worker_works_through_a_backlog_is_not_stuck(later):
    ran(BY_HAND, due(later) - SECOND, later - 20 * SECOND, later - 10 * SECOND)
    assert names(later) == []
    Run.objects.update(started_at=later - 90 * SECOND, finished_at=later - PATIENCE)
    assert names(later) == [SPECIMEN]


def test_skips_count_as_work_too(later):
    ran(BY_HAND, due(later) - SECOND, None, later - 10 * SECOND, status=Status.SKIPPED)
    assert names(later) == []


def test_a_job_that_others_pass_by_is_stuck_however_busy_the_worker_is(later):
    ran(BY_HAND, due(later) + 5 * MINUTE, later - 2 * MINUTE)
    assert names(later) == [SPECIMEN]


@pytest.mark.parametrize("values", [{"coalesced": 3}, {"cause": Cause.MANUAL}, {"cause": Cause.CHAIN}])
def test_a_run_that_goes_ahead_by_right_passes_nothing_by(later, values):
    ran(BY_HAND, due(later) + 5 * MINUTE, later - 2 * MINUTE, **values)
    assert names(later) == []


def test_a_queued_run_is_stuck_likewise(later):
    Job.objects.filter(name=SPECIMEN).update(next_run_at=None)
    job = Job.objects.get(name=BY_HAND)
    values = {"job": job, "status": Status.QUEUED, "cause": Cause.MANUAL}
    run = Run.objects.create(scheduled_for=due(later), **values)
    Run.objects.create(scheduled_for=later, **values)
    assert stuck.stuck_jobs(later) == (StuckJob(name=BY_HAND, due_at=due(later), run_id=run.pk),)
    assert stuck.stuck_jobs(later, SPECIMEN) == ()


def test_a_job_with_a_queue_is_stuck_when_nothing_was_sent_for_a_minute(later, tasks):
    Job.objects.filter(name=SPECIMEN).update(override_queue="mail")
    ran(BY_HAND, due(later), due(later))  # which keeps the worker busy, and no run that is sent elsewhere
    assert names(later) == [SPECIMEN]
    Run.objects.update(queue="reports", handed_at=later - SECOND)
    assert names(later) == []


def test_an_overdue_job_costs_few_statements_and_no_other_does(later, django_assert_num_queries):
    with django_assert_num_queries(7):
        assert names(later) == [SPECIMEN]
    with django_assert_num_queries(2):
        assert names(due(later)) == []


def test_why_says_that_nothing_holds_it_back(later, me):
    Runner.objects.update(heartbeat_at=later)
    found = diagnosis.why(SPECIMEN, later)
    assert found.stop is not None
    assert found.stop.name == "start"
    assert found.text == (
        "due since 2026-03-10 13:50:00, nothing holds it back, and it has not started: see the runner's log"
    )
    assert diagnosis.why(SPECIMEN, due(later)).stop is None
