"""Executes a command in the runner's own process, on the calling thread and its database connection."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.management import load_command_class
from django.core.management.base import BaseCommand, CommandError

from ..models import Status
from ..object_text import error_text, text_of
from ..parsing import takes_nothing
from . import console
from .exit_code import exit_code
from .outcome import Outcome
from .output import Capture

# To make a parser takes as long as to record the run.
_FOR_NO_WORDS: Final[dict[type[BaseCommand], dict[str, Any]]] = {}


def run(command: str, app: str, args: Sequence[str], capture: Capture) -> Outcome:
    """Execute a new instance of this command and say how it ended; whatever it raises is an outcome."""
    try:
        with console.captured(capture):
            _execute(command, app, args)
    except BaseException as error:  # the code of a job may raise anything, and the runner goes on
        return _outcome(error, capture)
    return _outcome(None, capture)


def _execute(command: str, app: str, args: Sequence[str]) -> None:
    instance = load_command_class(app, command)
    options = _options(instance, command, args)
    words = options.pop("args", ())
    instance.execute(*words, **{**options, "skip_checks": True, "no_color": True})


def _options(instance: BaseCommand, command: str, args: Sequence[str]) -> dict[str, Any]:
    """Give what the command's parser makes of these words; Django's own makes the same of none each time."""
    if args or not takes_nothing(type(instance)):
        return vars(instance.create_parser("manage.py", command).parse_args(list(args)))
    if type(instance) not in _FOR_NO_WORDS:
        _FOR_NO_WORDS[type(instance)] = vars(instance.create_parser("manage.py", command).parse_args([]))
    return _FOR_NO_WORDS[type(instance)].copy()


def _outcome(error: BaseException | None, capture: Capture) -> Outcome:
    code, text = exit_code(error)
    capture.write(text.encode("utf-8", "backslashreplace"))
    return Outcome(
        status=Status.SUCCEEDED if code == 0 else Status.FAILED,
        exit_code=code,
        output=capture.text(),
        reason=_reason(error, code) if code else "",
    )


def _reason(error: BaseException | None, code: int) -> str:
    try:
        if isinstance(error, SystemExit):
            return f"exit code {code}" if isinstance(error.code, int) else text_of(error.code)
        if isinstance(error, CommandError):
            return text_of(error)
    except BaseException:  # its attributes are foreign code, too
        return error_text(error)
    return error_text(error)
