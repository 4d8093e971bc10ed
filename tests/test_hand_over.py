from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import api, history
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.execution.outcome import Outcome
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Run, Status

MINUTE = timedelta(minutes=1)
GOOD = Outcome(status=Status.SUCCEEDED, exit_code=0, output="")


@pytest.fixture
def firing(job, now):
    return Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + MINUTE, coalesced=2)


def hand(firing, me, now):
    return history.hand_over(firing, me, "reports", now, None)


def test_a_run_is_recorded_as_waiting_before_the_engine_hears_of_it(firing, me, now, job):
    run = Run.objects.get(pk=hand(firing, me, now))
    assert (run.status, run.queue, run.scheduled_for, run.coalesced) == ("queued", "reports", firing.fire_time, 2)
    job.refresh_from_db()
    assert (job.handed_run_id, job.last_fire_at, job.last_run_id) == (run.pk, firing.fire_time, None)


def test_since_when_a_run_waits_for_a_worker_is_noted_until_the_runner_has_it_again(firing, me, now, job):
    before = datetime.now(UTC)
    run = Run.objects.get(pk=hand(firing, me, now))
    assert before <= run.handed_at <= datetime.now(UTC)
    history.handed(run.pk, now + MINUTE)
    assert Run.objects.get().handed_at == run.handed_at
    history.redirect(run.pk, "mail")
    assert Run.objects.get().handed_at > run.handed_at
    history.give_back(run.pk)
    assert Run.objects.get().handed_at is None
    history.handed(run.pk, now + MINUTE)
    assert Run.objects.get().handed_at is not None
    history.keep(run.pk)
    assert Run.objects.get().handed_at is None


def test_a_fire_time_is_handed_over_once(firing, me, now, job):
    assert hand(firing, me, now) is not None
    Job.objects.update(handed_run_id=None)
    assert hand(firing, me, now) is None
    assert Run.objects.count() == 1


def test_a_job_has_one_run_that_is_handed_over_and_what_is_due_meanwhile_stays_due(firing, me, now, job):
    hand(firing, me, now)
    later = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + 2 * MINUTE)
    assert hand(later, me, now) is None
    job.refresh_from_db()
    assert (job.last_fire_at, history.is_busy(job.pk)) == (firing.fire_time, True)


def test_the_runners_own_worker_starts_no_job_that_is_handed_over(firing, me, now, job):
    hand(firing, me, now)
    later = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + 2 * MINUTE)
    assert history.claim(later, me, now, None) is None
    asked = Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now)
    by_hand = Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=asked.pk)
    assert history.claim(by_hand, me, now, None) is None
    asked.refresh_from_db()
    assert asked.status == Status.QUEUED


def test_a_job_that_the_runner_runs_itself_is_not_handed_over(firing, me, now, job):
    running = history.claim(firing, me, now, None)
    later = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + 2 * MINUTE)
    assert hand(later, me, now) is None
    history.close(running, GOOD, now, next_jobs=(), mail=False)
    assert not history.is_busy(job.pk)
    assert hand(later, me, now) is not None


def test_nothing_is_handed_over_without_the_lease(firing, now, me):
    with pytest.raises(LeaseLost):
        hand(firing, Identity.mine(), now)
    assert not Run.objects.exists()


def test_a_queued_run_is_handed_over_as_it_is(me, now, job):
    asked = Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now)
    by_hand = Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=asked.pk)
    assert hand(by_hand, me, now) == asked.pk
    assert history.queued() == ()
    assert [item.run_id for item in history.all_queued()] == [asked.pk]
    assert hand(by_hand, me, now) is None


def test_a_run_that_nobody_takes_up_is_looked_at_again_when_that_is_due(firing, me, now):
    run_id = hand(firing, me, now)
    assert [away.run_id for away in history.to_look_at(now)] == [run_id]
    history.handed(run_id, now + MINUTE)
    assert history.to_look_at(now) == []
    (away,) = history.to_look_at(now + MINUTE)
    assert (away.run_id, away.queue, away.tries, away.status) == (run_id, "reports", 1, Status.QUEUED)
    history.look_again(away.job_id)
    assert len(history.to_look_at(now)) == 1


def test_a_run_that_is_only_postponed_does_not_count_as_handed_over(firing, me, now):
    run_id = hand(firing, me, now)
    history.handed(run_id, now)
    history.postpone(run_id, now + MINUTE)
    assert history.to_look_at(now) == []
    (away,) = history.to_look_at(now + MINUTE)
    assert (away.tries, away.handed_at) == (1, Run.objects.get().handed_at)


def test_a_run_whose_job_has_no_queue_any_more_is_the_runners_own_again(firing, me, now, job):
    run_id = hand(firing, me, now)
    queued = history.keep(run_id)
    assert (queued.run_id, queued.queue, history.queued()) == (run_id, "", (queued,))
    assert not history.is_busy(job.pk)


def test_a_run_that_waits_may_go_to_another_queue(firing, me, now):
    run_id = hand(firing, me, now)
    history.redirect(run_id, "mail")
    assert Run.objects.get().queue == "mail"


def test_an_end_is_told_of_once(firing, me, now, job):
    run_id = hand(firing, me, now)
    assert history.is_any_handed()
    assert api.cancel(run_id, by="alice") == Status.CANCELLED
    (away,) = history.to_look_at(now)
    assert (away.status, away.reason, away.name) == (Status.CANCELLED, "cancelled by alice", job.name)
    history.told([run_id])
    assert history.to_look_at(now) == []
    assert not history.is_any_handed()


def test_a_job_goes_on_when_its_run_was_deleted_or_closed_by_hand(firing, me, now, job):
    run_id = hand(firing, me, now)
    history.release_lost()
    assert history.is_busy(job.pk)
    Run.objects.update(status=Status.CANCELLED)
    history.release_lost()
    assert not history.is_busy(job.pk)
    assert [away.run_id for away in history.to_look_at(now)] == [run_id]
    Job.objects.filter(pk=job.pk).update(handed_run_id=run_id + 1)
    history.release_lost()
    assert not history.is_busy(job.pk)


def test_a_skip_as_a_hold_ends_lets_the_job_go_on(firing, me, now, job):
    run_id = hand(firing, me, now)
    api.resume("skip")
    assert Run.objects.get(pk=run_id).status == Status.SKIPPED
    assert not history.is_busy(job.pk)
    assert [away.status for away in history.to_look_at(now)] == [Status.SKIPPED]


def test_a_claim_key_that_is_taken_hands_nothing_over_and_moves_the_job_on(firing, me, now, job):
    done = history.claim(firing, me, now, None)
    history.close(done, GOOD, now, next_jobs=(), mail=False)
    Job.objects.filter(pk=job.pk).update(last_fire_at=None)
    assert hand(firing, me, now) is None
    job.refresh_from_db()
    assert (job.last_fire_at, job.handed_run_id) == (firing.fire_time, None)
    assert Run.objects.get() == done
