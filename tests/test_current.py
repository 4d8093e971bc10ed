from scheduler_bridge.current import Current
from scheduler_bridge.execution.child_process import StopRequest
from scheduler_bridge.history import Firing, claim
from scheduler_bridge.models import Cause, Run, Status


def test_nothing_in_hand_is_neither_internal_nor_to_end(job):
    current = Current()
    assert (current.is_internal, current.wish()) == (False, None)
    current.abandon()
    assert not Run.objects.exists()


def test_a_run_inside_the_runner_is_known_as_such_until_it_has_ended():
    current = Current()
    current.entered(Run(pk=7), True)
    assert current.is_internal
    current.entered(None, False)
    assert not current.is_internal


def test_the_runners_own_reason_goes_before_that_of_a_person():
    current = Current()
    current.to_end = {7: "alice"}
    current.entered(Run(pk=7), False)
    assert current.wish() == StopRequest("cancelled by alice")
    current.end("the runner was stopped")
    assert current.wish() == StopRequest("the runner was stopped")


def test_a_run_that_the_runner_leaves_behind_is_recorded_as_abandoned(me, job, now):
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now)
    job.owed_since = now
    run = claim(firing, me, now, None)
    current = Current()
    current.entered(run, True)
    current.abandon()
    assert Run.objects.get().status == Status.ABANDONED
