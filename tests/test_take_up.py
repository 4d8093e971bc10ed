from datetime import timedelta

import pytest

from scheduler_bridge import history
from scheduler_bridge.execution.outcome import Outcome
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Run, Status

MINUTE = timedelta(minutes=1)
GOOD = Outcome(status=Status.SUCCEEDED, exit_code=0, output="done")


@pytest.fixture
def handed(me, job, now):
    """The firing of a run that waits for a worker."""
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + MINUTE)
    return history.waiting(history.hand_over(firing, me, "reports", now, None))


@pytest.fixture
def worker():
    return Identity.mine()


def test_a_worker_that_takes_a_run_up_has_it_recorded_first(handed, worker, now, job):
    run = history.take_up(handed, None, worker, now, None)
    stored = Run.objects.get()
    assert (stored.status, stored.started_at, stored.heartbeat_at, stored.host) == ("running", now, now, worker.host)
    assert (stored.hand_at, run.pk, run.queue) == (None, stored.pk, "reports")
    job.refresh_from_db()
    assert (job.last_run_id, job.handed_run_id) == (stored.pk, stored.pk)


def test_a_second_delivery_finds_nothing_to_do(handed, worker, now):
    assert history.take_up(handed, None, worker, now, None) is not None
    assert history.take_up(handed, None, Identity.mine(), now, None) is None
    assert history.waiting(handed.run_id) is None


def test_a_worker_whose_first_answer_was_lost_has_the_run_all_the_same(handed, worker, now):
    first = history.take_up(handed, None, worker, now, None)
    assert history.take_up(handed, None, worker, now, None).pk == first.pk


def test_what_became_due_meanwhile_is_folded_in(handed, worker, now, job):
    later = Firing(
        job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + 4 * MINUTE, coalesced=2, run_id=1
    )
    history.take_up(handed, later, worker, now, now + 5 * MINUTE)
    stored = Run.objects.get()
    assert (stored.scheduled_for, stored.coalesced) == (later.fire_time, 3)
    job.refresh_from_db()
    assert (job.last_fire_at, job.next_run_at) == (later.fire_time, now + 5 * MINUTE)


def test_what_another_run_covers_is_not_folded_in(handed, worker, now, job):
    Job.objects.update(last_fire_at=now + 9 * MINUTE)
    later = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + 4 * MINUTE)
    history.take_up(handed, later, worker, now, None)
    assert Run.objects.get().coalesced == 0


def test_the_end_lets_the_job_go_on_and_is_to_be_told_of(handed, worker, now, job):
    run = history.take_up(handed, None, worker, now, None)
    history.close(run, GOOD, now, next_jobs=(), mail=True)
    (away,) = history.to_look_at(now)
    assert (away.status, away.owes_mail) == (Status.SUCCEEDED, True)
    assert not history.is_busy(job.pk)


def test_what_follows_is_told_of_with_it(handed, worker, now, job):
    run = history.take_up(handed, None, worker, now, None)
    history.close(run, GOOD, now, next_jobs=(job.name,), mail=False)
    (queued,) = history.chained_after([run.pk])[run.pk]
    assert (queued.name, queued.cause) == (job.name, Cause.CHAIN)


def test_skips_in_a_row_for_one_reason_share_a_row(handed, worker, me, now, job):
    history.skip_away(handed, "nothing to do", now)
    first = Run.objects.get()
    assert (first.status, history.is_busy(job.pk)) == (Status.SKIPPED, False)
    history.told([first.pk])
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + 2 * MINUTE, coalesced=3)
    second = history.waiting(history.hand_over(firing, me, "reports", now, None))
    history.skip_away(second, "nothing to do", now + MINUTE)
    stored = Run.objects.get()
    assert (stored.pk, stored.coalesced, stored.finished_at) == (first.pk, 4, now + MINUTE)
    assert [away.run_id for away in history.to_look_at(now)] == [first.pk]
    assert not history.is_busy(job.pk)


def test_a_run_asked_for_by_hand_is_skipped_in_a_row_of_its_own(me, now, job):
    asked = Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now)
    by_hand = Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=asked.pk)
    history.hand_over(by_hand, me, "reports", now, None)
    history.skip_away(by_hand, "nothing to do", now)
    assert Run.objects.get().status == Status.SKIPPED


def test_a_skip_after_another_worker_has_begun_changes_nothing(handed, worker, now, job):
    history.take_up(handed, None, worker, now, None)
    history.skip_away(handed, "nothing to do", now)
    assert Run.objects.get().status == Status.RUNNING
    assert history.is_busy(job.pk)


def test_a_run_that_is_given_back_is_looked_at_at_once(handed, now):
    history.handed(handed.run_id, now + MINUTE)
    history.give_back(handed.run_id)
    assert [away.run_id for away in history.to_look_at(now)] == [handed.run_id]


def test_a_heartbeat_is_written_while_the_run_is_ours(handed, worker, now):
    run = history.take_up(handed, None, worker, now, None)
    assert history.beat(run, now + MINUTE)
    (sign,) = history.signs()
    assert (sign.run_id, sign.heartbeat_at) == (run.pk, now + MINUTE)
    Run.objects.update(status=Status.ABANDONED)
    assert not history.beat(run, now + 2 * MINUTE)


def test_a_run_is_given_up_only_if_no_further_sign_has_come(handed, worker, now, job):
    run = history.take_up(handed, None, worker, now, None)
    (sign,) = history.signs()
    seen = history.lost(sign)
    history.beat(run, now + MINUTE)
    assert history.lost(sign) is None
    assert not history.abandon(seen, "silent", now)
    (sign,) = history.signs()
    assert history.abandon(history.lost(sign), "silent", now)
    assert [away.status for away in history.to_look_at(now)] == [Status.ABANDONED]
    assert not history.is_busy(job.pk)


def test_a_run_that_its_worker_breaks_off_is_abandoned_whatever_its_heartbeat(handed, worker, now):
    run = history.take_up(handed, None, worker, now, None)
    history.beat(run, now + MINUTE)
    assert history.break_off(run, "interrupted", now)
    assert not history.break_off(run, "interrupted", now)
    assert Run.objects.get().status == Status.ABANDONED


def test_the_runners_own_running_runs_are_not_those_of_workers(handed, worker, now):
    history.take_up(handed, None, worker, now, None)
    assert history.open_runs() == []


def test_a_worker_hears_who_wants_its_run_to_end(handed, worker, now):
    run = history.take_up(handed, None, worker, now, None)
    assert history.wish_to_end(run.pk) is None
    history.ask_to_end(run.pk, "alice", now)
    assert history.wish_to_end(run.pk) == "alice"
