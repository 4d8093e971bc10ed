"""What an internal job finds, and finds left behind it: looked at before, put back after, named where it differs."""

import decimal
import fcntl
import locale
import logging
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.db import connections
from django.utils import timezone, translation

from ..connection import pool_threads
from ..object_text import error_text
from .session import Sessions

logger = logging.getLogger("scheduler_bridge")

LOGGERS: Final = (logging.root, logging.getLogger("scheduler_bridge"))
_UNSEEN: Final = object()  # stands for what could not be looked at
ALARMS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of the process or the thread that a job may change."""

    name: str
    look: Callable[[], Any]
    put_back: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Logging:
    """What is known of logging: that of the whole process, of all loggers, and of those that the runner speaks by."""

    disabled: int
    silenced: set[Any]  # a logging configuration that is read silences all loggers it does not name
    ours: list[tuple[int, bool, list[logging.Handler]]]


@dataclass(frozen=True, slots=True)
class Room:
    """How everything was before a job."""

    pid: int
    values: tuple[Any, ...]
    sessions: Sessions
    threads: frozenset[int | None]


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


def _put_directory(path: str) -> None:
    with suppress(OSError):
        os.chdir(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _environment() -> dict[bytes, bytes]:
    """Copy the mapping behind os.environ, which decodes each value anew whenever it is asked."""
    data: dict[bytes, bytes] = vars(os.environb)["_data"]
    return data.copy()


def _put_environment(values: dict[bytes, bytes]) -> None:
    os.environb.clear()
    os.environb.update(values)
    time.tzset()


def _put_argv(values: list[str]) -> None:
    sys.argv = list(values)


def _put_path(values: list[str]) -> None:
    sys.path = list(values)


def _signals() -> dict[int, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}  # only the main thread may set handlers, and so a job on another cannot have changed them
    return {number: signal.getsignal(number) for number in sorted(signal.valid_signals())}


def _put_signals(values: dict[int, Any]) -> None:
    for number, handler in values.items():
        if signal.getsignal(number) != handler and handler is not None:
            signal.signal(number, handler)


def _filters() -> list[Any]:
    return list(warnings.filters)


def _put_filters(values: list[Any]) -> None:
    vars(warnings)["filters"][:] = values
    getattr(warnings, "_filters_mutated", lambda: None)()


def _logging() -> Logging:
    return Logging(
        disabled=logging.root.manager.disable,
        silenced={logger for logger in list(logging.root.manager.loggerDict.values()) if _is_silenced(logger)},
        ours=[(logger.level, logger.propagate, list(logger.handlers)) for logger in LOGGERS],
    )


def _is_silenced(logger: object) -> bool:
    return bool(getattr(logger, "disabled", False))


def _put_logging(before: Logging) -> None:
    logging.disable(before.disabled)
    for logger in before.silenced ^ _logging().silenced:
        vars(logger)["disabled"] = logger in before.silenced
    for logger, (level, propagate, handlers) in zip(LOGGERS, before.ours, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = handlers


def _alarms() -> tuple[bool, ...]:
    return tuple(signal.getitimer(which)[0] > 0 for which in ALARMS)


def _put_alarms(values: tuple[bool, ...]) -> None:
    for which, was_set in zip(ALARMS, values, strict=True):
        if not was_set:
            signal.setitimer(which, 0)


def _put_language(language: str | None) -> None:
    if language is None:
        translation.deactivate_all()
    else:
        translation.activate(language)


def _put_zone(name: str) -> None:
    timezone.deactivate()
    if timezone.get_current_timezone_name() != name:
        timezone.activate(name)


def _put_streams(streams: tuple[Any, Any, Any]) -> None:
    sys.stdout, sys.stderr, sys.stdin = streams


@cache
def _spares() -> tuple[int | None, ...]:
    """Keep a copy of each of the first three descriptors, for one that a job closes."""
    return tuple(fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10) if _file(number) else None for number in range(3))


def _file(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:  # it is closed
        return None
    return found.st_dev, found.st_ino


def _descriptors() -> tuple[tuple[int, int] | None, ...]:
    _spares()
    return tuple(_file(number) for number in range(3))


def _put_descriptors(values: tuple[tuple[int, int] | None, ...]) -> None:
    for number, (before, spare) in enumerate(zip(values, _spares(), strict=True)):
        if _file(number) != before and spare is not None:
            os.dup2(spare, number)


ITEMS: Final = (
    Item("the working directory", _directory, _put_directory),
    Item("the environment", _environment, _put_environment),
    Item("the umask", _umask, os.umask),
    Item("sys.argv", lambda: list(sys.argv), _put_argv),
    Item("sys.path", lambda: list(sys.path), _put_path),
    Item("sys.stdout or sys.stderr", lambda: (sys.stdout, sys.stderr, sys.stdin), _put_streams),
    Item("a descriptor of the console", _descriptors, _put_descriptors),
    Item("signal handlers", _signals, _put_signals),
    Item("the alarm clock", _alarms, _put_alarms),
    Item("warning filters", _filters, _put_filters),
    Item("logging", _logging, _put_logging),
    Item("the language", translation.get_language, _put_language),
    Item("the time zone", timezone.get_current_timezone_name, _put_zone),
    Item("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda value: locale.setlocale(locale.LC_ALL, value)),
    Item("the decimal context", lambda: decimal.getcontext().copy(), decimal.setcontext),
    Item("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Item("the socket timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Item("sys.excepthook", lambda: sys.excepthook, lambda value: setattr(sys, "excepthook", value)),
)


def snapshot() -> Room:
    """Look at everything before a job."""
    return Room(
        pid=os.getpid(),
        values=tuple(_look(item) for item in ITEMS),
        sessions=_watched(),
        threads=frozenset(thread.ident for thread in threading.enumerate()),
    )


def restore(room: Room) -> tuple[str, ...]:
    """Put everything back and name what was left behind, one sentence each; what cannot be is named, too.

    A forked copy of the runner that came back from a job ends here: it must not go on as a second one.
    """
    if os.getpid() != room.pid:
        os._exit(0)
    found = _heal(room.sessions)
    for item, before in zip(ITEMS, room.values, strict=True):
        found += _put_back(item, before)
    return (*found, *_left(room.threads))


def _watched() -> Sessions:
    try:
        return Sessions.watched()
    except BaseException as error:  # drivers, and what a job made of them
        logger.error("the database connections cannot be watched: %s", error_text(error), exc_info=error)
        return Sessions(frozenset())


def _heal(sessions: Sessions) -> list[str]:
    try:
        return sessions.heal()
    except BaseException as error:  # drivers, and what a job made of them
        for alias in [connection.alias for connection in connections.all(initialized_only=True)]:
            del connections[alias]  # the next one begins anew
        return [f"the database connections were left in disorder and are replaced: {error_text(error)}"]


def _left(before: frozenset[int | None]) -> list[str]:
    left = [thread for thread in threading.enumerate() if thread.ident not in before]
    try:
        names = [thread.name for thread in left if not thread.name.startswith(pool_threads())]
    except BaseException:  # a thread may be of a class of the project
        return [f"threads go on: {len(left)}"]
    return [f"threads go on: {', '.join(names)}"] if names else []


def _look(item: Item) -> Any:
    try:
        return item.look()
    except BaseException:  # what a job left there may raise anything
        return _UNSEEN


def _put_back(item: Item, before: Any) -> list[str]:
    if before is _UNSEEN or _same(_look(item), before):
        return []
    try:
        item.put_back(before)
    except BaseException as error:
        return [f"{item.name} was changed and cannot be put back: {error_text(error)}"]
    return [f"{item.name} was changed and is put back"]


def _same(after: Any, before: Any) -> bool:
    try:
        if isinstance(before, decimal.Context) and isinstance(after, decimal.Context):
            return (after.prec, after.rounding, after.traps) == (before.prec, before.rounding, before.traps)
        return bool(after == before)
    except BaseException:  # foreign objects compare as they like
        return False
