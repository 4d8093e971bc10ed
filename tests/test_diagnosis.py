from datetime import timedelta

import pytest

from scheduler_bridge import api, diagnosis, lease
from scheduler_bridge.diagnosis import RunnerState
from scheduler_bridge.models import Cause, Job, Run, Runner, Status

NAME = "tests.demo.specimen"


@pytest.fixture
def specimen(me, now):
    Job.objects.filter(name=NAME).update(next_run_at=now + timedelta(minutes=5), last_run=None)
    return Job.objects.get(name=NAME)


def stop(now, name=NAME) -> tuple[str | None, str]:
    found = diagnosis.why(name, now)
    return (found.stop.name if found.stop else None), found.text


def test_a_job_that_nothing_stops_is_due_then(specimen, now):
    assert stop(now) == (None, "next due at 2026-03-10 13:05:00")


def test_an_unknown_job_is_said_to_be_none(specimen, now):
    assert stop(now, "shop.nothing") == ("job", "there is no job named shop.nothing")


def test_a_removed_job_is_stopped_first_of_all(specimen, now):
    Job.objects.update(removed_at=now, enabled=False)
    assert stop(now)[0] == "job"


def test_a_broken_job_shows_its_error(specimen, now):
    Job.objects.update(broken="Traceback\nImportError: no bank")
    assert stop(now) == ("job", "its command cannot be loaded: ImportError: no bank")


def test_no_runner_is_said(specimen, me, now):
    assert stop(now + timedelta(seconds=20))[1].startswith("no runner is alive")
    lease.release(me)
    assert stop(now) == ("runner", "no runner is alive: nobody holds the lease")


def test_a_runner_that_was_killed_on_this_machine_is_no_longer_called_alive(specimen, now):
    Runner.objects.update(pid=2**22 + 1)
    assert stop(now)[1].startswith("no runner is alive: ")


def test_a_loop_that_stalls_is_said(specimen, me, now):
    lease.renew(me, now + timedelta(seconds=90), now)
    assert "the loop of the runner stalls" in stop(now + timedelta(seconds=90))[1]


def test_a_hold_is_said_with_its_reason_and_by_whom(specimen, now):
    api.hold("stocktaking", by="alice")
    name, text = stop(now)
    assert name == "hold"
    assert text.endswith("by alice: stocktaking")


def test_a_disabled_job_is_said_with_by_whom(specimen, now):
    Job.objects.update(enabled=False, changed_by="bob", changed_at=now)
    assert stop(now) == ("enabled", "disabled (database) by bob at 2026-03-10 13:00:00")


def test_a_job_without_a_schedule_is_said_unless_a_run_is_queued(specimen, now):
    assert stop(now, "tests.demo.by_hand")[0] == "schedule"
    api.run_now("tests.demo.by_hand")
    assert stop(now, "tests.demo.by_hand")[0] != "schedule"


def test_a_job_that_waits_names_what_it_waits_behind(specimen, now):
    other = Job.objects.get(name="tests.demo.by_hand")
    Run.objects.create(job=other, status=Status.RUNNING, cause=Cause.MANUAL, scheduled_for=now, started_at=now)
    assert stop(now)[0] is None
    Job.objects.filter(name=NAME).update(next_run_at=now - timedelta(seconds=1))
    name, text = stop(now)
    assert name == "worker"
    assert "it waits behind tests.demo.by_hand" in text


def test_a_skipped_job_says_why(specimen, now):
    run = Run.objects.create(
        job=specimen, status=Status.SKIPPED, cause=Cause.SCHEDULE, scheduled_for=now, reason="no orders", coalesced=2
    )
    Job.objects.filter(name=NAME).update(last_run=run)
    assert stop(now) == ("should_run", "skipped 3 times in a row, last at 2026-03-10 13:00:00: no orders")


def test_the_gate_of_the_runner_names_it(specimen, now):
    gate = diagnosis.runner_gate(lease.holder(), now)
    assert gate.passed
    assert gate.text.startswith("alive: ")
    assert Runner.objects.get().host in gate.text


def test_one_skip_is_not_said_to_be_several(specimen, now):
    run = Run.objects.create(
        job=specimen, status=Status.SKIPPED, cause=Cause.SCHEDULE, scheduled_for=now, reason="no orders"
    )
    Job.objects.filter(name=NAME).update(last_run=run)
    assert stop(now) == ("should_run", "skipped at 2026-03-10 13:00:00: no orders")


def test_a_job_that_runs_now_is_said_to_run(specimen, now):
    run = Run.objects.create(
        job=specimen, status=Status.RUNNING, cause=Cause.SCHEDULE, scheduled_for=now, started_at=now
    )
    assert stop(now) == (None, f"it runs now, since 2026-03-10 13:00:00 (run {run.pk})")


def test_a_job_without_a_schedule_that_runs_now_is_stopped_by_nothing(specimen, now):
    by_hand = Job.objects.get(name="tests.demo.by_hand")
    Run.objects.create(job=by_hand, status=Status.RUNNING, cause=Cause.MANUAL, scheduled_for=now, started_at=now)
    assert stop(now, by_hand.name)[0] is None


