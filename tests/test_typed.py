"""Whatever people type, into forms, rows, settings, classes and command lines, is understood or refused with words."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from hypothesis import HealthCheck, assume, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scheduler_bridge import checks, conf, registry, schedules
from scheduler_bridge.admin.job_form import JobForm
from scheduler_bridge.definition import ATTRIBUTES, args_problems, define
from scheduler_bridge.exceptions import ConfigurationError
from scheduler_bridge.execution import in_process
from scheduler_bridge.execution.output import Capture
from scheduler_bridge.models import Job, Status
from scheduler_bridge.registry.effective import time_anew
from scheduler_bridge.triggers import upcoming

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
NAME = "tests.demo.specimen"
often = hypothesis_settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
typed = st.one_of(
    st.text(max_size=30),
    st.text("0123456789:.,;- eE+dhmsw٣½\t", max_size=30),
    st.from_regex(r"[0-9]{1,12} (s|min|hours?|d|weeks)( [0-9]{1,3} min)?", fullmatch=True),
    st.from_regex(r"([0-9]{2}:[0-9]{2}(:[0-9]{2})?[ ,]*){1,4}", fullmatch=True),
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        typed,
        st.binary(max_size=5),
        st.timedeltas(),
        st.times(),
        st.datetimes(),
        st.just(object()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.sets(st.integers(), max_size=2), st.dictionaries(typed, inner, max_size=3)
    ),
    max_leaves=6,
)
json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), typed),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(typed, inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture
def specimen(db) -> Job:
    registry.sync(NOW)
    return Job.objects.get(name=NAME)


def is_usable(row: Job) -> bool:
    """Tell whether the row can be planned, timed and said."""
    plan = registry.plan_of(row)
    time_anew(row, plan, NOW)
    trigger = registry.trigger_of(plan, row, NOW)
    return bool(trigger and upcoming(trigger, NOW, 3) and schedules.words(plan.schedule.value))


@often
@given(interval=typed, times=typed)
@example(interval="999999999 days", times="")
@example(interval="3000000 days", times="")
@example(interval="9" * 5000 + " s", times="")
@example(interval=f"{'9' * 5000}:00", times="")
@example(interval="", times="9" * 5000 + ":00")
@example(interval="0.5 s", times="")
@example(interval="٣ days", times="")
@example(interval="a\0b", times="")
def test_an_override_in_the_form_is_kept_or_refused(specimen, interval, times):
    form = JobForm({"enabled": "on", "interval_text": interval, "times_text": times}, instance=specimen)
    if form.is_valid():
        form.save()
        saved = Job.objects.get(name=NAME)
        assert is_usable(saved)
        assert JobForm(instance=saved).as_p()
    else:
        assert {"interval_text", "times_text"} & form.errors.keys()


@often
@given(interval=st.one_of(st.none(), st.timedeltas()), times=json)
@example(interval=timedelta(days=100_000_000), times=None)
@example(interval=timedelta(seconds=-5), times=["09:30"])
def test_nonsense_in_a_row_is_passed_over(specimen, interval, times):
    specimen.override_interval, specimen.override_times = interval, times
    assert is_usable(specimen)


@often
@given(key=typed)
@example(key="{}")
@example(key='{"interval": "x"}')
@example(key='{"interval": 1e300}')
@example(key='{"times": [["25:00", ""]]}')
@example(key="[1]")
@example(key='"interval"')
def test_a_schedule_key_of_nonsense_only_times_the_job_anew(specimen, key):
    specimen.schedule_key, specimen.next_run_at = key, NOW - timedelta(hours=1)
    assert is_usable(specimen)
    assert specimen.next_run_at <= NOW


KEYS = sorted(conf.Settings.__dataclass_fields__)


@often
@given(st.one_of(values, st.dictionaries(st.sampled_from([key.upper() for key in KEYS]), values, max_size=3)))
@example({"OVERRIDES": {NAME: {"interval": timedelta.max}}})
@example({"OVERRIDES": {NAME: {"times": [time(9, 30, 15, 1)]}}})
def test_settings_are_read_or_refused_with_words(settings, given_values):
    settings.SCHEDULER_BRIDGE = given_values
    with suppress(ConfigurationError):
        conf.load()
    assert all(message.msg for message in checks.check_settings())


@often
@given(st.dictionaries(st.sampled_from(ATTRIBUTES), values, max_size=3))
def test_a_class_is_read_or_its_problems_are_named(attributes):
    command = type("Command", (BaseCommand,), {"ScheduledJob": type("ScheduledJob", (), attributes), "handle": None})
    definition = define("shop", "pay", command)
    assert all(problem.text for problem in (*definition.problems, *args_problems(definition, definition.args)))


@often
@given(action=st.sampled_from(["run", "why"]), name=typed)
@example(action="why", name="-x")
@example(action="run", name="")
def test_a_name_on_the_command_line_is_answered(db, capsys, action, name):
    assume("\0" not in name)  # no command line can carry it
    try:
        call_command("scheduledjobs", action, "--", name)
    except (CommandError, SystemExit):
        return
    assert capsys.readouterr().out


@often
@given(st.lists(typed, max_size=3))
@example(["--version"])
@example(["--settings", "nowhere"])
@example(["\udcff"])
def test_arguments_of_a_job_give_an_outcome(arguments):
    outcome = in_process.run("specimen", "tests.demo", tuple(arguments), Capture(1000))
    assert outcome.status in {Status.SUCCEEDED, Status.FAILED}


def test_a_reason_for_a_hold_is_any_text(db):
    call_command("scheduledjobs", "hold", "--reason", "\x1b[31ma\0\udcff" * 300, stdout=StringIO())
    call_command("scheduledjobs", "resume", stdout=StringIO())
