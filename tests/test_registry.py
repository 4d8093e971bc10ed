from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType

import pytest
from apscheduler.triggers.cron import CronTrigger
from django_apscheduler.models import DjangoJob

from scheduler_bridge import discovery, registry
from scheduler_bridge.discovery import BrokenCommand, Discovery, discover
from scheduler_bridge.models import Job
from scheduler_bridge.registry import matching
from scheduler_bridge.schedules import DailyTimes, Interval
from scheduler_bridge.triggers import Overdue

NAME = "tests.demo.specimen"


@pytest.fixture
def code(db, monkeypatch):
    """Let the code say something else: give the definitions that are there, and the broken ones."""

    def use(*definitions, broken=()):
        broken_ = {f"shop.{name}": BrokenCommand(app="shop", command=name, error="ImportError: x") for name in broken}
        named = MappingProxyType({definition.name: definition for definition in definitions})
        found = Discovery(definitions=named, broken=broken_, others=())
        monkeypatch.setattr(discovery, "discover", lambda: found)

    Job.objects.all().delete()
    return use


@pytest.fixture
def pay():
    definition = discover().definitions[NAME]
    return replace(definition, app="shop", command="pay", schedule=Interval(timedelta(minutes=30)))


def test_a_new_job_is_created_with_its_ledger_row_and_said_once(code, pay, now):
    code(pay)
    assert registry.sync(now) == ["created job shop.pay"]
    assert registry.sync(now) == []
    job = Job.objects.get()
    assert (job.name, job.enabled, job.next_run_at) == ("shop.pay", True, now + timedelta(minutes=30))
    assert DjangoJob.objects.get(id="shop.pay").next_run_time is not None
    assert bytes(DjangoJob.objects.get(id="shop.pay").job_state) == b""


@pytest.mark.parametrize("number", [1, 50])
def test_however_many_jobs_are_new_it_takes_a_handful_of_statements(
    code, pay, now, number, django_assert_max_num_queries
):
    code(*(replace(pay, command=f"pay{index}") for index in range(number)))
    matching.MATCHED.forget()
    with django_assert_max_num_queries(9):
        assert len(registry.sync(now)) == number
    assert Job.objects.filter(next_run_at=now + timedelta(minutes=30)).count() == number


def test_a_job_that_another_deployment_created_meanwhile_is_followed(code, pay, now, monkeypatch):
    code(pay)
    registry.sync(now)
    code(replace(pay, description="Pays"))
    with monkeypatch.context() as patch:
        patch.setattr(matching, "_known", lambda using: set())
        registry.sync(now)
    assert Job.objects.get().description == "Pays"


def test_what_changed_in_the_code_is_said(code, pay, now):
    code(pay)
    registry.sync(now)
    code(replace(pay, description="Pays"))
    assert registry.sync(now) == ["updated job shop.pay: description"]


def test_a_removed_job_stays_and_is_brought_back(code, pay, now):
    code(pay)
    registry.sync(now)
    code()
    assert registry.sync(now) == ["removed job shop.pay"]
    assert registry.sync(now) == []
    assert (Job.objects.get().removed_at, Job.objects.get().next_run_at) == (now, None)
    later = now + timedelta(days=3)
    code(pay)
    assert registry.sync(later) == ["brought back job shop.pay"]
    job = Job.objects.get()
    assert (job.removed_at, job.owed_since) == (None, later)
    assert later < job.next_run_at <= later + timedelta(minutes=30)


def test_a_job_that_cannot_be_loaded_stays_scheduled_and_is_shown_as_broken(code, pay, now):
    code(pay)
    registry.sync(now)
    code(broken=["pay"])
    assert registry.sync(now) == ["broken job shop.pay: ImportError: x"]
    assert registry.sync(now) == []
    assert Job.objects.get().removed_at is None
    (planned,) = registry.load(now + timedelta(minutes=31))
    assert planned.due == Overdue(latest=now + timedelta(minutes=30), coalesced=0)
    code(pay)
    assert registry.sync(now) == ["mended job shop.pay"]


def test_another_schedule_in_the_code_times_the_job_anew_at_once(code, pay, now):
    code(pay)
    registry.sync(now)
    code(replace(pay, schedule=DailyTimes((time(9, 30),))))
    assert registry.sync(now) == ["updated job shop.pay: schedule"]
    assert Job.objects.get().next_run_at == datetime(2026, 3, 11, 8, 30, tzinfo=UTC)


def test_a_switch_follows_the_settings_until_a_person_turns_it(code, pay, now, settings):
    code(pay)
    registry.sync(now)
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"shop.pay": {"enabled": False}}}
    registry.sync(now)
    assert not Job.objects.get().enabled
    Job.objects.update(enabled=True)
    registry.sync(now)
    assert Job.objects.get().enabled
    settings.SCHEDULER_BRIDGE = {}
    registry.sync(now)
    assert Job.objects.get().enabled


