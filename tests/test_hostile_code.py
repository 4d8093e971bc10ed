"""Whatever the code of one command does when it is looked at, it costs that command alone."""

from datetime import timedelta
from enum import IntEnum
from functools import partial

import pytest
from django.core.management import BaseCommand
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

from scheduler_bridge import checks, conf, registry
from scheduler_bridge.definition import define
from scheduler_bridge.discovery import discover
from scheduler_bridge.models import Job

BAD, GOOD = "shop.bad", "shop.good"


def refuse(*args, **kwargs):
    raise LookupError("refused")


class Refusing:
    """An object that answers nothing, not even what it is called."""

    __repr__ = __str__ = __eq__ = __bool__ = __iter__ = __len__ = __getattr__ = refuse
    __hash__ = None


class RefusingTime(timedelta):
    __repr__ = __str__ = __eq__ = __gt__ = __bool__ = total_seconds = refuse
    __hash__ = None


class RefusingText(str):
    __repr__ = __str__ = __eq__ = __bool__ = __hash__ = strip = refuse


class RefusingClass(type):
    __repr__ = __eq__ = __hash__ = mro_entries = refuse

    @property
    def help(cls):
        refuse()


class Unwilling(Exception):
    __str__ = __repr__ = refuse

    @property
    def __notes__(self):
        raise SystemExit(3)


class Leaving:
    """An attribute that leaves the process when it is read from the class."""

    def __get__(self, instance, owner):
        raise SystemExit(4)


class Seconds(IntEnum):
    TWO = 2


def member(**attributes):
    return type("ScheduledJob", (), attributes)


def command_of(job, **values):
    return type("Command", (BaseCommand,), {"ScheduledJob": job, "handle": None, **values})


@pytest.fixture
def found(monkeypatch):
    """Discover these commands and no others."""

    def look(**sources):
        monkeypatch.setattr("scheduler_bridge.discovery.get_commands", lambda: dict.fromkeys(sources, "shop"))

        def load(app, name):
            source = sources[name]
            return source if isinstance(source, BaseCommand) else source()

        monkeypatch.setattr("scheduler_bridge.discovery.load_command_class", load)
        discover.cache_clear()
        return discover()

    yield look
    discover.cache_clear()


def kept_in(step):
    """Return what a step gives; an error that comes through is told by its type, since it cannot be shown."""
    try:
        return step()
    except BaseException as error:
        name = type(error).__name__
    raise AssertionError(f"{name} came through")


def good():
    return command_of(member(scheduled_interval=timedelta(hours=1)))()


def failing(error):
    def load():
        raise error

    return load


LOADS = {
    "text that refuses": failing(Unwilling()),
    "exit": failing(SystemExit(2)),
    "control characters": failing(RuntimeError("\x00\x1b[31mred\ud800")),
    "empty": failing(RuntimeError("")),
}


@pytest.mark.django_db
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_module_that_cannot_be_loaded_is_one_warning_whatever_it_raises(found, load, now):
    Job.objects.create(name=BAD, app="shop", command="bad", schedule_key="interval 3600")
    seen = kept_in(lambda: found(bad=load, good=good))
    assert (list(seen.broken), list(seen.definitions)) == ([BAD], [GOOD])
    (message,) = kept_in(checks.check_definitions)
    assert (message.id, message.msg.partition(":")[0]) == ("scheduler_bridge.W102", f"{BAD} cannot be loaded")
    registry.sync(now)
    assert Job.objects.get(name=BAD).broken == seen.broken[BAD].error
    assert "\x00" not in seen.broken[BAD].error


