import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJobExecution

from scheduler_bridge import history, lease
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.execution.outcome import Outcome, Usage
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Report, Run, Status

GOOD = Outcome(status=Status.SUCCEEDED, exit_code=0, output="fine\n")
BAD = Outcome(status=Status.FAILED, exit_code=3, output="oh\n", reason="exit code 3")


def firing_of(job: Job, now, **values) -> Firing:
    return Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now, **values)


@pytest.fixture
def run(job, me, now):
    return history.claim(firing_of(job, now), me, now, now + timedelta(hours=1))


def other_job(now) -> Job:
    return Job.objects.create(name="demo.next", app="demo", command="next", created_at=now, owed_since=now)


def test_a_claim_records_the_run_before_it_starts(run, job, me, now):
    job.refresh_from_db()
    stored = Run.objects.get()
    assert (stored.status, stored.scheduled_for, stored.started_at) == (Status.RUNNING, now, now)
    assert (job.last_run, job.last_fire_at, job.next_run_at) == (stored, now, now + timedelta(hours=1))
    assert me.token in stored.marker


def test_a_fire_time_is_claimed_once_by_one_who_restarted_in_between(run, job, me, now):
    lease.release(me)
    again = Identity.mine()
    lease.acquire(again, None, now)
    assert history.claim(firing_of(job, now), again, now, None) is None
    assert Run.objects.count() == 1


def test_a_claim_that_was_committed_unseen_is_found_again(run, job, me, now):
    assert history.claim(firing_of(job, now), me, now, None) == run


def test_an_earlier_fire_time_than_the_last_is_not_claimed(run, job, me, now):
    assert history.claim(firing_of(job, now - timedelta(seconds=1)), me, now, None) is None


def test_a_claim_without_the_lease_leaves_no_trace(job, me, now):
    with pytest.raises(LeaseLost):
        history.claim(firing_of(job, now), Identity.mine(), now, None)
    job.refresh_from_db()
    assert (Run.objects.count(), job.last_fire_at) == (0, None)


def test_the_ledger_shows_a_started_and_then_a_finished_execution(run, now):
    assert DjangoJobExecution.objects.get().status == DjangoJobExecution.SENT
    history.close(run, GOOD, now + timedelta(seconds=2), next_jobs=(), mail=False)
    row = DjangoJobExecution.objects.get()
    assert (row.status, float(row.duration), row.job.job_state) == (DjangoJobExecution.SUCCESS, 2.0, b"")


def test_a_failure_is_an_error_in_the_ledger(run, now):
    history.close(run, BAD, now, next_jobs=(), mail=True)
    row = DjangoJobExecution.objects.get()
    assert (row.status, row.exception) == (DjangoJobExecution.ERROR, "exit code 3")


def test_a_run_is_closed_once(run, now):
    history.close(run, GOOD, now, next_jobs=(), mail=False)
    history.close(run, BAD, now, next_jobs=(), mail=True)
    stored = Run.objects.get()
    assert (stored.status, stored.output, stored.report) == (Status.SUCCEEDED, "fine\n", Report.NONE)


def test_what_a_run_used_is_recorded_where_it_is_known(run, now):
    usage = Usage(cpu_seconds=12.5, peak_memory=3 * 2**30)
    history.close(run, replace(GOOD, usage=usage), now, next_jobs=(), mail=False)
    stored = Run.objects.get()
    assert (stored.cpu_seconds, stored.peak_memory) == (12.5, 3 * 2**30)


def test_what_a_run_inside_the_runner_used_is_not_known(run, now):
    history.close(run, GOOD, now, next_jobs=(), mail=False)
    stored = Run.objects.get()
    assert (stored.cpu_seconds, stored.peak_memory) == (None, None)


def test_the_report_is_owed_from_the_moment_the_run_is_closed(run, now):
    history.close(run, BAD, now, next_jobs=(), mail=True)
    assert [due.pk for due in history.reports_due(now, 10)] == [run.pk]


def test_chained_runs_are_queued_with_the_close_and_only_once(run, job, now):
    following = other_job(now)
    first = history.close(run, GOOD, now, next_jobs=[following.name], mail=False)
    second = history.close(run, GOOD, now, next_jobs=[following.name], mail=False)
    assert first == second
    chained = Run.objects.get(job=following)
    assert (chained.status, chained.cause, chained.parent) == (Status.QUEUED, Cause.CHAIN, run)


def test_chained_runs_keep_the_order_they_were_named_in(run, now):
    names = [
        Job.objects.create(name=f"demo.{letter}", app="demo", command=letter, owed_since=now).name for letter in "zab"
    ]
    assert [item.name for item in history.close(run, GOOD, now, next_jobs=names, mail=False)] == names


