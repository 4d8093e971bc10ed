from dataclasses import replace
from datetime import time, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger

from scheduler_bridge import conf
from scheduler_bridge.definition import define
from scheduler_bridge.models import Job
from scheduler_bridge.plan import Source, Sourced, make_plan, queue_of
from scheduler_bridge.schedules import Custom, DailyTimes, Interval
from tests.demo.management.commands import specimen

NAME = "tests.demo.specimen"
DEFINITION = define("tests.demo", "specimen", specimen.Command)


def plan(settings, override=None, **columns):
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {NAME: override}} if override is not None else {}
    return make_plan(DEFINITION, conf.load(), Job(name=NAME, **columns))


def test_the_code_says_it_first(settings):
    found = plan(settings)
    assert (found.schedule.value, found.schedule.source) == (Interval(timedelta(minutes=30)), Source.CODE)
    assert (found.enabled.value, found.enabled.source) == (True, Source.DEFAULT)
    assert (found.timeout.value, found.timeout.source) == (timedelta(minutes=2), Source.DEFAULT)


@pytest.mark.parametrize(
    ("override", "schedule"),
    [
        ({"interval": timedelta(hours=1)}, Interval(timedelta(hours=1))),
        ({"times": "09:30"}, DailyTimes((time(9, 30),))),
    ],
)
def test_the_settings_win_over_the_code(settings, override, schedule):
    found = plan(settings, override)
    assert (found.schedule.value, found.schedule.source) == (schedule, Source.SETTINGS)
    assert found.code_schedule == Interval(timedelta(minutes=30))


def test_a_trigger_object_is_taken_as_it_is(settings):
    trigger = CronTrigger(hour=3)
    assert plan(settings, trigger).schedule.value == Custom(trigger)


def test_a_person_wins_over_the_settings(settings):
    found = plan(settings, {"interval": timedelta(hours=1)}, override_times=["09:30:00"])
    assert (found.schedule.value, found.schedule.source) == (DailyTimes((time(9, 30),)), Source.DATABASE)
    assert found.settings_schedule == Interval(timedelta(hours=1))


def test_a_switch_that_differs_from_its_default_was_turned_by_a_person(settings):
    assert plan(settings, enabled=False).enabled.source == Source.DATABASE
    override = {"enabled": False, "notify_on_success": True}
    columns = {"enabled_default": False, "notify_on_success": True, "notify_default": True}
    found = plan(settings, override, enabled=False, **columns)
    assert (found.enabled.value, found.enabled.source) == (False, Source.SETTINGS)
    assert (found.notify_on_success.value, found.notify_on_success.source) == (True, Source.SETTINGS)


@pytest.mark.parametrize("timeout", [None, timedelta(minutes=9)])
def test_timeout_and_args_come_from_the_settings(settings, timeout):
    found = plan(settings, {"timeout": timeout, "args": ["--traceback"]})
    assert (found.timeout.value, found.timeout.source) == (timeout, Source.SETTINGS)
    assert (found.args.value, found.args.source) == (("--traceback",), Source.SETTINGS)


@pytest.mark.parametrize("nonsense", [["25:00"], "soon", [], 5, {"a": 1}])
def test_nonsense_in_the_row_is_named_and_passed_over(settings, nonsense):
    found = plan(settings, override_times=nonsense)
    assert found.schedule.source == Source.CODE
    assert found.problems


def test_the_key_changes_with_the_fire_times_only(settings):
    keys = {
        plan(settings).schedule_key,
        plan(settings, notify_on_success=True).schedule_key,
        plan(settings, {"timeout": None}).schedule_key,
    }
    assert len(keys) == 1
    assert plan(settings, enabled=False).schedule_key not in keys
    assert plan(settings, override_interval=timedelta(hours=1)).schedule_key not in keys


@pytest.mark.parametrize(
    ("queue", "override", "column", "found"),
    [
        ("", None, None, ("", Source.DEFAULT)),
        ("reports", None, None, ("reports", Source.CODE)),
        ("reports", {"queue": "mail"}, None, ("mail", Source.SETTINGS)),
        ("reports", {"queue": None}, None, ("", Source.SETTINGS)),
        ("reports", {"queue": "mail"}, "bulk", ("bulk", Source.DATABASE)),
        ("reports", {"queue": "mail"}, "", ("", Source.DATABASE)),
    ],
)
def test_the_queue_is_what_the_last_layer_says(settings, queue, override, column, found):
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {NAME: override} if override else {}}
    definition = replace(DEFINITION, queue=queue)
    assert queue_of(definition, conf.load(), Job(name=NAME, override_queue=column)) == Sourced(*found)


def test_without_an_engine_and_inside_the_runner_there_is_no_queue(settings):
    row = Job(name=NAME, override_queue="bulk")
    assert queue_of(replace(DEFINITION, queue="reports"), conf.load(), row) == Sourced("", Source.DEFAULT)
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine"}
    assert queue_of(replace(DEFINITION, internal=True), conf.load(), row) == Sourced("", Source.DEFAULT)