def test_an_interval_keeps_its_grid_over_downtime_and_restarts(code, pay, now):
    code(pay)
    registry.sync(now)
    Job.objects.update(last_fire_at=now, owed_since=now)
    for minutes in (7, 17, 27):
        (planned,) = registry.load(now + timedelta(minutes=minutes))
        assert (planned.next_run_at, planned.due) == (now + timedelta(minutes=30), None)
    (planned,) = registry.load(now + timedelta(hours=5, minutes=7))
    assert planned.due == Overdue(latest=now + timedelta(hours=5), coalesced=9)


def test_an_enabled_job_is_not_owed_what_it_missed_while_disabled(code, pay, now):
    code(pay)
    registry.sync(now)
    Job.objects.update(enabled=False)
    assert registry.load(now) == ()
    Job.objects.update(enabled=True)
    (planned,) = registry.load(now + timedelta(hours=3, minutes=5))
    assert (planned.due, planned.next_run_at) == (None, now + timedelta(hours=3, minutes=30))


def test_what_was_due_before_a_change_stays_owed(code, pay, now):
    code(pay)
    registry.sync(now)
    late = now + timedelta(minutes=40)
    Job.objects.update(override_times=["23:00:00"])
    (planned,) = registry.load(late)
    assert planned.due == Overdue(latest=now + timedelta(minutes=30), coalesced=0)


def test_all_that_was_due_before_changes_is_counted(code, pay, now):
    code(pay)
    registry.sync(now)
    Job.objects.update(override_interval=timedelta(minutes=10))
    (planned,) = registry.load(now + timedelta(hours=2, minutes=5))  # due at 0:30, 1:00, 1:30 and 2:00 until then
    assert planned.due == Overdue(latest=now + timedelta(hours=2), coalesced=3)
    Job.objects.update(override_interval=None, override_times=["23:00:00"])
    (planned,) = registry.load(now + timedelta(hours=2, minutes=35))  # and at 2:10, 2:20 and 2:30 since
    assert planned.due == Overdue(latest=now + timedelta(hours=2, minutes=30), coalesced=6)
    Job.objects.update(enabled=False)
    (planned,) = registry.load(now + timedelta(hours=2, minutes=36))
    assert planned.due == Overdue(latest=now + timedelta(hours=2, minutes=30), coalesced=6)


def test_an_interval_that_is_changed_while_something_is_due_hangs_on_that(code, pay, now):
    code(pay)
    registry.sync(now)
    due, changed = now + timedelta(minutes=30), now + timedelta(minutes=45)
    Job.objects.update(override_interval=timedelta(minutes=7))
    (planned,) = registry.load(changed)
    assert (planned.due, planned.next_run_at) == (Overdue(latest=due, coalesced=0), due + timedelta(minutes=21))
    # It is so before that is run, and after it.
    Job.objects.update(last_fire_at=due, next_run_at=planned.next_run_at)
    (planned,) = registry.load(changed)
    assert (planned.due, planned.next_run_at) == (None, due + timedelta(minutes=21))


def test_what_a_trigger_object_owed_is_counted_while_the_settings_hold_it(code, pay, now, settings):
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"shop.pay": CronTrigger(minute="*/20")}}
    code(pay)
    registry.sync(now)
    row = Job.objects.get()
    first = row.next_run_at
    Job.objects.update(override_times=["23:00:00"])
    (planned,) = registry.load(first + timedelta(minutes=45))
    assert planned.due == Overdue(latest=first + timedelta(minutes=40), coalesced=2)
    assert planned.due == registry.due(Job.objects.get(), None, now + timedelta(hours=3))


def test_a_row_read_before_a_fire_time_was_covered_does_not_make_it_due_again(code, pay, now):
    code(pay)
    registry.sync(now)
    fired = now + timedelta(minutes=30)
    stale = Job.objects.get()
    Job.objects.update(last_fire_at=fired, owed_since=fired, next_run_at=fired + timedelta(minutes=30))
    stale.enabled = False
    assert registry.settle(stale, registry.plan_of(stale), fired + timedelta(seconds=1))
    row = Job.objects.get()
    assert (row.next_run_at, row.schedule_key) == (None, "disabled")


def test_a_clock_set_back_neither_silences_an_interval_nor_repeats_a_time(code, pay, now):
    daily = replace(pay, command="daily", schedule=DailyTimes((time(12, 30),)))
    code(pay, daily)
    registry.sync(now)
    fired = now + timedelta(hours=2)
    Job.objects.update(last_fire_at=fired, owed_since=fired)
    planned = {item.name: item for item in registry.load(fired - timedelta(hours=1))}
    assert planned["shop.pay"].next_run_at == fired - timedelta(minutes=30)
    assert planned["shop.daily"].next_run_at > fired


def test_looking_again_changes_nothing(code, pay, now, django_assert_num_queries):
    code(pay)
    registry.sync(now)
    with django_assert_num_queries(1):
        registry.load(now)


def test_a_job_whose_code_cannot_be_loaded_goes_where_its_plan_says(job, tasks, django_assert_num_queries):
    Job.objects.filter(pk=job.pk).update(override_queue="reports", broken="no such module")
    with django_assert_num_queries(1):
        row = Job.objects.only(*registry.ROUTING).get(pk=job.pk)
        assert registry.queue_of(row) == "reports"
    assert registry.plan_of(Job.objects.get(pk=job.pk)).queue.value == "reports"
