"""The live output: what a run inside the runner has printed so far, written to its row while it goes on.

The worker's own connection is the job's, maybe in the middle of a transaction: this thread has one of its own.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections

from . import conf, connection, history
from .execution.child_process import SHOW_EVERY
from .execution.output import Capture

# A job that forks must not take a lock along that this thread holds at that moment: its copy could print no more.
_looking: Final = threading.Lock()
os.register_at_fork(before=_looking.acquire, after_in_parent=_looking.release, after_in_child=_looking.release)


class Noticed(Capture):
    """A capture that tells, once, that something was printed."""

    def __init__(self, limit: int, notice: Callable[[], None]) -> None:
        super().__init__(limit)
        self._notice: Callable[[], None] | None = notice

    def write(self, data: bytes) -> None:
        """Take in some bytes; safe from any thread."""
        super().write(data)
        if data and self._notice is not None:
            notice, self._notice = self._notice, None
            notice()


@dataclass(frozen=True, slots=True)
class Inside:
    """The run that goes on inside this process."""

    run_id: int
    capture: Capture
    session: Any  # the worker's connection, which the job uses

    def has_the_file(self) -> bool:
        """Tell whether the job may have locked the one file that a database of SQLite is."""
        if self.session.vendor != "sqlite" or self.session.connection is None:
            return False
        return bool(self.session.connection.in_transaction)


@contextmanager
def unseen(run_id: int, limit: int) -> Iterator[Capture]:
    """Take in what a run prints, and show it at its end only."""
    yield Capture(limit)


class LiveOutput(threading.Thread):
    """Shows twice a second what the run in hand has printed; costs nothing while nothing is printed."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        super().__init__(name="live output", daemon=True)
        self._failed = failed
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._inside: Inside | None = None
        self._shown = (0, 0)  # the run, and how much of its output

    @contextmanager
    def of(self, run_id: int, limit: int) -> Iterator[Capture]:
        """Take in, and show, what a run prints on the calling thread.

        Args:
            limit: how much of it is kept, in bytes.
        """
        capture = Noticed(limit, self._wanted.set)
        self._inside = Inside(run_id, capture, connections[conf.load().database])
        try:
            yield capture
        finally:
            self._inside = None

    def stop(self) -> None:
        """Show no more and end."""
        self._ending.set()
        self._wanted.set()

    def run(self) -> None:
        try:
            connection.be_impatient(conf.load().database)
            while not self._ending.is_set():
                self._wanted.wait()
                self._wanted.clear()
                self._follow()
        except BaseException as error:  # without this thread long runs would be silent
            self._failed(error)
        finally:
            connections.close_all()

    def _follow(self) -> None:
        while self._inside is not None and not self._ending.wait(SHOW_EVERY):
            self.show()
        connection.drop(conf.load().database)  # idle ones cost a server memory

    def show(self) -> None:
        """Show what was printed since the last look; what cannot be written now is tried again at the next one."""
        inside = self._inside
        if inside is None or inside.has_the_file():
            return
        state = inside.run_id, inside.capture.version
        if not inside.capture.version or state == self._shown:
            return
        with _looking:
            text = inside.capture.preview()
        if history.show_output(inside.run_id, text):
            self._shown = state
        else:
            connection.drop(conf.load().database)
