from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import checks as django_checks
from django.core.checks import Error

from scheduler_bridge import checks, discovery
from scheduler_bridge.discovery import BrokenCommand, Discovery, discover


@pytest.fixture
def found(monkeypatch):
    def use(**changed):
        given = discover()
        values = {"definitions": given.definitions, "broken": given.broken, "others": given.others, **changed}
        monkeypatch.setattr(checks, "discover", lambda: Discovery(**values))

    return use


def ids(messages) -> list[str]:
    return [message.id for message in messages]


def test_the_test_site_is_sound():
    assert checks.check_settings() == []
    assert checks.check_definitions() == []


def test_a_problem_names_the_job_its_module_and_what_to_write(found):
    definition = discover().definitions["tests.demo.specimen"]
    problem = discovery.Problem(id="E106", text="expected a timedelta", hint="Write this")
    found(definitions={definition.name: replace(definition, problems=(problem,))})
    (message,) = checks.check_definitions()
    assert isinstance(message, Error)
    assert message.id == "scheduler_bridge.E106"
    assert "tests.demo.specimen (tests.demo.management.commands.specimen)" in message.msg
    assert message.hint == "Write this"


def test_a_command_that_cannot_be_loaded_is_a_warning(found):
    found(broken={"shop.pay": BrokenCommand(app="shop", command="pay", error="Traceback\nImportError: no bank")})
    (message,) = checks.check_definitions()
    assert isinstance(message, django_checks.Warning)
    assert "shop.pay cannot be loaded: ImportError: no bank" in message.msg


def test_a_bad_setting_is_found(settings):
    settings.SCHEDULER_BRIDGE = {"TIMEOUT": 5}
    assert ids(checks.check_settings()) == ["scheduler_bridge.E001"]


def test_an_override_of_an_unknown_job_is_found_with_the_nearest_name(settings):
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"tests.demo.specimens": {"enabled": False}}}
    (message,) = checks.check_settings()
    assert (message.id, message.hint) == ("scheduler_bridge.E002", "Did you mean 'tests.demo.specimen'?")


@pytest.mark.parametrize("override", [{"interval": timedelta(0)}, {"times": "25:00"}, {"interval": 5}])
def test_a_bad_schedule_in_the_settings_is_found(settings, override):
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"tests.demo.specimen": override}}
    assert ids(checks.check_settings()) == ["scheduler_bridge.E003"]


def test_a_second_database_needs_a_router(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES, "other", dict(settings.DATABASES["default"]))
    assert "scheduler_bridge.E012" in ids(checks.check_databases())
    settings.DATABASE_ROUTERS = ["scheduler_bridge.router.SchedulerBridgeRouter"]
    assert "scheduler_bridge.E012" not in ids(checks.check_databases())


def test_an_unknown_alias_is_found(settings):
    settings.SCHEDULER_BRIDGE = {"DATABASE": "nowhere"}
    assert ids(checks.check_databases()) == ["scheduler_bridge.E011"]


def test_the_ledger_must_be_installed(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_apscheduler"]
    assert ids(checks.check_databases()) == ["scheduler_bridge.E010"]
