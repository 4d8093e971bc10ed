import threading

import pytest
from django.db import OperationalError, connection

from scheduler_bridge import heartbeat, history
from scheduler_bridge.execution.child_process import StopRequest
from scheduler_bridge.heartbeat import BEAT, EXPIRES_AFTER, LOOK, Heartbeat
from scheduler_bridge.models import Run


@pytest.fixture
def clock(monkeypatch):
    """An uptime that the test sets."""
    clock = [100.0]
    monkeypatch.setattr(heartbeat, "uptime", lambda: clock[0])
    return clock


@pytest.fixture
def database(monkeypatch):
    """What the run's row says to the heartbeat, without a database."""
    answers = {"beats": [], "ours": True, "wish": None, "away": False}

    def beat(run, now):
        if answers["away"]:
            raise OperationalError("gone")
        answers["beats"].append(run.pk)
        return answers["ours"]

    monkeypatch.setattr(history, "beat", beat)
    monkeypatch.setattr(history, "wish_to_end", lambda run_id: answers["wish"])
    monkeypatch.setattr(heartbeat.connection, "drop", lambda alias: None)
    return answers


@pytest.fixture
def going_on(clock, monkeypatch):
    """A heartbeat that has begun, without its thread."""
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    made = Heartbeat()
    made.claimed(Run(pk=7))
    return made


has_fence = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a file is on the machine of the runner")


def test_before_a_run_is_taken_up_nothing_is_said(database):
    idle = Heartbeat()
    idle._look()
    idle.stop()
    assert (idle.wish(), idle.until(), database["beats"]) == (None, None, [])


def test_a_sign_is_given_every_five_seconds(going_on, database, clock):
    for _ in range(11):
        going_on._look()
        clock[0] += LOOK
    assert len(database["beats"]) == 1 + 10 * LOOK // BEAT


@has_fence
def test_the_run_may_go_on_for_a_while_after_each_sign(going_on, database, clock):
    assert going_on.until() == 100 + EXPIRES_AFTER
    clock[0] = 110.0
    going_on._look()
    assert going_on.until() == 110 + EXPIRES_AFTER


@has_fence
def test_while_the_database_is_away_that_while_runs_out(going_on, database, clock):
    database["away"] = True
    clock[0] = 110.0
    going_on._look()
    assert going_on.until() == 100 + EXPIRES_AFTER
    assert going_on.wish() is None
    database["away"] = False
    going_on._look()
    assert going_on.until() == 110 + EXPIRES_AFTER


def test_a_file_on_the_runners_machine_sets_no_end(going_on):
    assert (going_on.until() is None) == (connection.vendor == "sqlite")


@pytest.mark.parametrize(("by", "reason"), [("alice", "cancelled by alice"), ("", "cancelled")])
def test_a_wish_that_the_run_ends_is_passed_on(going_on, database, by, reason):
    database["wish"] = by
    going_on._look()
    assert going_on.wish() == StopRequest(reason)


def test_a_run_that_was_given_up_is_ended_here_and_no_more_signs_are_given(going_on, database, clock):
    database["ours"] = False
    going_on._look()
    clock[0] += BEAT
    going_on._look()
    assert going_on.wish() == StopRequest("the runner gave it up")
    assert database["beats"] == [7]


def test_it_ends_when_told(database, clock, monkeypatch):
    monkeypatch.setattr(heartbeat, "LOOK", 0.001)
    living = Heartbeat()
    living.claimed(Run(pk=7))
    living.stop()
    living._thread.join(10)
    assert not living._thread.is_alive()
