"""How long a trigger that others made may take to answer.

Such a trigger is asked in a thread of its own, which is waited for so long and no longer. A call that asks many times
is handed over as a whole, so that it costs one change of threads and has one limit.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, Protocol, TypeVar

from django.db import connections

from ..exceptions import TriggerError
from ..object_text import error_line, qualified_type_name

ANSWER_WITHIN: Final = 2.0  # seconds in which a trigger must have answered one ask
ALL_WITHIN: Final = 10.0  # seconds in which it must have answered all that one call asks
REST: Final = 60.0  # seconds for which one that did not answer is not asked again here
# Waiting goes by slices that are counted: a process that was stopped for an hour waited for one of them.
_SLICE: Final = 0.1
_LAST_WORDS: Final = 0.2  # seconds that a thread gets to end once it was told to
_IDLE: Final = 0.2  # seconds after which a thread that nobody needs ends

T = TypeVar("T")


class Given(Protocol):
    """What is asked: anything that can say fire times as APScheduler's triggers do."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> Any:
        """Return the next fire time."""


class _Ended(BaseException):
    """Raised inside a trigger that has taken too long."""


class _Task:
    """What a thread is to do, and what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call, self.context = call, copy_context()
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self.answer = self.context.run(self.call)
        except BaseException as error:
            self.error = error
        finally:
            _close()
            self.done.release()


class _Asker(threading.Thread):
    """A thread that puts asks to triggers until nobody needs it, or one of them does not answer."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="scheduler_bridge-triggers")
        self.tasks: SimpleQueue[_Task] = SimpleQueue()
        self.given: Given | None = None  # what it asks, or asked last
        self.asks = 0
        self.is_left = False

    def run(self) -> None:
        with suppress(_Ended):
            while not self.is_left:
                try:
                    task = self.tasks.get(timeout=_IDLE)
                except Empty:
                    if _retire(self):
                        return
                    continue
                _here.asker, self.given, self.asks = self, None, 0
                task.run()
                del task

    def end(self) -> None:
        """Raise an exception in what it runs; a call of C sees it when it returns."""
        self.is_left = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(_Ended))


class _Waited(Enum):
    """How waiting for a task has ended."""

    DONE = "it has ended"
    ONE = "one ask took too long"
    ALL = "all asks together took too long"


class _Here(threading.local):
    asker: _Asker | None = None


@dataclass(frozen=True, slots=True)
class _Unanswered:
    given: Given  # held, so that no other object gets its id
    asker: _Asker
    since: float


class _Room:
    """The threads of this process that wait for asks, and what did not answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: list[_Asker] = []
        self.unanswered: dict[int, _Unanswered] = {}


_here = _Here()
_room = _Room()


def answer(given: Given, original: Given, previous: datetime | None, now: datetime) -> Any:
    """Return what a trigger that others made answers; beyond the last year of the calendar it has no fire time.

    Args:
        original: what it was copied from, or itself; by this one that did not answer is known again.

    Raises:
        TriggerError: it raised, or has not answered an ask of a moment ago.
    """
    _refuse(original)
    asker = _here.asker
    if asker is not None:
        asker.given, asker.asks = original, asker.asks + 1
    try:
        return given.get_next_fire_time(previous, now)
    except OverflowError:
        return None
    except _Ended:
        raise
    except BaseException as error:
        if asker is None and isinstance(error, KeyboardInterrupt):
            raise
        raise TriggerError(f"expected a fire time of {qualified_type_name(given)}, got {error_line(error)}") from error


def bounded(call: Callable[[], T], within: float = ANSWER_WITHIN) -> T:
    """Return what this call returns, whose asks must be answered in time.

    Raises:
        TriggerError: they were not.
    """
    if _here.asker is not None:
        return call()
    task = _Task(call)
    try:
        asker = _asker()
    except RuntimeError:  # the system has no thread left, or the process ends
        return call()
    asker.tasks.put(task)
    try:
        waited = _waited(task, asker, within)
    except BaseException:  # a person, or a signal
        asker.is_left = True
        raise
    if waited is not _Waited.DONE:
        raise _overrun(task, asker, within, waited)
    with _room.lock:
        _room.idle.append(asker)
    if task.error is not None:
        raise task.error
    found: T = task.answer
    return found


def _waited(task: _Task, asker: _Asker, within: float) -> _Waited:
    """Wait for a task until one ask, or all of them, took too long."""
    asks, slices = -1, 0
    for _ in range(round(within / _SLICE)):
        if task.done.acquire(timeout=_SLICE):
            return _Waited.DONE
        slices = slices + 1 if asker.asks == asks else 1
        asks = asker.asks
        if slices >= round(ANSWER_WITHIN / _SLICE):
            return _Waited.ONE
    return _Waited.ALL


def _overrun(task: _Task, asker: _Asker, within: float, waited: _Waited) -> TriggerError:
    given = asker.given
    asker.end()
    task.done.acquire(timeout=_LAST_WORDS)
    if given is None:  # a search of ours, through thousands of steps
        return TriggerError(f"expected fire times within {within:.0f} seconds, got no answer")
    if waited is _Waited.ALL:
        return TriggerError(
            f"expected all fire times of {qualified_type_name(given)} within {within:.0f} seconds, got some of them"
        )
    with _room.lock:
        _room.unanswered[id(given)] = _Unanswered(given, asker, monotonic())
    return TriggerError(_no_answer(given), stalled=True)


def _refuse(given: Given) -> None:
    """Raise what one that has not answered a moment ago, or goes on with it still, would end in again."""
    known = _room.unanswered.get(id(given))
    if known is None:
        return
    if known.asker.is_alive() or monotonic() - known.since < REST:
        raise TriggerError(_no_answer(given), stalled=True)
    with _room.lock:
        _room.unanswered.pop(id(given), None)


def _no_answer(given: Given) -> str:
    return f"expected an answer of {qualified_type_name(given)} within {ANSWER_WITHIN:.0f} seconds, got none"


def _asker() -> _Asker:
    with _room.lock:
        while _room.idle:
            asker = _room.idle.pop()
            if asker.is_alive():
                return asker
    asker = _Asker()
    asker.start()
    return asker


def _retire(asker: _Asker) -> bool:
    """Take a thread off the list of those that wait; False when it has just been given something to do."""
    with _room.lock:
        if asker in _room.idle:
            _room.idle.remove(asker)
            return True
    return False


def _close() -> None:
    """Close what a trigger that reads the database has opened in this thread."""
    with suppress(Exception):  # a connection that is broken already, or settings without a database
        connections.close_all()


def _forget() -> None:
    """Begin anew in a forked process, which has none of the threads."""
    vars(_room).update(vars(_Room()))
    _here.asker = None


os.register_at_fork(after_in_child=_forget)