MEMBERS = {
    "member": Refusing(),
    "member that leaves": Leaving(),
    "interval": member(scheduled_interval=Refusing()),
    "interval's time": member(scheduled_interval=RefusingTime(1)),
    "times": member(scheduled_times=Refusing()),
    "timeout": member(timeout=RefusingTime(1)),
    "timeout as property": member(timeout=property(refuse)),
    "switch": member(internal=Refusing()),
    "next": member(trigger_next_jobs=Refusing()),
    "names": member(trigger_next_jobs=[RefusingText("a")]),
    "args": member(args=Refusing()),
    "words": member(args=[RefusingText("--traceback")]),
    "queue": member(queue=RefusingText("reports")),
    "question": member(should_run=Refusing()),
    "question that leaves": member(should_run=Leaving()),
    "unknown": member(something=Refusing()),
    "metaclass": RefusingClass("ScheduledJob", (), {}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("job", MEMBERS.values(), ids=MEMBERS)
def test_a_member_class_that_answers_nothing_costs_its_own_job_alone(found, job, now):
    seen = kept_in(lambda: found(bad=lambda: command_of(job)(), good=good))
    assert GOOD in seen.definitions
    messages = kept_in(checks.check_definitions)
    assert all(message.msg.startswith(BAD) for message in messages)
    assert {*seen.definitions, *seen.broken} == {BAD, GOOD}
    lines = registry.sync(now)
    assert f"created job {GOOD}" in lines


HELPS = {
    "a property": (property(lambda self: " Fetches the feed "), "Fetches the feed"),
    "a translation": (gettext_lazy(" Job "), "Job"),
    "a text of a kind": (type("Text", (str,), {})("Pays"), "Pays"),
    "none": (None, ""),
    "a number": (7, "7"),
    "a refusing property": (property(refuse), ""),
    "a leaving property": (property(failing(SystemExit(1))), ""),
    "a refusing translation": (lazystr(Refusing()), ""),
}


@pytest.mark.parametrize(("value", "description"), HELPS.values(), ids=HELPS)
def test_a_help_is_what_a_command_object_says_and_nothing_where_it_refuses(value, description):
    definition = kept_in(lambda: define("shop", "bad", command_of(member(), help=value)))
    assert definition.description == description


class Question:
    def __call__(self):
        return True


@pytest.mark.parametrize(
    "question", [partial(bool, 1), staticmethod(partial(bool, 1)), classmethod(lambda cls: True), Question()]
)
def test_every_callable_is_a_question(question):
    definition = define("shop", "a", command_of(member(should_run=question)))
    assert definition.problems == ()
    assert definition.should_run() is True


def test_a_signature_that_cannot_be_read_is_taken_on_trust():
    class Unsigned(Question):
        __signature__ = property(refuse)

    definition = kept_in(lambda: define("shop", "a", command_of(member(should_run=Unsigned()))))
    assert definition.should_run() is True


async def later():
    return False


async def one_by_one():
    yield False


@pytest.mark.parametrize("question", [later, one_by_one, partial(later), type("Q", (), {"__call__": later})()])
def test_an_async_question_is_refused_since_its_promise_would_always_be_a_yes(question):
    definition = kept_in(lambda: define("shop", "a", command_of(member(should_run=staticmethod(question)))))
    assert [problem.id for problem in definition.problems] == ["E116"]
    assert definition.should_run is None


@pytest.mark.parametrize(
    ("number", "written"), [(Seconds.TWO, "2"), (10**400, "1" + "0" * 19), (2.0, "2"), (0.5, "0.5")]
)
def test_every_number_as_timeout_is_refused_with_what_to_write(number, written):
    (problem,) = kept_in(lambda: define("shop", "a", command_of(member(timeout=number)))).problems
    assert (problem.id, problem.hint) == ("E106", f"Write: timeout = timedelta(seconds={written})")


# The settings

REFUSING = Refusing()
OVERRIDES = {
    "entry": REFUSING,
    "args": {"args": REFUSING},
    "queue": {"queue": REFUSING},
    "timeout": {"timeout": RefusingTime(1)},
    "enabled": {"enabled": REFUSING},
    "trigger": {"trigger": REFUSING},
}


@pytest.mark.parametrize("override", OVERRIDES.values(), ids=OVERRIDES)
def test_a_value_of_the_settings_that_answers_nothing_is_named(settings, found, override):
    found(good=good)
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {GOOD: override}}
    (message,) = kept_in(checks.check_settings)
    assert message.id == "scheduler_bridge.E001"
    assert f"OVERRIDES[{GOOD!r}]" in message.msg
    assert "Refusing>" in message.msg or "timeout" in message.msg


@pytest.mark.parametrize("key", conf.KEYS)
def test_a_key_that_is_given_what_answers_nothing_is_named(settings, found, key):
    found(good=good)
    settings.SCHEDULER_BRIDGE = {key: REFUSING}
    (message,) = kept_in(checks.check_settings)
    assert message.id == "scheduler_bridge.E001"
    assert message.msg.startswith(f"SCHEDULER_BRIDGE: {key}: expected ")
