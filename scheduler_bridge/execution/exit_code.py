"""One rule for exit codes, so that a command ends the same inside the runner and outside."""

import signal
import traceback

from django.core.management.base import CommandError

from ..object_text import error_text, text_of, type_name

INTERRUPTED = -2  # as a process that SIGINT ended
_C_LONG = 2**63  # a larger number is none to the system, which takes -1 instead


def exit_code(error: BaseException | None) -> tuple[int, str]:
    """Give the exit code that Python and Django would end a process with, and what they would print.

    ``sys.exit(True)`` is 1, ``sys.exit("text")`` prints the text and is 1, and the system keeps the low eight bits
    of a number; a ``CommandError`` prints its message alone. An error that cannot be told ends like any other.
    """
    try:
        return _rule(error)
    except BaseException:  # its attributes are foreign code, too
        return 1, f"{error_text(error)}\n"


def _rule(error: BaseException | None) -> tuple[int, str]:
    match error:
        case None:
            return 0, ""
        case SystemExit():
            return _left(error.code)
        case CommandError():
            code, text = _left(error.returncode)
            return code, f"{type_name(error)}: {text_of(error)}\n{text}"
        case KeyboardInterrupt():
            return INTERRUPTED, _traceback(error)
        case _:
            return 1, _traceback(error)


def _left(code: object) -> tuple[int, str]:
    """Return what ``sys.exit`` makes of any object."""
    if code is None:
        return 0, ""
    if not isinstance(code, int):
        return 1, f"{text_of(code)}\n"
    number = int.__index__(code)
    return (number if -_C_LONG <= number < _C_LONG else -1) & 0xFF, ""


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:  # such as a cause that is no error, or too deep a recursion
        return f"{error_text(error)}\n"


def signal_name(number: int) -> str:
    """Give the name of a signal: SIGSEGV; its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
