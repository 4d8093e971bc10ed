"""What a runner that is gone has left is seen in the acceptance tests; here is what a database has lost."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from scheduler_bridge import connection, lease, left_over
from scheduler_bridge.exceptions import LeaseLost
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
