"""Firings that cannot be recorded: each is given up for now, stays due, and is tried again after a growing pause."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from . import conf
from .outage import described

logger = logging.getLogger("scheduler_bridge")

FIRST_PAUSE: Final = 1.0  # seconds
LONGEST_PAUSE: Final = 60.0  # seconds
FORGOTTEN: Final = 120.0  # seconds after a pause, in which it would have been met again


class Setbacks:
    """Remembers which jobs have one; all others go on meanwhile. Safe from any thread."""

    def __init__(self, again: Callable[[float], None]) -> None:
        """Note what to do.

        Args:
            again: lets what is due be handed over again after so many seconds.
        """
        self._again = again
        self._met: dict[str, tuple[int, float]] = {}  # by job: how often, and until when it pauses

    def met(self, name: str, fire_time: datetime, error: BaseException, now: float | None = None) -> None:
        """Give a firing up for now, and say why; once for each pause, though it may be handed over meanwhile.

        Args:
            now: the moment by the monotonic clock.
        """
        now = time.monotonic() if now is None else now
        tries, until = self._met.get(name, (0, now))
        if now < until:
            return
        if now - until > FORGOTTEN:
            tries = 0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries, 10))
        self._met[name] = tries + 1, now + pause
        logger.error(
            "job %s (due %s) cannot be recorded, so it is not started; tried again in %.0f s: %s",
            name,
            conf.load().local(fire_time).isoformat(timespec="seconds"),
            pause,
            described(error.__cause__ or error),
            extra={"job": name, "fire_time": fire_time},
        )
        self._again(pause)

    def over(self, name: str) -> None:
        """Note that a firing of this job was recorded."""
        if name in self._met:
            del self._met[name]
            logger.info("job %s is recorded again", name, extra={"job": name})
