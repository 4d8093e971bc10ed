"""A job that is a fork of the launcher: it must not be able to tell that from a program started for it alone."""

import atexit
import gc
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import django
from django.core.management import BaseCommand, execute_from_command_line

from . import stack
from .exit_code import INTERRUPTED, exit_code


class ForkedJob:
    """The project's commands in a process that was forked from one that has loaded them."""

    def warm(self) -> None:
        """Touch what every command needs: a fork copies each page of memory when it is first written."""
        with suppress(Exception):  # it is met again by the command itself, and shown with its output
            django.setup()
            BaseCommand().create_parser(sys.argv[0], "command").parse_args([])

    def become(self, command: list[str], arguments: list[str]) -> NoReturn:
        """Run a command and end the process as the interpreter would."""
        sys.orig_argv[:] = command
        sys.argv[1:] = arguments
        _reseed()
        stack.listen()
        code = _execute()
        for step in (vars(threading)["_shutdown"], vars(atexit)["_run_exitfuncs"], _flush_files):
            _survive(step)
        _leave(code if _flush_streams() else 120)  # as Python does when its last words are lost


def _reseed() -> None:
    """Give numpy's shared generator a state of its own; Python's gets one at each fork."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def _execute() -> int:
    try:
        execute_from_command_line(sys.argv)
    except SystemExit as error:
        code, text = exit_code(error)
        sys.stderr.write(text)
        return code
    except BaseException as error:
        # Without this frame, which a new process has not.
        sys.excepthook(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _survive(step: Callable[[], object]) -> None:
    try:
        step()
    except BaseException:
        traceback.print_exc()


def _flush_files() -> None:
    """Write out files that are still open: an interpreter that ends closes them, and this one does not."""
    gc.collect()
    for found in gc.get_objects():
        if isinstance(found, io.BufferedWriter | io.BufferedRandom | io.TextIOWrapper):
            with suppress(OSError, ValueError):
                found.flush()


def _flush_streams() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:
                stream.flush()
    except OSError:
        return False
    return True


def _leave(code: int) -> NoReturn:
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)