@pytest.mark.parametrize("output", ["a\0b", "name \udcff", "😀 €"])
def test_the_outcome_is_kept_whatever_the_output(run, now, output):
    history.close(run, Outcome(status=Status.SUCCEEDED, exit_code=0, output=output), now, next_jobs=(), mail=False)
    assert Run.objects.get().status == Status.SUCCEEDED


@pytest.mark.parametrize("text", ["a\0b", "name \udcff", "\x1b[2Jcleared", "two\nlines \u2028 and more", "x" * 9999])
def test_the_outcome_is_kept_whatever_the_reason(run, job, me, now, text):
    outcome = Outcome(status=Status.FAILED, exit_code=1, output="", reason=text, warnings=(text,))
    history.close(run, outcome, now, next_jobs=(), mail=False)
    assert (Run.objects.get().status, Run.objects.get().reason) == (Status.FAILED, history.one_line(text))
    assert "\x1b" not in Run.objects.get().warning
    later = now + timedelta(hours=1)
    history.skip(firing_of(job, later), me, text, later, None)
    assert Run.objects.get(status=Status.SKIPPED).reason == history.one_line(text)


@pytest.mark.parametrize("meanwhile", ["none", "abandoned"])
@pytest.mark.parametrize("next_jobs", [(), ("demo.next",)])
def test_an_outcome_that_no_row_takes_is_said_in_the_log(run, now, caplog, meanwhile, next_jobs):
    other_job(now)
    if meanwhile == "none":
        Run.objects.all().delete()
    else:
        history.abandon(run, "its runner is gone", now)
    assert history.close(run, GOOD, now, next_jobs=next_jobs, mail=False) == ()
    assert f"run {run.pk} succeeded, which is not recorded: expected a running run, got {meanwhile}" in caplog.text


def test_a_close_that_is_tried_again_after_it_was_written_complains_of_nothing(run, now, caplog):
    for _ in range(2):
        history.close(run, GOOD, now, next_jobs=(), mail=False)
    assert not caplog.records


def test_a_queued_run_is_claimed_once(job, me, now):
    queued = history.enqueue(job, now, requested_by="alice", delay=timedelta(0), forced=False)
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=queued.pk)
    assert [item.run_id for item in history.queued()] == [queued.pk]
    taken = history.claim(firing, me, now, None)
    assert (taken.pk, taken.status, taken.scheduled_for) == (queued.pk, Status.RUNNING, now)
    row = Run.objects.get()
    assert (row.status, row.requested_by, row.started_at, row.host) == (Status.RUNNING, "alice", now, me.host)
    history.close(taken, GOOD, now, next_jobs=(), mail=False)
    assert history.claim(firing, me, now, None) is None
    job.refresh_from_db()
    assert job.last_fire_at is None  # the grid of the schedule stays where it was


def waiting_of(job: Job, now) -> Firing:
    queued = history.enqueue(job, now, requested_by="", delay=timedelta(0), forced=False)
    return Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=queued.pk)


def left_by_a_claim(job: Job) -> tuple[str, int | None, int]:
    job.refresh_from_db()
    return Run.objects.get().status, job.last_run_id, DjangoJobExecution.objects.count()


def test_a_queued_run_is_not_claimed_without_the_lease(job, me, now):
    firing = waiting_of(job, now)
    with pytest.raises(LeaseLost):
        history.claim(firing, Identity.mine(), now, None)
    assert left_by_a_claim(job) == (Status.QUEUED, None, 0)


def test_a_queued_run_that_waits_no_more_is_not_claimed(job, me, now):
    firing = waiting_of(job, now)
    Run.objects.update(status=Status.CANCELLED)
    assert history.claim(firing, me, now, None) is None
    assert left_by_a_claim(job) == (Status.CANCELLED, None, 0)


def test_a_queued_run_that_is_claimed_is_the_last_of_its_job_and_in_the_ledger(job, me, now):
    firing = waiting_of(job, now)
    history.claim(firing, me, now, None)
    assert left_by_a_claim(job) == (Status.RUNNING, firing.run_id, 1)


def test_skips_in_a_row_for_one_reason_share_a_run(job, me, now):
    for minute in range(5):
        moment = now + timedelta(minutes=minute)
        history.skip(firing_of(job, moment, coalesced=int(minute == 2)), me, "nothing to do", moment, None)
    run = Run.objects.get()
    assert (run.status, run.coalesced, run.reason) == (Status.SKIPPED, 5, "nothing to do")
    assert (run.scheduled_for, run.finished_at) == (now, now + timedelta(minutes=4))


