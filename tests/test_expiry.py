from datetime import timedelta

import pytest

from scheduler_bridge import api, expiry, registry
from scheduler_bridge.models import Job, Runner

NAME = "tests.demo.specimen"
HOUR = timedelta(hours=1)


@pytest.fixture
def change(db, now):
    """Change the job for a time, as a person does."""

    def change(**values):
        Job.objects.filter(name=NAME).update(schedule_key="", next_run_at=None, last_fire_at=now)
        row = Job.objects.get(name=NAME)
        for name, value in values.items():
            setattr(row, name, value)
        Job.objects.filter(pk=row.pk).update(**values)
        registry.settle(row, registry.plan_of(row), now)

    return change


def stored() -> Job:
    return Job.objects.get(name=NAME)


def test_nothing_ends_that_has_no_end(change, now):
    change(enabled=False, disabled_reason="stocktaking")
    assert (expiry.next_end(), expiry.expire(now + 1000 * HOUR)) == (None, [])
    assert not stored().enabled


def test_a_job_that_was_disabled_for_a_time_is_enabled_then_and_not_before(change, now):
    change(enabled=False, disabled_reason="stocktaking", disabled_until=now + HOUR)
    assert (expiry.next_end(), expiry.expire(now + HOUR - timedelta(seconds=1))) == (now + HOUR, [])
    assert expiry.expire(now + HOUR) == [f"job {NAME}: being disabled has ended, as was said when it began"]
    row = stored()
    assert (row.enabled, row.disabled_reason, row.disabled_until, expiry.next_end()) == (True, "", None, None)


def test_what_fell_due_since_the_end_is_owed_though_nobody_was_there_to_see_it(change, now):
    change(enabled=False, disabled_until=now + HOUR)
    expiry.expire(now + 5 * HOUR)
    row = stored()
    assert row.owed_since == now + HOUR
    found = registry.due(row, registry.trigger_of(registry.plan_of(row), row, now), now + 5 * HOUR)
    assert found.coalesced + 1 == 8


def test_an_override_returns_to_what_the_code_says(change, now):
    change(override_interval=timedelta(minutes=1), override_reason="month end", override_until=now + HOUR)
    assert len(expiry.expire(now + HOUR)) == 1
    row = stored()
    assert (row.override_interval, row.override_reason, row.override_until) == (None, "", None)
    assert row.schedule_key == registry.plan_of(row).schedule_key


def test_two_ends_of_one_job_count_from_their_own_moments(change, now):
    minute = timedelta(minutes=1)
    change(enabled=False, disabled_until=now + HOUR, override_interval=minute, override_until=now + 2 * HOUR)
    assert len(expiry.expire(now + 3 * HOUR)) == 2
    row = stored()
    assert (row.owed_since, row.owed_before) == (now + 2 * HOUR, 60)


def test_a_hold_ends_at_its_end(db, now):
    Runner.objects.get_or_create(pk=Runner.ROW)
    Runner.objects.update(held=True, held_reason="bank", held_until=now + HOUR)
    assert (expiry.next_end(), expiry.expire(now)) == (now + HOUR, [])
    assert expiry.expire(now + HOUR) == ["the hold has ended, as was said when it began"]
    row = Runner.objects.get()
    assert (row.held, row.held_reason, row.held_until) == (False, "", None)


def test_a_hold_that_a_person_ended_has_no_end_any_more(db, now):
    api.hold("bank", until=now.replace(year=9000))
    assert expiry.next_end() == now.replace(year=9000)
    api.resume()
    assert expiry.next_end() is None
