from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import checks as django_checks
from django.core.checks import Error

from scheduler_bridge import checks, discovery
from scheduler_bridge.discovery import BrokenCommand, Discovery, discover

SPECIMEN = "tests.demo.specimen"


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


def test_all_mistakes_in_the_settings_are_told_at_once(settings):
    settings.SCHEDULER_BRIDGE = {
        "TIMEOUTS": 5,
        "KILL_AFTER": 5,
        "DATABASE": "nowhere",
        "OVERRIDES": {
            "tests.demo.nobody": {"enabled": True},
            SPECIMEN: {"interval": timedelta(0), "queues": "mail", "args": ["--nonsense"]},
            "scheduler_bridge.pruneruns": {"args": 5, "times": "25:00"},
        },
    }
    told = sorted(
        (message.id[-4:], message.msg.removeprefix("SCHEDULER_BRIDGE: ")) for message in checks.check_settings()
    )
    assert [number for number, _ in told] == ["E001"] * 4 + ["E002", "E003", "E003", "E008"]
    assert told[0][1].startswith("KILL_AFTER: expected a timedelta, got: 5")
    assert told[1][1].startswith("OVERRIDES['scheduler_bridge.pruneruns']: args: expected a list of texts")
    assert told[2][1].startswith(f"OVERRIDES[{SPECIMEN!r}]: unknown key 'queues'")
    assert told[3][1].startswith("unknown key 'TIMEOUTS'")
    assert told[4][1] == "OVERRIDES names 'tests.demo.nobody', which is no job"
    assert told[-1][1].startswith(f"OVERRIDES[{SPECIMEN!r}]: the command refuses args ['--nonsense']: ")
    assert ids(checks.check_databases()) == ["scheduler_bridge.E011"]
    assert checks.check_definitions() == []


@pytest.mark.parametrize("given", [5, ["TIMEOUT"], {"OVERRIDES": 5}, {"OVERRIDES": {5: {}}}, {5: 5}])
def test_settings_of_any_shape_are_named(settings, given):
    settings.SCHEDULER_BRIDGE = given
    assert set(ids(checks.check_settings())) <= {"scheduler_bridge.E001", "scheduler_bridge.E002"}
    assert checks.check_settings()
    assert checks.check_definitions() == []


# The engine


def test_without_an_engine_there_is_nothing_to_check():
    assert checks.check_engine() == []


def test_an_engine_that_is_set_up_is_sound(tasks, settings):
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {SPECIMEN: {"queue": "reports"}}}
    assert checks.check_engine() == []


def test_an_engine_that_cannot_be_used_is_an_error(settings):
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine"}
    (message,) = checks.check_engine()
    assert (message.id, isinstance(message, Error)) == ("scheduler_bridge.E004", True)
    assert "expected TASKS_BACKEND to be an alias in TASKS" in message.msg
    assert message.hint


def test_a_queue_that_the_engine_has_not_is_an_error_that_names_those_it_has(tasks, settings):
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {SPECIMEN: {"queue": "slow"}}}
    (message,) = checks.check_engine()
    assert message.id == "scheduler_bridge.E005"
    assert message.msg == f"{SPECIMEN} (tests.demo.management.commands.specimen): the engine has no queue 'slow'"
    assert message.hint == "Name one of mail, reports, or add it to QUEUES of TASKS['engine']."
    settings.TASKS = {"engine": {"BACKEND": settings.TASKS["engine"]["BACKEND"]}}
    assert checks.check_engine() == []


def test_a_queue_of_an_internal_job_in_the_settings_is_an_error(tasks, settings, found):
    definition = discover().definitions[SPECIMEN]
    found(definitions={SPECIMEN: replace(definition, internal=True)})
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {SPECIMEN: {"queue": "reports"}}}
    (message,) = checks.check_engine()
    assert message.id == "scheduler_bridge.E006"
    assert f"OVERRIDES[{SPECIMEN!r}]: queue 'reports' is given to an internal job" in message.msg
    settings.SCHEDULER_BRIDGE = {**settings.SCHEDULER_BRIDGE, "UNKNOWN": 1}
    assert ids(checks.check_engine()) == ["scheduler_bridge.E006"]
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {SPECIMEN: {"queue": None}}}
    assert checks.check_engine() == []


def test_queues_without_an_engine_are_a_warning_that_names_the_jobs(settings, found):
    definition = discover().definitions[SPECIMEN]
    jobs = {f"shop.{number}": replace(definition, command=str(number), queue="reports") for number in range(7)}
    found(definitions={**jobs, SPECIMEN: definition})
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"shop.6": {"queue": None}, SPECIMEN: {"queue": "mail"}}}
    (message,) = checks.check_engine()
    assert (message.id, isinstance(message, Error)) == ("scheduler_bridge.W007", False)
    assert message.msg.endswith("is not set: shop.0, shop.1, shop.2, shop.3, shop.4 and 2 more")


def test_settings_that_are_wrong_are_told_elsewhere(settings):
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": 7}
    assert checks.check_engine() == []
