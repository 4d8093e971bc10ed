"""What a runner that is gone has left, and what a database has lost; real runners are in the acceptance tests."""

import os
import subprocess
import uuid
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import OperationalError

from scheduler_bridge import connection, identity, lease, left_over
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.execution import child_process
from scheduler_bridge.execution.mark import MARKER
from scheduler_bridge.models import Report, Run, Runner, Status


@pytest.fixture
def lost(job, now):
    """A run that ended, which the database does not know any more."""
    return Run.objects.create(
        job=job, status=Status.RUNNING, scheduled_for=now, started_at=now - timedelta(minutes=1), host="elsewhere"
    )


def test_a_run_whose_end_was_lost_is_abandoned_and_reported(me, lost, caplog):
    assert left_over.find_lost(me) == 1
    lost.refresh_from_db()
    assert (lost.status, lost.reason) == (Status.ABANDONED, "the database has lost how it ended")
    assert lost.report == Report.DUE
    assert f"job demo.specimen run {lost.pk} abandoned" in caplog.text
    assert left_over.find_lost(me) == 0


def test_a_run_that_was_handed_over_is_not_the_runners_to_close(me, lost):
    Run.objects.update(queue="reports")
    assert left_over.find_lost(me) == 0


def test_one_whose_lease_was_lost_too_touches_nothing(me, lost):
    Runner.objects.update(token="of another")
    with pytest.raises(LeaseLost):
        left_over.find_lost(me)
    lost.refresh_from_db()
    assert lost.status == Status.RUNNING


@pytest.mark.parametrize(("failures", "found"), [(1, 1), (2, 0)])
def test_a_connection_that_is_broken_is_replaced_once(me, lost, monkeypatch, failures, found):
    broken = iter(range(failures))
    real = lease.confirm

    def confirm(identity: object) -> None:
        if next(broken, None) is not None:
            raise OperationalError("server closed the connection")
        real(identity)

    monkeypatch.setattr(connection, "drop", lambda alias: None)
    monkeypatch.setattr(lease, "confirm", confirm)
    assert left_over.find_lost(me) == found


@pytest.fixture
def carrying(lost, monkeypatch):
    """Start a process that carries the mark of the run, with a proof of its own."""
    monkeypatch.setattr(identity, "known", lambda: "this-one")
    lost.marker = f"{uuid.uuid4().hex}/5"
    lost.save()
    with ExitStack() as stack:

        def start(proof: str) -> subprocess.Popen[bytes]:
            environment = {**os.environ, MARKER: lost.marker + proof}
            process = stack.enter_context(subprocess.Popen(["sleep", "57"], env=environment))
            stack.callback(process.kill)
            return process

        yield start


def test_what_is_proved_to_belong_to_this_very_database_is_ended_whatever_the_host_is_called(me, lost, carrying):
    process = carrying("#this-one")
    assert left_over.give_up(lost, me, lost.scheduled_for, "gone")
    assert process.poll() is not None
    lost.refresh_from_db()
    assert lost.warning == f"{process.pid} sleep 57"


@pytest.mark.parametrize("proof", ["#a-copy", ""])
def test_what_belongs_to_a_copy_or_to_an_older_version_is_left_alone_and_named(me, lost, carrying, proof):
    process = carrying(proof)
    assert left_over.give_up(lost, me, lost.scheduled_for, "gone")
    assert process.poll() is None
    lost.refresh_from_db()
    assert lost.status == Status.ABANDONED
    assert lost.warning == f"{left_over.LEFT_ALONE}: {process.pid} sleep 57"


@pytest.mark.parametrize("proof", ["#this-one", "#", ""])
def test_where_nothing_tells_which_database_this_is_nothing_is_ended(me, lost, carrying, monkeypatch, proof):
    monkeypatch.setattr(identity, "known", lambda: "")
    process = carrying(proof)
    assert left_over.give_up(lost, me, lost.scheduled_for, "gone")
    assert process.poll() is None
    lost.refresh_from_db()
    assert lost.warning == f"{left_over.LEFT_ALONE}: {process.pid} sleep 57"


def test_a_process_of_another_run_is_neither_ended_nor_named(me, lost, carrying):
    process = carrying("@20261129T120000.000000#this-one")
    assert left_over.give_up(lost, me, lost.scheduled_for, "gone")
    assert process.poll() is None
    lost.refresh_from_db()
    assert lost.warning == ""


def test_a_number_that_passed_on_between_the_look_and_the_signal_is_left_alone(carrying, lost, monkeypatch):
    process = carrying("#this-one")
    looks = iter([True])
    real = child_process._mark
    # From the second look on the number is that of a process without a mark.
    monkeypatch.setattr(
        child_process,
        "_mark",
        lambda found: real(found) if found.pid != process.pid or next(looks, False) else None,
    )
    assert child_process.sweep([f"{lost.marker}#this-one"]) == ()
    assert process.poll() is None


def test_where_the_system_holds_on_to_no_process_what_is_proved_is_ended_all_the_same(me, lost, carrying, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    process = carrying("#this-one")
    assert left_over.give_up(lost, me, lost.scheduled_for, "gone")
    assert process.poll() is not None
