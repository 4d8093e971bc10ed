"""One rule for exit codes, so that a command ends the same inside the runner and outside."""

import signal
import traceback

from django.core.management.base import CommandError

INTERRUPTED = -2  # as a process that SIGINT ended


def exit_code(error: BaseException | None) -> tuple[int, str]:
    """Give the exit code that Python and Django would end a process with, and what they would print.

    ``sys.exit(True)`` is 1, ``sys.exit("text")`` prints the text and is 1, and the system keeps the low eight bits
    of a number; a ``CommandError`` prints its message alone.
    """
    match error:
        case None:
            return 0, ""
        case SystemExit(code=None):
            return 0, ""
        case SystemExit(code=int(code)):
            return int(code) & 0xFF, ""
        case SystemExit(code=text):
            return 1, f"{text}\n"
        case CommandError():
            return error.returncode & 0xFF, f"{type(error).__name__}: {error}\n"
        case KeyboardInterrupt():
            return INTERRUPTED, "".join(traceback.format_exception(error))
        case _:
            return 1, "".join(traceback.format_exception(error))


def signal_name(number: int) -> str:
    """Give the name of a signal: SIGSEGV; its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
