from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import api
from scheduler_bridge.exceptions import JobDisabled, UnknownJob
from scheduler_bridge.models import Job, Run, Runner, Status

NAME = "tests.demo.specimen"


@pytest.fixture(autouse=True)
def rows(db):
    return Job.objects.get(name=NAME)


def test_run_now_queues_a_run():
    run = api.run_now(NAME, requested_by="alice")
    assert (run.status, run.cause, run.requested_by, run.started_at) == (Status.QUEUED, "manual", "alice", None)


def test_a_delay_puts_the_run_off():
    before = datetime.now(UTC)
    assert api.run_now(NAME, delay=timedelta(minutes=5)).scheduled_for >= before + timedelta(minutes=5)


def test_an_unknown_or_removed_job_is_refused(now):
    with pytest.raises(UnknownJob, match="got: 'shop"):
        api.run_now("shop.nothing")
    Job.objects.filter(name=NAME).update(removed_at=now)
    with pytest.raises(UnknownJob):
        api.run_now(NAME)


def test_a_disabled_job_runs_only_by_force():
    Job.objects.filter(name=NAME).update(enabled=False)
    with pytest.raises(JobDisabled, match=NAME):
        api.run_now(NAME)
    assert api.run_now(NAME, force=True).forced
    assert Run.objects.count() == 1


def test_a_hold_is_kept_with_its_reason_until_resumed():
    api.hold("stock\ntaking", by="alice")
    row = Runner.objects.get()
    assert (row.held, row.held_reason, row.held_by) == (True, "stock taking", "alice")
    api.resume()
    row = Runner.objects.get()
    assert (row.held, row.held_reason, row.held_at) == (False, "", None)


def test_what_became_due_during_a_hold_can_be_skipped():
    now = datetime.now(UTC)
    past = now - timedelta(minutes=95)
    Job.objects.filter(name=NAME).update(owed_since=past, last_fire_at=past)
    queued = api.run_now(NAME)
    api.hold()
    api.resume("skip")
    assert set(Run.objects.filter(job__name=NAME).values_list("status", flat=True)) == {Status.SKIPPED}
    scheduled = Run.objects.get(job__name=NAME, cause="schedule")
    assert (scheduled.coalesced, scheduled.scheduled_for) == (2, past + timedelta(minutes=90))
    queued.refresh_from_db()
    assert queued.reason == "skipped when the hold ended"


def test_resume_takes_only_what_it_knows():
    with pytest.raises(ValueError, match="expected pending"):
        api.resume("maybe")
