from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler_bridge import coming
from scheduler_bridge.models import Job

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.fixture
def specimen(db, now):
    """A job that the code runs every 30 minutes, last at the full hour."""
    job = Job.objects.get(name="tests.demo.specimen")
    job.last_fire_at = job.owed_since = now
    return job


def local(moment: datetime) -> str:
    return f"{moment.astimezone(STOCKHOLM):%m-%d %H:%M}"


def moments(job: Job, now: datetime, count: int) -> list[str]:
    return [local(item.at) for item in coming.fires(job, now, count)]


def test_fire_times_are_those_of_the_schedule(specimen, now):
    assert moments(specimen, now, 3) == ["03-10 13:30", "03-10 14:00", "03-10 14:30"]


def test_an_override_returns_at_its_end_and_the_interval_goes_on_from_its_last_run(specimen, now):
    specimen.override_interval = timedelta(minutes=50)
    specimen.override_until = now + timedelta(hours=1)
    assert moments(specimen, now, 3) == ["03-10 13:50", "03-10 14:20", "03-10 14:50"]


def test_a_fire_time_at_the_end_itself_is_still_one_of_the_override(specimen, now):
    specimen.override_times = ["14:00:00", "14:10:00"]
    specimen.override_until = now + timedelta(hours=1)
    assert moments(specimen, now, 2) == ["03-10 14:00", "03-10 14:30"]


def test_a_disabled_job_fires_again_after_its_end(specimen, now):
    specimen.enabled = False
    assert moments(specimen, now, 3) == []
    specimen.disabled_until = now + timedelta(hours=20)
    assert moments(specimen, now, 2) == ["03-11 09:30", "03-11 10:00"]


def test_a_job_that_is_disabled_and_timed_otherwise_returns_in_the_order_of_the_ends(specimen, now):
    specimen.enabled, specimen.disabled_until = False, now + timedelta(hours=2)
    specimen.override_times, specimen.override_until = ["13:10:00", "15:10:00"], now + timedelta(hours=3)
    assert moments(specimen, now, 2) == ["03-10 15:10", "03-10 16:10"]
    specimen.override_until = now + timedelta(hours=1)
    assert moments(specimen, now, 2) == ["03-10 15:30", "03-10 16:00"]


def test_an_interval_that_is_typed_while_something_is_due_goes_on_from_that(specimen, now):
    specimen.next_run_at = now + timedelta(minutes=30)
    specimen.override_interval = timedelta(minutes=50)
    assert moments(specimen, now + timedelta(minutes=40), 2) == ["03-10 14:20", "03-10 15:10"]


def test_an_interval_that_returns_goes_on_from_what_is_due_where_nothing_ran_since(specimen, now):
    specimen.next_run_at = now + timedelta(minutes=30)
    specimen.enabled, specimen.disabled_until = False, now + timedelta(hours=2)
    specimen.override_interval = timedelta(minutes=50)
    assert moments(specimen, now + timedelta(minutes=40), 1) == ["03-10 15:10"]


def test_an_end_that_has_passed_counts_as_returned(specimen, now):
    specimen.enabled, specimen.disabled_until = False, now - timedelta(minutes=1)
    assert moments(specimen, now, 1) == ["03-10 13:30"]


def test_a_fire_time_that_is_to_be_left_out_is_marked(specimen, now):
    specimen.skip_next_at = now + timedelta(minutes=30)
    assert [item.is_left_out for item in coming.fires(specimen, now, 3)] == [True, False, False]


def test_asking_changes_nothing_of_the_row(specimen, now):
    specimen.enabled, specimen.disabled_until = False, now + timedelta(hours=2)
    coming.fires(specimen, now, 3)
    assert (specimen.enabled, specimen.last_fire_at) == (False, now)


@pytest.mark.parametrize(
    ("day", "change"),
    [
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), 1),
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), 1),
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), 0),
        (datetime(2026, 10, 25, 12, 0, tzinfo=UTC), -1),
        (datetime(2026, 6, 1, 12, 0, tzinfo=UTC), 0),
    ],
)
def test_the_day_of_a_clock_change_is_known(day, change):
    assert coming.clock_change(day, STOCKHOLM) == timedelta(hours=change)
