import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, OperationalError

from scheduler_bridge import api, changes, discovery, errand, history, identity
from scheduler_bridge.discovery import Discovery, discover
from scheduler_bridge.exceptions import SkipRun
from scheduler_bridge.execution import child_process, mark
from scheduler_bridge.execution.outcome import Outcome
from scheduler_bridge.heartbeat import Heartbeat
from scheduler_bridge.history import Firing
from scheduler_bridge.models import Cause, Job, Run, Status

NAME = "tests.demo.specimen"


@pytest.fixture
def define(monkeypatch, tasks):
    """Let the specimen's class say something else."""

    def change(**values):
        given = discover()
        definition = replace(given.definitions[NAME], internal=False, queue="reports", **values)
        found = Discovery(definitions={**given.definitions, NAME: definition}, broken={}, others=())
        monkeypatch.setattr(discovery, "discover", lambda: found)

    change()
    return change


@pytest.fixture
def outside(monkeypatch):
    """What the job's process does, without one."""
    given = {"outcome": Outcome(status=Status.SUCCEEDED, exit_code=0, output="done\n"), "specs": []}

    def run(spec, spawner, *, on_output, stop, until):
        given["specs"].append(spec)
        if isinstance(given["outcome"], BaseException):
            raise given["outcome"]
        return given["outcome"]

    monkeypatch.setattr(child_process, "run", run)
    monkeypatch.setattr(Heartbeat, "claimed", lambda self, run: setattr(self, "run", run))
    return given


@pytest.fixture
def told(monkeypatch):
    told: list[bool] = []
    monkeypatch.setattr(changes, "announce", lambda: told.append(True))
    return told


@pytest.fixture
def handed(me, define, outside, told, monkeypatch):
    """The number of a run that waits for a worker, due a moment ago."""
    monkeypatch.setattr(identity, "_learnt", identity.Learnt())
    job, due = Job.objects.get(name=NAME), datetime.now(UTC)
    Job.objects.filter(pk=job.pk).update(owed_since=due - timedelta(hours=1))
    firing = Firing(job_id=job.pk, name=NAME, cause=Cause.SCHEDULE, fire_time=due)
    return history.hand_over(firing, me, "reports", due, None)


def test_a_worker_performs_a_run_as_the_runner_would(handed, outside, told):
    completion = errand.perform(handed)
    stored = Run.objects.get()
    assert (completion.status, stored.status, stored.output, stored.exit_code) == (
        "succeeded",
        "succeeded",
        "done\n",
        0,
    )
    assert (outside["specs"][0].command, told) == ("specimen", [True])
    assert outside["specs"][0].marker == mark.proved(stored.marker, identity.learn("default")) != stored.marker
    assert not history.is_busy(stored.job_id)


def test_delivered_twice_it_is_performed_once(handed, outside):
    errand.perform(handed)
    assert errand.perform(handed) is None
    assert len(outside["specs"]) == 1


def test_a_run_that_was_cancelled_while_it_waited_is_not_performed(handed, outside):
    api.cancel(handed, by="alice")
    assert errand.perform(handed) is None
    assert outside["specs"] == []


def test_should_run_is_asked_right_before(handed, define, outside, told):
    def no():
        raise SkipRun("nothing to report")

    define(should_run=no)
    assert errand.perform(handed).status == Status.SKIPPED
    stored = Run.objects.get()
    assert (stored.status, stored.reason, outside["specs"], told) == ("skipped", "nothing to report", [], [True])


def test_a_job_that_was_disabled_meanwhile_is_skipped(handed, outside):
    Job.objects.filter(name=NAME).update(enabled=False)
    assert errand.perform(handed).reason == "the job is disabled"
    assert outside["specs"] == []


def test_on_hold_a_run_goes_back_to_the_runner(handed, outside):
    history.handed(handed, datetime.now(UTC) + timedelta(hours=1))
    api.hold("deployment")
    assert errand.perform(handed) is None
    assert Run.objects.get().status == Status.QUEUED
    assert [away.run_id for away in history.to_look_at(datetime.now(UTC))] == [handed]


def test_what_became_due_while_it_waited_is_counted(handed, define, outside):
    past = datetime.now(UTC) - timedelta(hours=1, minutes=1)
    Job.objects.filter(name=NAME).update(owed_since=past, last_fire_at=past)
    errand.perform(handed)
    stored = Run.objects.get()
    assert stored.coalesced == 2  # of every 30 minutes
    assert datetime.now(UTC) - timedelta(minutes=2) < stored.scheduled_for


def test_what_the_engine_breaks_off_is_abandoned_and_the_engine_hears_its_own_error(handed, outside, told):
    outside["outcome"] = TimeoutError("the engine's own limit")
    with pytest.raises(TimeoutError):
        errand.perform(handed)
    stored = Run.objects.get()
    assert (stored.status, stored.reason) == (
        Status.ABANDONED,
        "its worker was interrupted: TimeoutError: the engine's own limit",
    )
    assert told == [True]


def test_an_error_before_the_run_is_taken_up_leaves_it_waiting(handed, monkeypatch):
    def fail(*args):
        raise RuntimeError("nothing to do with it")

    monkeypatch.setattr(errand, "perform_firing", fail)
    with pytest.raises(RuntimeError):
        errand.perform(handed)
    assert Run.objects.get().status == Status.QUEUED


def test_a_break_off_that_cannot_be_recorded_is_left_to_the_runner(handed, outside, monkeypatch, caplog):
    def refuse(*args):
        raise DatabaseError("gone")

    monkeypatch.setattr(history, "break_off", refuse)
    outside["outcome"] = TimeoutError("the engine's own limit")
    with pytest.raises(TimeoutError):
        errand.perform(handed)
    assert "the runner gives it up when no heartbeat comes" in caplog.text


def test_a_connection_that_was_closed_while_the_worker_was_idle_is_opened_anew(handed, monkeypatch, outside):
    real, calls = history.waiting, []

    def waiting(run_id):
        calls.append(run_id)
        if len(calls) == 1:
            raise OperationalError("server closed the connection")
        return real(run_id)

    monkeypatch.setattr(history, "waiting", waiting)
    monkeypatch.setattr(errand.connection, "drop", lambda alias: None)
    assert errand.perform(handed).status == Status.SUCCEEDED


def test_the_first_job_of_a_process_is_a_new_program_and_later_ones_are_as_the_settings_say(settings, monkeypatch):
    monkeypatch.setattr(errand, "_spawners", {})
    settings.SCHEDULER_BRIDGE = {"SPAWN": "fork"}
    ways = [errand._spawner()._way for _ in range(3)]
    assert ways == ["exec", "fork", "fork"]
    assert list(errand._spawners) == [os.getpid()]


def test_what_was_forked_from_a_worker_uses_nothing_of_it(monkeypatch, settings):
    settings.SCHEDULER_BRIDGE = {"SPAWN": "fork"}
    known = errand._spawner()
    monkeypatch.setattr(errand, "_spawners", {os.getpid() + 1: ("fork", known)})
    assert errand._spawner() is not known
