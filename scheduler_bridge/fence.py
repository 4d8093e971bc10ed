"""The fence: a runner that can renew its lease no more ends with the run in its hands, before a rival takes over.

Two machines cannot kill each other's processes. One whose link to the database is cut would go on with its job while
the other, which waits for exactly that, begins with the next one.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TextIO

from .execution.uptime import uptime
from .lease import BEAT_BUSY

# A standby takes over 13.5 seconds after the heartbeat that it saw last, which was sent before it could be seen.
END_AFTER: Final = 12.0  # seconds
END_WITHIN: Final = 5.0  # seconds for Python itself to end, which waits for threads that jobs have left
SAY_WITHIN: Final = 0.5  # seconds for the last words: a handler of the log may hang, as the network does by then
LEAVE_WITHIN: Final = 5.0  # seconds for them where nobody waits to take over
LOOK_EVERY: Final = 0.25  # seconds between two looks while something is at stake; waiting stops while a machine sleeps

EXIT_BROKEN: Final = 70  # EX_SOFTWARE: a thread of the runner died, or the lease was lost

logger = logging.getLogger("scheduler_bridge")


def end(reason: str) -> None:
    """End the process at once, and with it its external run, whose supervisor notices."""
    leave(EXIT_BROKEN, partial(_say, reason), within=SAY_WITHIN)


def _say(reason: str) -> None:
    logger.critical("the runner ends: %s", reason)


def leave(code: int, last_words: Callable[[], object] | None = None, *, within: float = LEAVE_WITHIN) -> None:
    """End the process, its words written, whatever its threads do, and whatever its streams and handlers do."""
    try:
        speaking = threading.Thread(target=_finish, args=[last_words], daemon=True)
        speaking.start()
        speaking.join(within)
    finally:  # no thread may be had any more
        os._exit(code)


def _finish(last_words: Callable[[], object] | None) -> None:
    """Write what is to be written; a disk may be full, a reader gone, a stream closed."""
    for step in (last_words, logging.shutdown, lambda: sys.stdout.flush(), lambda: sys.stderr.flush()):
        with suppress(BaseException):
            if step is not None:
                step()


def leave_soon(code: int) -> None:
    """Let the process end in a moment, whatever keeps it."""
    timer = threading.Timer(END_WITHIN, _leave_threads, [code])
    timer.daemon = True
    timer.start()
    for stream in (sys.stdout, sys.stderr):
        _write_out(stream)


def _write_out(stream: TextIO) -> None:
    """Write what a stream holds, or let it be lost: Python would end with a code of its own for it."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def _leave_threads(code: int) -> None:
    own = (threading.main_thread(), threading.current_thread())
    names = ", ".join(thread.name for thread in threading.enumerate() if thread not in own)
    logger.warning("the runner ends though threads go on: %s", names or "none")
    leave(code)


class Fence(threading.Thread):
    """Knows when the lease was renewed, who waits for it and what runs here; does not touch the database."""

    def __init__(self, hurry: Callable[[], None], ends: Callable[[str], None] = end) -> None:
        """Note what to do; nothing is watched until it is started.

        Args:
            hurry: asks for a renewal that is due by now.
            ends: is told why the process has to end at once.
        """
        super().__init__(name="fence", daemon=True)
        self._ends, self._hurry = ends, hurry
        self._changed = threading.Condition()
        self._renewed_at = float("-inf")
        self._rivals: tuple[str, ...] = ()
        self._run = ""

    def renewed(self, sent: float, now: float, rivals: tuple[str, ...]) -> None:
        """Note that the lease was renewed.

        Args:
            sent: the moment just before the renewal was sent, by the machine's uptime: the lease runs from then at the
                earliest.
            rivals: those on other machines who wait for the lease.
        """
        with self._changed:
            self._renewed_at = max(self._renewed_at, sent)
            # An answer that took too long tells nothing of the lease as it is now; the next one, sent at once, does.
            self._rivals = rivals if now - sent < END_AFTER else ()
            self._changed.notify_all()

    def entered(self, run: str) -> None:
        """Note what runs from now on, or with an empty text that nothing does."""
        with self._changed:
            self._run = run
            if self._rivals:
                self._changed.notify_all()
        if run:
            self._look(uptime())

    def age(self, now: float) -> float:
        """Give the seconds since the last renewal was sent."""
        with self._changed:
            return now - self._renewed_at

    def verdict(self, now: float) -> str:
        """Say why the process must end now; empty when it may go on."""
        with self._changed:
            age = now - self._renewed_at
            if not self._is_at_stake() or age < END_AFTER:
                return ""
            rivals = ", ".join(self._rivals)
            return (
                f"{self._run} is given up, as the lease could not be renewed for {age:.1f} s and may be taken over now"
                f" by one who waits: {rivals}"
            )

    def run(self) -> None:
        while not self._look(uptime()):
            with self._changed:
                self._changed.wait(self._pause(uptime()))

    def _look(self, now: float) -> bool:
        """End the process if that must be; True when it was told to."""
        reason = self.verdict(now)
        if reason:
            self._ends(reason)
        elif self._is_at_stake() and self.age(now) > BEAT_BUSY:
            self._hurry()
        return bool(reason)

    def _pause(self, now: float) -> float | None:
        """Give the seconds until it must look again; None when nothing is at stake."""
        if not self._is_at_stake():
            return None
        return min(LOOK_EVERY, max(0.0, self._renewed_at + END_AFTER - now))

    def _is_at_stake(self) -> bool:
        return bool(self._run and self._rivals)
