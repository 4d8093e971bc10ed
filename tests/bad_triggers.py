"""Triggers that break their word, each in a way of its own, as soon as they are told to."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import AndTrigger
from apscheduler.triggers.cron import CronTrigger

MINUTE: Final = timedelta(minutes=1)


class Mute(Exception):
    """An error that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def _raise(error: BaseException) -> None:
    raise error


def _for_ever(now: datetime) -> None:
    while True:
        pass


class Changing(BaseTrigger):
    """Fires every minute, until it is told to be bad."""

    def __init__(self, bad: Callable[[datetime], Any], *, is_bad: bool = True) -> None:
        self.bad, self.is_bad, self.asked = bad, is_bad, 0

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> Any:
        self.asked += 1
        if self.is_bad:
            return self.bad(now)
        return now.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE

    def __repr__(self) -> str:
        return "<Changing>"


class Unspeakable(Changing):
    """Cannot say what it is, either."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


# What is wrong, by its name; and a part of what is said of it.
BREAKING: Final[dict[str, tuple[Callable[[datetime], Any], str]]] = {
    "raises": (lambda now: _raise(ValueError("no such holiday")), "ValueError: no such holiday"),
    "leaves": (lambda now: _raise(SystemExit(3)), "SystemExit: 3"),
    "raises what cannot be told": (lambda now: _raise(Mute()), "Mute"),
    "has no zone": (lambda now: datetime(2100, 1, 1), "with a time zone"),
    "gives a text": (lambda now: "tomorrow", "got str: 'tomorrow'"),
    "stands still": (lambda now: datetime(2020, 1, 1, tzinfo=UTC), "later than"),
    "goes back": (lambda now: now - MINUTE, "later than"),
}
ENDLESS: Final[dict[str, tuple[Callable[[datetime], Any], str]]] = {
    "sleeps": (lambda now: time.sleep(1000), "within 2 seconds, got none"),
    "is busy": (_for_ever, "within 2 seconds, got none"),
}


def made(how: str) -> BaseTrigger:
    """Make a trigger that breaks like this from the start."""
    if how == "never meets":
        return AndTrigger([CronTrigger(hour=2, timezone=UTC), CronTrigger(minute=30, second=1, timezone=UTC)])
    if how == "has no words":
        return Unspeakable(BREAKING["raises"][0])
    return Changing({**BREAKING, **ENDLESS}[how][0])
