"""The triggers that the loop asks: none of them raises, and it is known for which job one is asked right now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from apscheduler.triggers.base import BaseTrigger

from .exceptions import TriggerError
from .triggers import next_fire, overdue, weight
from .triggers.strict import after_instant

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed:
    """A job as the loop knows it: its name, and the key that changes with its timing."""

    name: str
    key: str


class Asking:
    """Knows what the loop asks right now, and tells of triggers that break."""

    def __init__(self, broke: Callable[[Timed, TriggerError], None]) -> None:
        self.now: Timed | None = None
        self._broke = broke

    def ask(self, job: Timed, question: Callable[[], T], otherwise: T) -> T:
        """Return the answer to a question to the trigger of this job; where that breaks, the other value."""
        self.now = job
        try:
            return question()
        except TriggerError as error:
            self._broke(job, error)
            return otherwise
        finally:
            self.now = None


class LoopTrigger(BaseTrigger):
    """A trigger in the hands of APScheduler, which any exception would end: one that breaks has no fire time."""

    def __init__(self, trigger: BaseTrigger, job: Timed, asking: Asking) -> None:
        self._trigger, self._job, self._asking = trigger, job, asking

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = after_instant(previous_fire_time, now)
        return self._asking.ask(self._job, lambda: next_fire(self._trigger, after), None)

    def coalesced(self, first: datetime, last: datetime) -> int:
        """Return how many fire times from the first to the last one the last one stands for, beside itself."""
        return self._asking.ask(self._job, lambda: coalesced(self._trigger, first, last), 0)

    def __str__(self) -> str:
        return str(self._trigger)


def coalesced(trigger: BaseTrigger, first: datetime, last: datetime) -> int:
    """Return how many fire times from the first to the last one the last one stands for, beside itself."""
    folded = overdue(trigger, first - timedelta(microseconds=1), last)
    return folded.coalesced if folded else weight(trigger, last) - 1