def test_a_skip_for_another_reason_is_a_run_of_its_own(job, me, now):
    for minute, reason in enumerate(["closed", "closed", "no orders"]):
        moment = now + timedelta(minutes=minute)
        history.skip(firing_of(job, moment), me, reason, moment, None)
    assert list(Run.objects.order_by("id").values_list("reason", "coalesced")) == [("closed", 1), ("no orders", 0)]


def test_a_skip_counts_a_fire_time_once(job, me, now):
    for _ in range(2):
        history.skip(firing_of(job, now), me, "no", now, None)
    assert Run.objects.get().coalesced == 0


def test_a_queued_run_that_is_skipped_keeps_its_own_row(job, me, now):
    queued = history.enqueue(job, now, requested_by="", delay=timedelta(0), forced=False)
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=queued.pk)
    history.skip(firing, me, "the job is disabled", now, None)
    queued.refresh_from_db()
    assert (queued.status, queued.reason) == (Status.SKIPPED, "the job is disabled")


def test_an_abandoned_run_is_reported(run, now):
    assert history.abandon(run, "its runner is gone", now, ended=["pid 7 sleep"])
    stored = Run.objects.get()
    assert (stored.status, stored.report, stored.warning) == (Status.ABANDONED, Report.DUE, "pid 7 sleep")
    assert not history.abandon(run, "again", now)


def test_live_output_is_written_to_a_running_row_only(run, now):
    assert history.show_output(run.pk, "half")
    assert Run.objects.get().output == "half"
    history.close(run, GOOD, now, next_jobs=(), mail=False)
    history.show_output(run.pk, "late")
    assert Run.objects.get().output == "fine\n"


def test_live_output_that_the_database_does_not_take_is_not_in_the_way(run, monkeypatch):
    def fail() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(sys.modules["scheduler_bridge.history.close"], "runs", fail)
    assert not history.show_output(run.pk, "half")


def test_pruning_keeps_the_newest_of_each_job_and_what_is_not_reported_yet(job, now):
    def old(days, **values):
        moment = now - timedelta(days=days)
        values = {"status": Status.SUCCEEDED, "cause": Cause.SCHEDULE, "finished_at": moment, **values}
        return Run.objects.create(job=job, scheduled_for=moment, **values)

    unsent = old(300, report=Report.DUE)
    gone = [old(200), old(190)]
    kept = [old(180), old(170), old(1)]
    assert history.prune(now, timedelta(days=90), 3) == len(gone)
    assert set(Run.objects.all()) == {unsent, *kept}


def test_pruning_never_touches_open_runs(run, now):
    assert history.prune(now + timedelta(days=1000), timedelta(0), 0) == 0


@pytest.mark.parametrize("act", ["skip", "claim"])
def test_a_fire_time_that_a_run_covers_stays_covered_though_the_row_was_set_back(run, job, me, now, act):
    Job.objects.filter(pk=job.pk).update(last_fire_at=None, last_run=None)
    if act == "skip":
        history.skip(firing_of(job, now), me, "should_run said no", now, None)
    else:
        Run.objects.update(status=Status.SUCCEEDED)
        assert history.claim(firing_of(job, now), me, now, None) is None
    assert Run.objects.count() == 1


def test_a_row_that_was_read_before_a_run_and_saved_after_takes_nothing_back(job, me, now):
    read_before = Job.objects.get(pk=job.pk)
    run = history.claim(firing_of(job, now), me, now, now + timedelta(hours=1))
    read_before.enabled = False
    read_before.save()
    job.refresh_from_db()
    assert (job.enabled, job.last_fire_at, job.last_run) == (False, now, run)


def test_a_job_fails_from_the_first_failure_in_a_row_to_the_next_success(job, me, now):
    seen = []
    for number, outcome in enumerate((GOOD, BAD, BAD, GOOD)):
        due = now + timedelta(minutes=number)
        run = history.claim(firing_of(job, due), me, due, None)
        history.close(run, outcome, due, next_jobs=(), mail=False, failing=job.failing_since is not None)
        job.refresh_from_db()
        seen.append(job.failing_since)
    first = now + timedelta(minutes=1)
    assert seen == [None, first, first, None]


def test_a_success_of_a_job_that_did_not_fail_writes_nothing_more(run, now):
    with CaptureQueriesContext(connection) as found:
        history.close(run, GOOD, now, next_jobs=(), mail=False)
    assert not any("failing_since" in query["sql"] for query in found)


def test_an_abandoned_run_is_a_failure_of_its_job(run, job, now):
    history.abandon(run, "its runner is gone", now)
    job.refresh_from_db()
    assert job.failing_since == now
