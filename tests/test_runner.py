"""What the process decides; its real life with signals is seen in the acceptance tests."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.interval import IntervalTrigger

from scheduler_bridge import run
from scheduler_bridge.away import News
from scheduler_bridge.execution.child_process import StopRequest
from scheduler_bridge.gate import Held
from scheduler_bridge.history import Away, Firing, Queued
from scheduler_bridge.models import Cause, Run, Status
from scheduler_bridge.orders import Timetable
from scheduler_bridge.registry import Planned
from scheduler_bridge.runner import EXIT_OCCUPIED, EXIT_OUTDATED, EXIT_STOPPED, RunnerProcess
from scheduler_bridge.triggers import Overdue


@pytest.fixture
def runner():
    return RunnerProcess()


@pytest.fixture
def once():
    return RunnerProcess(once=True)


def planned(name: str, due: Overdue | None) -> Planned:
    trigger = IntervalTrigger(hours=1, timezone=UTC)
    return Planned(job_id=1, name=name, key="key", trigger=trigger, next_run_at=datetime.now(UTC), due=due)


def wishes(runner: RunnerProcess) -> None:
    """Let the scheduler do what it was asked for, without starting its loop."""
    while not runner.scheduler._wishes.empty():
        runner.scheduler._wishes.get()(runner.scheduler)


def test_the_first_signal_stops_and_the_second_hurries(runner):
    runner._on_stop(signal.SIGTERM, None)
    assert (runner._stopping, runner._hurried, runner.exit_code) == (True, False, EXIT_STOPPED)
    runner._on_stop(signal.SIGINT, None)
    assert runner._hurried


def test_newer_code_is_said_once_and_waits_for_the_run(runner, caplog):
    caplog.set_level("INFO", "scheduler_bridge")
    runner._outdated()
    runner._outdated()
    assert (runner._patient, runner.exit_code, len(caplog.records)) == (True, EXIT_OUTDATED, 1)


def test_a_signal_while_newer_code_waits_is_a_first_signal(runner):
    runner._outdated()
    runner._on_stop(signal.SIGTERM, None)
    assert (runner._hurried, runner._patient, runner.exit_code) == (False, False, EXIT_STOPPED)


def test_a_standby_waits_and_says_why(runner, caplog):
    caplog.set_level("INFO", "scheduler_bridge")
    assert runner._occupied("host process 1 is the runner")
    assert caplog.messages == ["standby: host process 1 is the runner"]
    assert not runner._stopping


def test_once_does_not_wait_for_another_runner(once, caplog):
    assert not once._occupied("host process 1 is the runner")
    assert once.exit_code == EXIT_OCCUPIED
    assert caplog.messages == ["host process 1 is the runner, so nothing is run here"]


@pytest.mark.parametrize(("step", "again"), [(0.0, False), (1.5, False), (-3600.0, True), (3600.0, True)])
def test_a_step_of_the_clock_times_everything_again(runner, now, caplog, step, again):
    runner._turned(runner.scheduler, now)
    wall, monotonic = runner._turn
    runner._turn = (wall - timedelta(seconds=step), monotonic)
    runner._turned(runner.scheduler, now)
    assert runner.control._again is again
    assert bool(caplog.messages) is again


def test_once_runs_only_what_is_due_and_each_only_once(once, now):
    due = planned("due", Overdue(latest=now, coalesced=0))
    soon = Queued(run_id=1, job_id=1, name="soon", cause=Cause.MANUAL, scheduled_for=datetime.now(UTC))
    later = Queued(
        run_id=2, job_id=1, name="later", cause=Cause.MANUAL, scheduled_for=soon.scheduled_for + timedelta(1)
    )
    timetable = Timetable(planned=(due, planned("not due", None)), queued=(soon, later), held=False, again=False)
    once._apply(timetable)
    wishes(once)
    assert {job.id for job in once.scheduler.get_jobs()} == {"due", "run:1"}
    once.scheduler.remove_all_jobs()
    once._apply(timetable)
    wishes(once)
    assert once.scheduler.get_jobs() == []


def test_once_leaves_what_comes_meanwhile_to_the_next_runner(once, now):
    due = planned("due", Overdue(latest=now, coalesced=0))
    once._apply(Timetable(planned=(due,), queued=(), held=False, again=False))
    wishes(once)
    job = once.scheduler.get_job("due")
    assert job.trigger.get_next_fire_time(job.next_run_time, due.next_run_at) is None


def test_once_ends_when_nothing_is_due(once, now):
    once._turned(once.scheduler, now)
    assert not once._stopping
    once._apply(Timetable(planned=(), queued=(), held=False, again=False))
    wishes(once)
    once._turned(once.scheduler, now)
    assert once._stopping


def test_once_ends_during_a_hold(once, now):
    due = planned("due", Overdue(latest=now, coalesced=0))
    once._apply(Timetable(planned=(due,), queued=(), held=True, again=False))
    wishes(once)
    once.scheduler.remove_all_jobs()
    once._turned(once.scheduler, now)
    assert once._stopping


@pytest.mark.parametrize("stop", [run.Stopped, Held])
def test_a_run_that_did_not_start_completes_nothing(runner, now, monkeypatch, stop):
    def refuse(firing: Firing, place: run.Workplace) -> None:
        raise stop

    monkeypatch.setattr(run, "perform", refuse)
    firing = Firing(job_id=1, name="demo", cause=Cause.SCHEDULE, fire_time=now)
    if stop is Held:
        with pytest.raises(Held):
            runner._perform(firing)
        assert runner.control._asked
    else:
        assert runner._perform(firing) is None
    assert not runner.reporter.is_wanted


@pytest.mark.parametrize("owes_mail", [True, False])
def test_mails_are_looked_for_only_when_a_run_owes_one(runner, now, monkeypatch, owes_mail):
    completion = run.Completion(name="demo", status=Status.FAILED, owes_mail=owes_mail)
    monkeypatch.setattr(run, "perform", lambda firing, place: completion)
    assert runner._perform(Firing(job_id=1, name="demo", cause=Cause.SCHEDULE, fire_time=now)) is completion
    assert runner.reporter.is_wanted == owes_mail


@pytest.mark.parametrize(("by", "reason"), [("alice", "cancelled by alice"), ("", "cancelled")])
def test_a_run_that_somebody_wants_to_end_is_told_so_and_no_other(runner, by, reason):
    runner._apply(Timetable(planned=(), queued=(), held=False, again=False, to_end={7: by}))
    assert runner._current.wish() is None
    for number, wish in ((8, None), (7, StopRequest(reason))):
        runner._current.entered(Run(pk=number), False)
        assert runner._current.wish() == wish


def test_a_stop_of_the_runner_is_the_reason_that_counts(runner):
    runner._current.end("the runner was stopped")
    runner._current.entered(Run(pk=7), False)
    runner._current.to_end = {7: "alice"}
    assert runner._current.wish() == StopRequest("the runner was stopped")


@pytest.fixture
def ended():
    """A run that a worker of an engine has ended."""
    away = Away(
        run_id=7,
        job_id=1,
        name="report",
        cause=Cause.SCHEDULE,
        fire_time=datetime.now(UTC),
        status=Status.FAILED,
        reason="exit code 1",
        queue="reports",
        tries=1,
        owes_mail=True,
    )
    return away, run.Completion(name="report", status=Status.FAILED, run_id=7, owes_mail=True)


def test_the_end_of_a_run_that_was_handed_over_is_heard_by_all(runner, monkeypatch, ended):
    freed, told, again = [], [], []
    monkeypatch.setattr(runner.handing, "free", freed.append)
    monkeypatch.setattr(runner.handing, "again", again.append)
    monkeypatch.setattr(runner.scheduler, "tell_of", lambda away, completion: told.append(completion.status))
    runner._heard(News(again=("waiting",), ended=(ended,)))
    wishes(runner)
    assert (freed, told, again, runner.reporter.is_wanted) == ([1], [Status.FAILED], [("waiting",)], True)


@pytest.mark.parametrize("is_handed_over", [True, False])
def test_a_job_that_came_back_to_the_worker_meanwhile_is_timed_anew(runner, monkeypatch, ended, is_handed_over):
    reloads = []
    monkeypatch.setattr(runner.control, "reload", lambda again: reloads.append(again))
    monkeypatch.setattr(runner.scheduler, "tell_of", lambda away, completion: None)
    monkeypatch.setattr(runner.scheduler, "is_handed_over", lambda name: is_handed_over)
    runner._heard(News(ended=(ended,)))
    wishes(runner)
    assert reloads == ([] if is_handed_over else [True])


def test_once_waits_until_what_is_due_is_handed_over(once, monkeypatch):
    monkeypatch.setattr(type(once.worker), "is_idle", True)
    for is_idle in (False, True):
        monkeypatch.setattr(type(once.handing), "is_idle", is_idle)
        assert once._is_done == is_idle


def test_a_run_that_is_the_runners_own_after_all_is_taken_up(runner, now):
    queued = Queued(run_id=7, job_id=1, name="demo", cause=Cause.MANUAL, scheduled_for=now)
    runner._local(queued)
    wishes(runner)
    assert runner.scheduler.get_job("run:7").executor == "default"
