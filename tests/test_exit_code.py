import subprocess
import sys

import pytest
from django.core.management.base import CommandError
from hypothesis import given
from hypothesis import strategies as st

from scheduler_bridge.execution.exit_code import exit_code
from scheduler_bridge.object_text import error_text


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
        (SystemExit(10**30), 255, ""),  # as Python itself: no number of C, so -1
        (SystemExit(-(10**30)), 255, ""),
        (SystemExit(2**40 + 5), 5, ""),
        (SystemExit(2.5), 1, "2.5\n"),
        (SystemExit(("a", 1)), 1, "('a', 1)\n"),
        (CommandError("no such order", returncode=9), 9, "CommandError: no such order\n"),
        (CommandError("no such order", returncode="3"), 1, "CommandError: no such order\n3\n"),
        (CommandError("no such order", returncode=2.5), 1, "CommandError: no such order\n2.5\n"),
        (CommandError("no such order", returncode=None), 0, "CommandError: no such order\n"),
        (CommandError("no such order", returncode=10**30), 255, "CommandError: no such order\n"),
    ],
)
def test_an_exception_has_the_exit_code_that_a_process_would_end_with(error, code, text):
    assert exit_code(error) == (code, text)


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), -2), (ValueError("broken"), 1)])
def test_an_error_shows_its_traceback(error, code):
    found, text = exit_code(error)
    assert found == code
    assert type(error).__name__ in text


@pytest.mark.parametrize("code", [3, -1, 2**40 + 5, 10**30, 2.5, None, ("a", 1)])
def test_the_code_is_that_of_a_process(code):
    done = subprocess.run([sys.executable, "-c", f"raise SystemExit({code!r})"], capture_output=True, text=True)
    found, text = exit_code(SystemExit(code))
    assert found == done.returncode
    assert text == done.stderr or "OverflowError" in done.stderr


WORDS = st.sampled_from([ValueError("no words"), SystemExit(3), KeyboardInterrupt(), RecursionError(), MemoryError()])
THINGS = st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary(), WORDS, st.builds(object))


def odd_error(base: type[BaseException], text: object, attribute: object) -> BaseException:
    """Return an error whose text, and whose attributes, are these or raise these."""

    def give(thing: object) -> object:
        if isinstance(thing, BaseException):
            raise thing
        return thing

    def tell(self: object) -> object:
        return give(text)

    names = dict.fromkeys(("code", "returncode", "__cause__", "__notes__"), property(lambda self: give(attribute)))
    odd = type("Odd", (base,), {"__str__": tell, "__repr__": tell, **names})
    return odd.__new__(odd)


@given(st.sampled_from([Exception, SystemExit, CommandError, KeyboardInterrupt, BaseException]), THINGS, THINGS)
def test_any_error_is_an_outcome(base, text, attribute):
    code, said = exit_code(odd_error(base, text, attribute))
    assert -2 <= code <= 255
    assert type(said) is str
    assert type(error_text(odd_error(base, text, attribute))) is str
