from datetime import timedelta

import pytest

from scheduler_bridge.models import Cause, Run, Status
from scheduler_bridge.overview import work
from scheduler_bridge.overview.failing import in_a_row
from scheduler_bridge.past import COUNT, recent

MINUTE = timedelta(minutes=1)


@pytest.fixture
def history(job, now):
    """Give the job these runs, the newest first, a minute apart, and let it fail since the first of this many."""

    def make(*statuses, since: int | None = None):
        for age, status in reversed(list(enumerate(statuses, 1))):
            ended = now - age * MINUTE
            values = {"finished_at": None if status == Status.RUNNING else ended, "reason": f"reason {age}"}
            spans = {"scheduled_for": ended - MINUTE, "started_at": ended - MINUTE}
            Run.objects.create(job=job, status=status, cause=Cause.SCHEDULE, **spans, **values)
        job.failing_since = now - since * MINUTE if since else None
        type(job).objects.filter(pk=job.pk).update(failing_since=job.failing_since)
        return recent([job.pk]).get(job.pk, ())

    return make


FAILED, TIMED_OUT, ABANDONED = Status.FAILED, Status.TIMED_OUT, Status.ABANDONED
GOOD, SKIPPED, CANCELLED, RUNNING = Status.SUCCEEDED, Status.SKIPPED, Status.CANCELLED, Status.RUNNING


def test_failures_of_all_kinds_are_counted_down_to_the_success(history, job):
    found = in_a_row(history(FAILED, TIMED_OUT, ABANDONED, GOOD, FAILED, since=3), job.failing_since)
    assert (len(found.failures), found.is_whole) == (3, True)


def test_what_did_not_run_breaks_no_row(history, job):
    found = in_a_row(history(RUNNING, SKIPPED, FAILED, CANCELLED, FAILED, GOOD, since=5), job.failing_since)
    assert len(found.failures) == 2


def test_failures_that_a_person_has_dealt_with_count_no_more(history, job):
    found = in_a_row(history(FAILED, FAILED, FAILED, FAILED, since=2), job.failing_since)
    assert (len(found.failures), found.is_whole) == (2, True)


def test_where_all_that_was_looked_at_failed_there_may_be_more(history, job):
    found = in_a_row(history(*[FAILED] * (COUNT + 3), since=COUNT + 3), job.failing_since)
    assert (len(found.failures), found.is_whole) == (COUNT, False)


def test_a_short_history_is_seen_to_its_end(history, job):
    assert in_a_row(history(FAILED, FAILED, since=2), job.failing_since).is_whole


def test_the_last_failed_run_is_named_with_its_reason(history, job, now):
    history(SKIPPED, TIMED_OUT, FAILED, GOOD, since=3)
    (found,) = work(now).failing
    run = Run.objects.get(status=TIMED_OUT)
    assert (found.name, found.run_id, found.status, found.reason) == (job.name, run.pk, TIMED_OUT, "reason 2")
    assert (found.times, found.since) == (2, now - 3 * MINUTE)


def test_a_job_whose_failed_runs_were_pruned_is_still_named(history, job, now):
    history(since=3)
    (found,) = work(now).failing
    assert (found.times, found.run_id, found.status, found.reason) == (0, None, None, "")


def test_the_job_that_fails_for_the_longest_time_comes_first(history, job, now):
    history(FAILED, since=1)
    type(job).objects.create(name="shop.old", app="shop", command="old", failing_since=now - 60 * MINUTE)
    type(job).objects.create(name="shop.gone", app="shop", command="gone", failing_since=now, removed_at=now)
    assert [found.name for found in work(now).failing] == ["shop.old", job.name]


def test_a_job_that_does_not_fail_is_not_named(history, now):
    history(FAILED, GOOD)
    assert work(now).failing == ()
