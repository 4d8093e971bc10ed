import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from django.core.management.base import BaseCommand

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


class Plain(BaseCommand):
    """Takes nothing, and spoils what it is given."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.seen.append(dict(options))

    def execute(self, *args: Any, **options: Any) -> None:
        super().execute(*args, **options)
        options.clear()


def test_a_command_that_takes_nothing_finds_the_same_options_in_each_run(monkeypatch):
    monkeypatch.setattr(in_process, "load_command_class", lambda app, command: Plain())
    for _ in range(3):
        assert run("plain").status == Status.SUCCEEDED
    parsed = vars(Plain().create_parser("manage.py", "plain").parse_args([])) | {"no_color": True, "skip_checks": True}
    parsed.pop("args", None)
    assert Plain.seen == [parsed] * 3


def test_arguments_are_parsed_anew_in_each_run():
    codes = [run("probe_exit", way).exit_code for way in ("3", "return", "4")]
    assert codes == [3, 0, 4]


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
