"""Where print, sys.stderr and console logging go: to the job of the thread that writes, or to the console."""

import fcntl
import getpass
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, TextIO

from ..object_text import error_text
from .output import Capture

logger = logging.getLogger("scheduler_bridge")

_captures: Final[dict[int, Capture]] = {}  # by the identity of the thread
_asked: Final[list[Callable[[], object]]] = []  # what puts back where questions were asked


class Router(io.TextIOBase):
    """A stand-in for sys.stdout or sys.stderr that asks each time which thread writes."""

    def __init__(self, console: TextIO) -> None:
        self.console = console
        self.buffer = Bytes(self)

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str) -> int:
        capture = _captures.get(threading.get_ident())
        if capture is not None:
            capture.write(text.encode("utf-8", "backslashreplace"))
        else:
            self._say(text)
        return len(text)

    def _say(self, text: str) -> None:
        """Write to the console; one that is closed or full takes no words, which ends nothing."""
        with suppress(OSError, ValueError):
            try:
                self.console.write(text)
            except UnicodeEncodeError:
                self.console.write(text.encode("ascii", "backslashreplace").decode())

    def flush(self) -> None:
        if threading.get_ident() not in _captures:
            with suppress(OSError, ValueError):
                self.console.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return threading.get_ident() not in _captures and not self.console.closed and self.console.isatty()

    def fileno(self) -> int:
        return self.console.fileno()

    def reconfigure(self, **options: Any) -> None:
        """Leave all as it is: whatever is written is kept."""

    def close(self) -> None:
        """Stay open: a job must not close it for the next one."""


class Bytes(io.BufferedIOBase):
    """What is beneath a router, for bytes."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def write(self, data: Any) -> int:
        capture, found = _captures.get(threading.get_ident()), bytes(data)
        if capture is not None:
            capture.write(found)
        elif hasattr(self._router.console, "buffer"):
            with suppress(OSError, ValueError):
                self._router.console.buffer.write(found)
        else:
            self._router.write(found.decode("utf-8", "backslashreplace"))
        return len(found)

    def flush(self) -> None:
        self._router.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._router.fileno()

    def close(self) -> None:
        """Stay open, as the router does."""


def install() -> None:
    """Put the routers in place, for the life of the process; handlers that log to the console go through them."""
    if isinstance(sys.stdout, Router):
        return
    streams = {id(sys.stdout): Router(sys.stdout), id(sys.stderr): Router(sys.stderr)}
    sys.stdout, sys.stderr = streams[id(sys.stdout)], streams[id(sys.stderr)]
    for handler in _stream_handlers():
        router = streams.get(id(handler.stream))
        if router is not None:
            handler.setStream(router)
    _patch(logger, "handle", partial(_handle, logger.handle))
    _answer_nothing()
    _follow_threads()


def uninstall() -> None:
    """Put the console back."""
    for handler in _stream_handlers():
        if isinstance(handler.stream, Router):
            handler.setStream(handler.stream.console)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Router):
            setattr(sys, name, stream.console)
    vars(logger).pop("handle", None)
    while _asked:
        _asked.pop()()


def _answer_nothing() -> None:
    """Let code that asks a question meet the end of its input, as in a process of its own, and not wait for a person.

    The terminal, where passwords are asked for, is the runner's own, too.
    """
    _asked.append(partial(setattr, getpass, "getpass", getpass.getpass))
    _patch(getpass, "getpass", _ask_nobody)
    with suppress(OSError):  # it may be closed
        before = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 10)
        _asked.append(partial(_put_descriptor, before))
    null = os.open(os.devnull, os.O_RDONLY)
    if null:
        os.dup2(null, 0)
        os.close(null)
    _asked.append(partial(setattr, sys, "stdin", sys.stdin))
    sys.stdin = io.TextIOWrapper(io.BytesIO(), "utf-8")


def _ask_nobody(*words: object, **options: object) -> None:
    raise EOFError("nobody is there who could be asked for a password")


def _put_descriptor(before: int) -> None:
    os.dup2(before, 0)
    os.close(before)


def _handle(handle: Callable[[logging.LogRecord], None], record: logging.LogRecord) -> None:
    """Let the runner's words be lost rather than end it where a handler of the project raises an error."""
    try:
        handle(record)
    except Exception as error:
        with suppress(Exception):
            sys.stderr.write(f"{record.getMessage()} (a logging handler failed: {error_text(error)})\n")


@contextmanager
def captured(capture: Capture) -> Iterator[None]:
    """Send what this thread writes, and the threads it starts, to this capture."""
    _captures[threading.get_ident()] = capture
    try:
        yield
    finally:
        del _captures[threading.get_ident()]


def _stream_handlers() -> Iterator["logging.StreamHandler[Any]"]:
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for logger in loggers:
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                yield handler


def _follow_threads() -> None:
    """Let a thread inherit the capture of the thread that starts it."""
    _patch(threading.Thread, "start", _start_following)


_start: Final = threading.Thread.start


def _start_following(self: threading.Thread) -> None:
    capture = _captures.get(threading.get_ident())
    if capture is not None:
        _patch(self, "run", partial(_run_captured, capture, self.run))
    _start(self)


def _run_captured(capture: Capture, run: Callable[[], None]) -> None:
    with captured(capture):
        run()


def _patch(owner: object, name: str, function: Callable[..., object]) -> None:
    setattr(owner, name, function)
