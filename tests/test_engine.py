import pytest

from scheduler_bridge import engine
from scheduler_bridge.exceptions import EngineError

BACKEND = "tests.tasks_api.backends.memory.MemoryBackend"


def work(run_id: int) -> None:
    raise NotImplementedError


def test_without_an_engine_a_function_stays_what_it_is():
    assert not engine.is_used()
    assert (engine.problem(), engine.queues(), engine.as_task(work)) == ("", (), work)
    with pytest.raises(EngineError, match="TASKS_BACKEND is not set"):
        engine.send(work, 1, "reports")


def test_a_run_goes_to_the_queue_of_its_job_as_a_number(tasks):
    engine.send(work, 7, "reports")
    engine.send(engine.as_task(work), 8, "mail")
    assert tasks.taken == [("reports", 7), ("mail", 8)]


def test_the_queues_are_those_that_the_engine_is_set_up_for(tasks, settings):
    assert engine.queues() == ("mail", "reports")
    settings.TASKS = {"engine": {"BACKEND": BACKEND}}
    assert engine.queues() == ()
    engine.send(work, 7, "anything")
    assert tasks.taken == [("anything", 7)]


def test_what_the_engine_refuses_is_one_kind_of_error_that_says_why(tasks):
    tasks.is_down = True
    with pytest.raises(
        EngineError, match="run 7 was not taken by queue 'reports': ConnectionError: connection refused"
    ):
        engine.send(work, 7, "reports")
    with pytest.raises(EngineError, match="no such queue: unknown"):
        engine.send(work, 7, "unknown")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "expected TASKS_BACKEND to be an alias in TASKS (there is none), got: 'engine'"),
        ({"other": {"BACKEND": BACKEND}}, "expected TASKS_BACKEND to be an alias in TASKS (other), got: 'engine'"),
        (
            {"engine": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}},
            "expected TASKS_BACKEND to name an engine with workers, "
            "got: django.tasks.backends.immediate.ImmediateBackend, which has none",
        ),
        ({"engine": {"BACKEND": "no.such.Backend"}}, "TASKS_BACKEND 'engine': No module named 'no'"),
        ({"engine": {}}, "TASKS_BACKEND 'engine': None doesn't look like a module path"),
        (
            {"engine": {"BACKEND": "collections.OrderedDict"}},
            "TASKS_BACKEND 'engine': collections.OrderedDict is no backend of tests.tasks_api",
        ),
    ],
)
def test_an_engine_that_cannot_be_used_is_named_and_nothing_goes_to_it(tasks, settings, given, text):
    settings.TASKS = given
    assert engine.problem() == text
    assert engine.as_task(work) is work
    assert engine.queues() == ()
    with pytest.raises(EngineError):
        engine.send(work, 7, "reports")


def test_a_bad_setting_is_left_to_the_checks(settings):
    settings.SCHEDULER_BRIDGE = {"TIMEOUT": "two minutes"}
    assert engine.as_task(work) is work
