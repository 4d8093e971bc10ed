import pytest
from django.core.management.base import CommandError

from scheduler_bridge.execution.exit_code import exit_code


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (None, 0, ""),
        (SystemExit(), 0, ""),
        (SystemExit(0), 0, ""),
        (SystemExit(3), 3, ""),
        (SystemExit("a text"), 1, "a text\n"),
        (SystemExit(True), 1, ""),
        (SystemExit(256), 0, ""),
        (SystemExit(-1), 255, ""),
        (CommandError("no such order", returncode=9), 9, "CommandError: no such order\n"),
    ],
)
def test_an_exception_has_the_exit_code_that_a_process_would_end_with(error, code, text):
    assert exit_code(error) == (code, text)


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), -2), (ValueError("broken"), 1)])
def test_an_error_shows_its_traceback(error, code):
    found, text = exit_code(error)
    assert found == code
    assert type(error).__name__ in text
