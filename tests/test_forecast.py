from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import forecast, registry
from scheduler_bridge.models import Job


@pytest.fixture
def specimen(db):
    return Job.objects.get(name="tests.demo.specimen")


def fires(row: Job, now: datetime, count: int = 3) -> list[datetime]:
    return forecast.next_fires(registry.plan_of(row), row, now, count)


def test_an_interval_goes_on_from_its_last_fire_time(specimen, now):
    specimen.override_interval = timedelta(minutes=30)
    specimen.last_fire_at = specimen.owed_since = now - timedelta(minutes=10)
    assert fires(specimen, now) == [now + timedelta(minutes=minutes) for minutes in (20, 50, 80)]


def test_times_of_day_are_local(specimen, now):
    specimen.override_times = ["09:30:00", "18:30:00"]
    summer = specimen.owed_since = now.replace(month=7)
    assert [moment.astimezone(UTC).hour for moment in fires(specimen, summer, 2)] == [16, 7]


@pytest.mark.parametrize("column", ["enabled", "removed_at"])
def test_a_job_that_is_off_has_none(specimen, now, column):
    setattr(specimen, column, False if column == "enabled" else now)
    assert fires(specimen, now) == []


def test_a_job_by_hand_has_none(db, now):
    assert fires(Job.objects.get(name="tests.demo.by_hand"), now) == []
