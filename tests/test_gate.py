from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scheduler_bridge import api, gate
from scheduler_bridge.gate import Held
from scheduler_bridge.history import Firing
from scheduler_bridge.models import Cause, Job, Run, Runner

HALF_HOUR = timedelta(minutes=30)


@pytest.fixture
def row(db, now):
    """A job of every half hour whose last fire time was two hours ago."""
    Runner.objects.get_or_create(pk=Runner.ROW)
    last = now - timedelta(hours=2)
    Job.objects.filter(name="tests.demo.specimen").update(last_fire_at=last, owed_since=last, next_run_at=None)
    return Job.objects.get(name="tests.demo.specimen")


def firing(row: Job, fire_time: datetime, coalesced: int = 0, **values) -> Firing:
    defaults = {"job_id": row.pk, "name": row.name, "cause": Cause.SCHEDULE}
    return Firing(**{**defaults, "fire_time": fire_time, "coalesced": coalesced, **values})


def test_a_firing_passes_with_the_next_fire_time_of_its_job(row, now):
    admitted = gate.admit(firing(row, now, 3), now)
    assert (admitted.barred, admitted.next_run_at, admitted.firing.coalesced) == ("", now + HALF_HOUR, 3)


def test_what_another_run_covers_meanwhile_is_not_counted_twice(row, now):
    covered = now - timedelta(hours=1)
    Job.objects.filter(pk=row.pk).update(last_fire_at=covered, owed_since=covered)
    assert gate.admit(firing(row, now, 3), now).firing.coalesced == 1


def test_a_firing_off_the_grid_keeps_its_count(row, now):
    odd = now - timedelta(minutes=7)
    assert gate.admit(firing(row, odd, 2), now).firing.coalesced == 2


def test_a_queued_run_keeps_its_own_time(row, now):
    run = Run.objects.create(job=row, status="queued", cause=Cause.MANUAL, scheduled_for=now)
    asked = firing(row, now, cause=Cause.MANUAL, run_id=run.pk)
    assert gate.admit(asked, now).firing == replace(asked, schedule_key=row.schedule_key)


def test_a_hold_sends_every_firing_back(row, now):
    api.hold("stocktaking")
    with pytest.raises(Held):
        gate.admit(firing(row, now), now)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"enabled": False}, "the job is disabled"),
        ({"removed_at": datetime.fromisoformat("2026-01-01T00:00+00:00")}, "the job was removed"),
    ],
)
def test_a_job_that_may_not_run_is_barred_with_the_reason(row, now, columns, reason):
    Job.objects.filter(pk=row.pk).update(**columns)
    assert gate.admit(firing(row, now), now).barred == reason


def test_a_forced_run_passes_though_the_job_is_disabled(row, now):
    Job.objects.filter(pk=row.pk).update(enabled=False)
    run = Run.objects.create(job=row, status="queued", cause=Cause.MANUAL, scheduled_for=now, forced=True)
    admitted = gate.admit(firing(row, now, cause=Cause.MANUAL, run_id=run.pk), now)
    assert (admitted.barred, admitted.forced) == ("", True)


def test_a_job_that_is_gone_has_nothing_to_run(row, now):
    Job.objects.filter(pk=row.pk).delete()
    assert gate.admit(firing(row, now), now) is None


def test_one_fire_time_is_left_out_and_the_next_one_is_not(row, now):
    Job.objects.filter(pk=row.pk).update(skip_next_at=now, skip_next_by="alice")
    assert gate.admit(firing(row, now), now).barred == "left out, as alice asked"
    assert gate.admit(firing(row, now + HALF_HOUR), now).barred == ""


def test_a_run_by_hand_is_not_the_one_that_is_left_out(row, now):
    Job.objects.filter(pk=row.pk).update(skip_next_at=now)
    run = Run.objects.create(job=row, status="queued", cause=Cause.MANUAL, scheduled_for=now)
    assert gate.admit(firing(row, now, cause=Cause.MANUAL, run_id=run.pk), now).barred == ""


def test_it_is_known_whether_the_job_failed_before(row, now):
    assert not gate.admit(firing(row, now), now).failing
    Job.objects.filter(pk=row.pk).update(failing_since=now)
    assert gate.admit(firing(row, now), now).failing
