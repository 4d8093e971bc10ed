from datetime import time, timedelta
from types import SimpleNamespace

import pytest
from django.core.management.base import BaseCommand
from django.utils.translation import gettext_lazy

from scheduler_bridge.conf import UNSET
from scheduler_bridge.definition import args_problems, define
from scheduler_bridge.schedules import DailyTimes, Interval, Manual


def command_of(member: object, **values: object) -> type[BaseCommand]:
    return type("Command", (BaseCommand,), {"ScheduledJob": member, "handle": None, **values})


def job(**attributes: object):
    return define("shop", "pay", command_of(type("ScheduledJob", (), attributes)))


def found(**attributes: object) -> list[str]:
    definition = job(**attributes)
    return [problem.id for problem in (*definition.problems, *args_problems(definition, definition.args))]


def test_a_command_without_the_class_is_no_job():
    assert define("shop", "pay", BaseCommand) is None


def test_an_empty_class_is_a_job_by_hand():
    definition = job()
    assert definition.name == "shop.pay"
    assert definition.schedule == Manual()
    assert (definition.internal, definition.timeout, definition.args) == (False, UNSET, ())
    assert definition.problems == ()


def test_every_attribute_is_read():
    definition = job(
        scheduled_times=[time(9, 30), "18:30"],
        internal=False,
        timeout=timedelta(minutes=5),
        trigger_next_jobs=["shop.match", "report"],
        trigger_next_on_failure=True,
        default_notify_on_success=True,
        args=["--verbosity", "2"],
        queue="reports",
        should_run=staticmethod(lambda: "yes"),
    )
    assert definition.schedule == DailyTimes((time(9, 30), time(18, 30)))
    assert definition.timeout == timedelta(minutes=5)
    assert definition.next_jobs == ("shop.match", "report")
    assert definition.next_on_failure
    assert definition.notify_on_success
    assert (definition.args, definition.queue) == (("--verbosity", "2"), "reports")
    assert definition.should_run() == "yes"
    assert definition.problems == ()


def test_no_timeout_is_not_the_same_as_none():
    assert job(timeout=None).timeout is None
    assert job().timeout is UNSET


@pytest.mark.parametrize("timeout", [timedelta.max, timedelta(microseconds=1), timedelta(days=300 * 365, seconds=1)])
def test_a_timeout_of_any_length_is_taken_as_it_is(timeout):
    assert (job(timeout=timeout).timeout, job(timeout=timeout).problems) == (timeout, ())


def test_the_description_is_the_help_of_the_command():
    assert define("a", "b", command_of(type("S", (), {}), help=gettext_lazy(" Pays "))).description == "Pays"


def test_what_a_base_class_says_counts():
    base = type("Base", (), {"scheduled_interval": timedelta(hours=1)})
    definition = define("a", "b", command_of(type("ScheduledJob", (base,), {"_private": 1})))
    assert definition.schedule == Interval(timedelta(hours=1))
    assert definition.problems == ()


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        ({"scheduled_interval": timedelta(hours=1), "scheduled_times": "09:30"}, "E102"),
        ({"scheduled_interval": timedelta(0)}, "E103"),
        ({"scheduled_interval": timedelta(seconds=-5)}, "E103"),
        ({"scheduled_interval": timedelta(milliseconds=10)}, "E103"),
        ({"scheduled_interval": 60}, "E103"),
        ({"scheduled_times": []}, "E104"),
        ({"scheduled_times": ["9:30", time(9, 30)]}, "E104"),
        ({"scheduled_times": "half past nine"}, "E104"),
        ({"scheduled_times": "24:00"}, "E104"),
        ({"scheduled_times": 930}, "E104"),
        ({"internal": "yes"}, "E105"),
        ({"timeout": 120}, "E106"),
        ({"timeout": timedelta(0)}, "E107"),
        ({"timeout": "2m"}, "E107"),
        ({"internal": True, "timeout": timedelta(minutes=1)}, "E108"),
        ({"trigger_next_jobs": 5}, "E109"),
        ({"trigger_next_jobs": ["a", None]}, "E109"),
        ({"args": "--days 30"}, "E110"),
        ({"args": ["--days", 30]}, "E110"),
        ({"queue": ""}, "E115"),
        ({"queue": 5}, "E115"),
        ({"queue": "two\nlines"}, "E115"),
        ({"queue": "x" * 101}, "E115"),
        ({"queue": "reports", "internal": True}, "E115"),
        ({"args": ["--unknown"]}, "E111"),
        ({"args": ["--help"]}, "E111"),
        ({"should_run": lambda self: True}, "E114"),
        ({"should_run": True}, "E114"),
        ({"schedule_interval": timedelta(hours=1)}, "W101"),
    ],
)
def test_bad_input_is_named(attributes, number, capsys):
    assert found(**attributes) == [number]
    assert capsys.readouterr() == ("", "") or attributes.get("args") == ["--help"]


def test_a_number_as_timeout_is_refused_with_what_to_write():
    assert job(timeout=120).problems[0].hint == "Write: timeout = timedelta(seconds=120)"


def test_an_unknown_attribute_is_a_warning_with_the_nearest_name():
    problem = job(schedule_interval=None).problems[0]
    assert not problem.is_error
    assert problem.hint == "Did you mean scheduled_interval?"


def test_a_member_that_is_no_class_is_refused():
    definition = define("a", "b", command_of(SimpleNamespace(internal=True)))
    assert [problem.id for problem in definition.problems] == ["E101"]


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_should_run_is_callable_without_an_instance(kind):
    def plain(*arguments: object) -> int:
        return len(arguments)

    question = job(should_run=kind(plain)).should_run
    assert question() == (kind is classmethod)


def test_a_command_that_asks_for_an_argument_is_refused_when_none_is_given():
    def add_arguments(self, parser):
        parser.add_argument("path")

    member = type("ScheduledJob", (), {})
    definition = define("a", "b", command_of(member, add_arguments=add_arguments))
    assert [problem.id for problem in args_problems(definition, definition.args)] == ["E111"]
    assert args_problems(define("a", "b", command_of(member)), ()) == ()
