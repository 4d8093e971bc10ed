from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger

from scheduler_bridge import conf
from scheduler_bridge.exceptions import ConfigurationError


def test_all_keys_are_optional(settings):
    loaded = conf.load()
    assert loaded.timeout == timedelta(minutes=2)
    assert loaded.kill_after == timedelta(seconds=5)
    assert loaded.output_limit == 1024 * 1024
    assert (loaded.history_age, loaded.history_keep) == (timedelta(days=90), 20)
    assert loaded.notify == ("ops@example.com",)
    assert loaded.time_zone == ZoneInfo("Europe/Stockholm")
    assert loaded.from_email == settings.SERVER_EMAIL
    assert loaded.spawn == "auto"


def test_admins_are_addresses_or_pairs(settings):
    settings.ADMINS = ["a@example.com"]
    assert conf.project_admins() == ("a@example.com",)


def test_values_are_read_anew_after_a_change(settings):
    settings.SCHEDULER_BRIDGE = {"TIME_ZONE": "Asia/Tokyo", "NOTIFY": ["x@example.com"]}
    assert conf.load().time_zone == ZoneInfo("Asia/Tokyo")
    assert conf.load().notify == ("x@example.com",)


def test_an_override_is_a_dict_or_a_bare_trigger(settings):
    trigger = CronTrigger(hour=3)
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"a.b": trigger, "a.c": {"enabled": False, "args": ["--x"]}}}
    overrides = conf.load().overrides
    assert overrides["a.b"].trigger is trigger
    assert (overrides["a.c"].enabled, overrides["a.c"].args, overrides["a.c"].timeout) == (False, ("--x",), conf.UNSET)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"TIMOUT": 1}, "unknown key 'TIMOUT'"),
        ({"TIMEOUT": 120}, "TIMEOUT: expected a positive timedelta or None, got: 120"),
        ({"TIME_ZONE": "Mars/Olympus"}, "TIME_ZONE: expected the name of a time zone"),
        ({"NOTIFY": "ops@example.com"}, "NOTIFY: expected a list of addresses"),
        ({"OUTPUT_LIMIT": -1}, "OUTPUT_LIMIT: expected a number of bytes"),
        ({"HISTORY_KEEP": True}, "HISTORY_KEEP"),
        ({"SPAWN": "thread"}, "SPAWN: expected auto, exec or fork, got: 'thread'"),
        ({"SPAWN": ["auto"]}, "SPAWN: expected"),
        ({"OVERRIDES": []}, "OVERRIDES: expected a dict"),
        ({"OVERRIDES": {"a.b": 5}}, "OVERRIDES['a.b']: expected a dict or a trigger object, got: 5"),
        ({"OVERRIDES": {"a.b": {"intervall": 1}}}, "unknown key 'intervall'"),
        ({"OVERRIDES": {"a.b": {"enabled": "no"}}}, "enabled: expected True or False"),
        ({"OVERRIDES": {"a.b": {"args": "--x"}}}, "args: expected a list"),
        ({"OVERRIDES": {"a.b": {"interval": timedelta(1), "times": "09:30"}}}, "expected only one of"),
    ],
)
def test_a_bad_value_is_named(settings, given, text):
    settings.SCHEDULER_BRIDGE = given
    with pytest.raises(ConfigurationError, match=r"^SCHEDULER_BRIDGE: ") as caught:
        conf.load()
    assert text in str(caught.value)
