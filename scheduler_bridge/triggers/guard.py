"""What stands between us and a trigger that others made: how long it may take, and which one is asked right now."""

import threading
from dataclasses import dataclass
from typing import Final

from apscheduler.triggers.base import BaseTrigger

ANSWER_WITHIN: Final = 2.0  # seconds in which a trigger must have answered


@dataclass(frozen=True, slots=True)
class Asked:
    """An ask that goes on right now."""

    since: float  # as time.monotonic() counts
    trigger: BaseTrigger  # as `to_trigger` returned it
    kind: str  # the type of the trigger, in words that run none of its code
    thread: int


_asks: dict[int, Asked] = {}


def asked_since() -> Asked | None:
    """Return the ask that goes on for longest right now, in whatever thread; None when there is none."""
    return min(tuple(_asks.values()), key=lambda ask: ask.since, default=None)


def of_thread(thread: int) -> Asked | None:
    """Return the ask that goes on right now in this thread."""
    return _asks.get(thread)


def main_thread_asks() -> Asked | None:
    """Return the ask that the main thread, and so the loop, waits for right now."""
    return _asks.get(threading.main_thread().ident or 0)
