import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scheduler_bridge.execution import console, in_process
from scheduler_bridge.execution.output import Capture
from scheduler_bridge.models import Status


@contextmanager
def routed() -> Iterator[None]:
    """Route the console inside the test itself: before it, pytest has another one in place."""
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger("probe").addHandler(handler)
    console.install()
    try:
        yield
    finally:
        console.uninstall()
        logging.getLogger("probe").removeHandler(handler)


def run(command: str, *args: str):
    with routed():
        return in_process.run(command, "tests.demo", args, Capture(10_000))


@pytest.mark.parametrize(
    ("way", "status", "code"),
    [
        ("return", Status.SUCCEEDED, 0),
        ("none", Status.SUCCEEDED, 0),
        ("256", Status.SUCCEEDED, 0),
        ("3", Status.FAILED, 3),
        ("text", Status.FAILED, 1),
        ("true", Status.FAILED, 1),
        ("command", Status.FAILED, 9),
        ("error", Status.FAILED, 1),
        ("interrupt", Status.FAILED, -2),
    ],
)
def test_however_a_command_ends_it_is_an_outcome(way, status, code):
    outcome = run("probe_exit", way)
    assert (outcome.status, outcome.exit_code) == (status, code)
    assert outcome.output.startswith("before\n")


def test_an_error_is_in_the_output_with_its_traceback_and_in_the_reason():
    outcome = run("probe_exit", "error")
    assert "Traceback" in outcome.output
    assert outcome.reason == "ValueError: broken"


def test_a_command_error_is_said_without_a_traceback():
    outcome = run("probe_exit", "command")
    assert outcome.output == "before\nCommandError: no such order\n"
    assert outcome.reason == "no such order"


def test_a_command_that_is_not_there_fails_loudly():
    outcome = run("nonexistent")
    assert outcome.status == Status.FAILED
    assert "nonexistent" in outcome.output


def test_arguments_that_the_parser_refuses_fail_the_run():
    assert run("probe_exit").status == Status.FAILED


def test_everything_a_command_says_is_captured_also_from_threads_it_starts():
    output = run("probe_speak").output
    for way in ("self.stdout", "self.stderr", "print", "sys.stderr", "logging", "a thread"):
        assert f"by {way}" in output


def test_what_other_threads_say_is_not_captured():
    capture, entered, leave = Capture(1000), threading.Event(), threading.Event()

    def speak():
        entered.wait(5)
        print("from elsewhere")
        leave.set()

    other = threading.Thread(target=speak)
    other.start()
    with routed(), console.captured(capture):
        entered.set()
        leave.wait(5)
        print("from the job")
    other.join()
    assert capture.text() == "from the job\n"
