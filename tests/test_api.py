from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import api, history
from scheduler_bridge.exceptions import CannotCancel, JobDisabled, NothingToSkip, UnknownJob, UnknownRun
from scheduler_bridge.models import Cause, Job, Run, Runner, Status

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


def test_a_hold_may_say_when_it_ends_but_not_in_the_past(now):
    with pytest.raises(ValueError, match="moment to come"):
        api.hold(until=now)
    with pytest.raises(ValueError, match="aware"):
        api.hold(until=datetime(9000, 1, 1))
    assert not Runner.objects.filter(held=True).exists()


def test_what_is_due_is_given_in_the_order_of_the_worker(rows):
    now = datetime.now(UTC)
    past = now - timedelta(minutes=95)
    Job.objects.filter(name=NAME).update(owed_since=past, last_fire_at=past)
    asked = api.run_now(NAME)
    api.run_now(NAME, delay=timedelta(hours=1))
    chained = Run.objects.create(job=rows, status=Status.QUEUED, cause="chain", scheduled_for=now)
    found = [item for item in api.pending(datetime.now(UTC)) if item.name == NAME]
    assert [item.run_id for item in found] == [chained.pk, asked.pk, None]
    assert found[2].coalesced == 2


def test_looking_at_what_is_due_changes_nothing(django_assert_num_queries):
    with django_assert_num_queries(2) as found:
        api.pending(datetime.now(UTC))
    assert all(query["sql"].startswith("SELECT") for query in found.captured_queries)


def test_job_by_job_some_of_what_is_due_runs_and_some_is_skipped():
    past = datetime.now(UTC) - timedelta(minutes=95)
    Job.objects.filter(name=NAME).update(owed_since=past, last_fire_at=past)
    other = api.run_now("tests.demo.by_hand")
    api.hold()
    api.resume(skip=[NAME])
    other.refresh_from_db()
    assert (other.status, Run.objects.get(cause="schedule").status) == (Status.QUEUED, Status.SKIPPED)


def test_a_queued_run_is_taken_out():
    run = api.run_now(NAME)
    assert api.cancel(run.pk, by="alice") == Status.CANCELLED
    run.refresh_from_db()
    assert (run.status, run.reason, run.cancel_by) == (Status.CANCELLED, "cancelled by alice", "alice")
    with pytest.raises(CannotCancel, match="ended already"):
        api.cancel(run.pk, by="bob")


def running(name: str) -> Run:
    now = datetime.now(UTC)
    job = Job.objects.get(name=name)
    return Run.objects.create(job=job, status=Status.RUNNING, cause="manual", scheduled_for=now, started_at=now)


def test_the_wish_to_end_a_running_external_run_is_noted_for_the_runner():
    run = running(NAME)
    assert api.cancel(run.pk, by="alice") == api.cancel(run.pk, by="bob") == Status.RUNNING
    run.refresh_from_db()
    assert (run.status, run.cancel_by) == (Status.RUNNING, "alice")
    assert history.to_end() == {run.pk: "alice"}


def test_an_internal_run_cannot_be_ended():
    run = running("scheduler_bridge.pruneruns")
    with pytest.raises(CannotCancel, match="inside the runner"):
        api.cancel(run.pk)


def test_only_runs_that_are_there_are_cancelled():
    with pytest.raises(UnknownRun, match="got: 4711"):
        api.cancel(4711)


def test_the_next_fire_time_is_left_out_and_let_run_again():
    before = datetime.now(UTC) + timedelta(minutes=20)
    last = before - timedelta(minutes=30)
    Job.objects.filter(name=NAME).update(last_fire_at=last, owed_since=last, next_run_at=before)
    assert api.skip_next(NAME, by="alice") == before
    row = Job.objects.get(name=NAME)
    assert (row.skip_next_at, row.skip_next_by) == (before, "alice")
    assert (api.undo_skip_next(NAME), api.undo_skip_next(NAME)) == (True, False)
    assert Job.objects.get(name=NAME).skip_next_at is None


@pytest.mark.parametrize("name", ["tests.demo.by_hand", NAME])
def test_a_job_without_a_fire_time_to_come_has_nothing_to_leave_out(name):
    Job.objects.filter(name=name).update(enabled=False)
    with pytest.raises(NothingToSkip):
        api.skip_next(name)


def test_failures_are_taken_as_dealt_with(now):
    Job.objects.filter(name=NAME).update(failing_since=now)
    assert (api.reset_failure(NAME), api.reset_failure(NAME)) == (True, False)


def test_what_is_due_in_a_moment_is_not_left_out_but_the_one_after_it():
    soon = datetime.now(UTC) + timedelta(seconds=1)
    Job.objects.filter(name=NAME).update(
        last_fire_at=soon - timedelta(minutes=30), owed_since=soon - timedelta(minutes=30)
    )
    assert api.skip_next(NAME) == soon + timedelta(minutes=30)


def test_what_is_pending_is_given_with_its_queue(tasks, db, now):
    job = Job.objects.get(name="tests.demo.by_hand")
    Job.objects.update(next_run_at=None)
    Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now, queue="reports")
    assert [(item.name, item.queue) for item in api.pending(now)] == [("tests.demo.by_hand", "reports")]