def test_a_job_that_is_due_with_a_free_worker_is_about_to_start(specimen, now):
    Job.objects.filter(name=NAME).update(next_run_at=now - timedelta(seconds=1))
    assert stop(now) == (None, "due since 2026-03-10 12:59:59, it is about to start")


def test_a_queued_run_is_due_before_the_schedule(specimen, now):
    due = now + timedelta(minutes=1)
    Run.objects.create(job=specimen, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=due)
    assert stop(now) == (None, "next due at 2026-03-10 13:01:00")


def test_a_forced_run_is_not_stopped_by_the_switch(specimen, now):
    Job.objects.filter(name=NAME).update(enabled=False, next_run_at=None)
    Run.objects.create(job=specimen, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now, forced=True)
    assert stop(now)[0] is None


def test_a_schedule_that_is_over_is_said(specimen, now):
    Job.objects.filter(name=NAME).update(next_run_at=None, last_fire_at=now)
    name, text = stop(now)
    assert name == "schedule"
    assert text.startswith("its schedule has no further fire time")


def test_a_job_disabled_in_the_settings_names_them(specimen, now, settings):
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {NAME: {"enabled": False}}}
    Job.objects.filter(name=NAME).update(enabled=False, enabled_default=False, changed_by="bob", changed_at=now)
    assert stop(now) == ("enabled", "disabled (settings)")


def test_the_gates_stand_in_the_order_in_which_a_run_meets_them(specimen, now):
    names = [gate.name for gate in diagnosis.why(NAME, now).gates]
    assert names == ["job", "runner", "hold", "enabled", "schedule", "worker", "start", "should_run", "next"]


def test_the_state_of_the_runner_is_what_its_gate_says(me, now):
    found = lease.holder()
    assert diagnosis.runner_state(found, now) == RunnerState.ALIVE
    assert diagnosis.runner_state(found, now + timedelta(seconds=16)) == RunnerState.ABSENT
    assert diagnosis.runner_state(None, now) == RunnerState.ABSENT
    later = now + timedelta(seconds=90)
    lease.renew(me, later, now)
    assert diagnosis.runner_state(lease.holder(), later) == RunnerState.STALLED
    for moment in (now, later, later + timedelta(minutes=5)):
        state = diagnosis.runner_state(lease.holder(), moment)
        assert diagnosis.runner_gate(lease.holder(), moment).passed == (state == RunnerState.ALIVE)


# What is handed over


@pytest.fixture
def elsewhere(specimen, tasks, now):
    """A run of the job that is handed over."""
    Job.objects.filter(pk=specimen.pk).update(override_queue="reports")

    def hand(status: str = Status.QUEUED, **values) -> Run:
        times = {"scheduled_for": now, "handed_at": now, "hand_at": now + timedelta(minutes=1)}
        run = Run.objects.create(
            job=specimen, status=status, cause=Cause.SCHEDULE, queue="reports", **{**times, **values}
        )
        Job.objects.filter(pk=specimen.pk).update(handed_run_id=run.pk)
        return run

    return hand


def gate(now) -> tuple[bool, str]:
    (found,) = [gate for gate in diagnosis.why(NAME, now).gates if gate.name == "queue"]
    return found.passed, found.text


def test_a_job_with_a_queue_does_not_wait_for_the_worker(elsewhere, job, now):
    Run.objects.create(job=job, status=Status.RUNNING, cause=Cause.SCHEDULE, scheduled_for=now, started_at=now)
    Job.objects.filter(name=NAME).update(next_run_at=now)
    assert gate(now) == (True, "its runs are handed over to queue reports (database)")
    assert stop(now)[0] is None


def test_a_run_that_was_handed_over_waits_for_a_worker(elsewhere, now):
    run = elsewhere()
    text = f"it waits for a worker of queue reports since 2026-03-10 13:00:00 (run {run.pk})"
    assert stop(now) == ("queue", text)


def test_that_nobody_serves_a_queue_is_said(elsewhere, now):
    run = elsewhere(handed_at=now - timedelta(minutes=2))
    text = f"nobody serves queue reports: it waits for a worker since 2026-03-10 12:58:00 (run {run.pk})"
    assert stop(now) == ("queue", text)


def test_a_run_that_was_given_back_waits_to_be_handed_over_again(elsewhere, now):
    run = elsewhere(handed_at=None)
    assert gate(now) == (False, f"it waits to be handed over to queue reports again (run {run.pk})")


def test_a_run_that_goes_on_elsewhere_is_told_with_its_host(elsewhere, now):
    run = elsewhere(Status.RUNNING, started_at=now, host="far", heartbeat_at=now, hand_at=None)
    since = f"since 2026-03-10 13:00:00 (run {run.pk})"
    assert gate(now) == (True, f"a worker of queue reports performs it at far, {since}")
    assert stop(now) == (None, f"it runs now at far, {since}")


def test_what_is_handed_over_does_not_occupy_the_worker(elsewhere, now, job):
    elsewhere(Status.RUNNING, started_at=now, host="far", hand_at=None)
    Job.objects.filter(name="tests.demo.by_hand").update(next_run_at=now)
    found = diagnosis.why("tests.demo.by_hand", now)
    assert [gate.text for gate in found.gates if gate.name == "worker"] == ["the worker is free"]
