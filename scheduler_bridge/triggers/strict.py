"""What every trigger here keeps, whoever made it: the next fire time is in UTC and later than the moment asked."""

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Self

from apscheduler.triggers.base import BaseTrigger

from ..exceptions import TriggerError
from ..object_text import error_line, qualified_type_name, repr_of
from .guard import bounded

TICK: Final = timedelta(microseconds=1)
# Whoever fires more often than this never catches up with the clock.
SHORTEST_STEP: Final = timedelta(milliseconds=10)


class Strict(BaseTrigger):
    """A trigger that is asked by instants, in bounded steps and time; what breaks that is a TriggerError."""

    __slots__ = ()

    @abstractmethod
    def _following(self, after: datetime) -> datetime | None:
        """Return the first fire time later than this moment, without a random part."""

    def weight(self, fire_time: datetime) -> int:
        """Return how many listed times fall on this fire time."""
        return 1

    def steady(self) -> "Strict":
        """Return this trigger without its random part, itself where it has none."""
        if not getattr(self, "jitter", None):
            return self
        found = self._remade()
        found.jitter = None
        return found

    def _remade(self) -> Self:
        raise NotImplementedError

    @property
    def is_foreign(self) -> bool:
        """Whether asking it runs a trigger that others made."""
        return False

    @property
    def takes_long(self) -> bool:
        """Whether asking it for many fire times has no bound but that on its time."""
        return self.is_foreign

    @property
    def name(self) -> str:
        """What errors call it."""
        return type(self).__name__

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the next fire time as APScheduler asks for it."""
        after = after_instant(previous_fire_time, now)
        if self.is_foreign:
            return bounded(partial(self.later, after))
        return self.later(after)

    def later(self, after: datetime) -> datetime | None:
        """Return the first fire time later than this moment; None when there is none."""
        found = self.following(after)
        jitter = getattr(self, "jitter", None)
        if found is None or not jitter:
            return found
        # One drawn towards the past would be asked for its own fire time again and again.
        if not isinstance(jitter, int | float) or not 0 < jitter < float("inf"):
            raise TriggerError(f"expected seconds from zero on as jitter of {self.name}, got {repr_of(jitter)}")
        try:
            drawn: datetime = self._apply_jitter(found, jitter, after)
        except OverflowError:
            return None
        # A random part does not reach beyond the end, as with APScheduler; a calendar interval ends by days.
        end = getattr(self, "end_date", None)
        return min(drawn, max(found, end)) if isinstance(end, datetime) else drawn

    def following(self, after: datetime) -> datetime | None:
        """Return the first fire time later than this moment, its random part left out."""
        try:
            found = self._following(after)
            if found is None:
                return None
            found = moment_of(found, self.name)
        except TriggerError:
            raise
        except OverflowError:  # beyond the last year of the calendar
            return None
        except Exception as error:
            raise TriggerError(f"expected a fire time of {self.name}, got {error_line(error)}") from error
        if found <= after:
            raise TriggerError(f"expected a fire time of {self.name} later than {after}, got {found}")
        return found


def after_instant(previous: datetime | None, now: datetime) -> datetime:
    """Give the instant that the next fire time must be later than; a clock set back never repeats one."""
    return now.astimezone(UTC) - TICK if previous is None else previous.astimezone(UTC)


def moment_of(value: Any, name: str) -> datetime:
    """Return a moment that a trigger gave in UTC, without what a type of its own adds to it.

    Raises:
        TriggerError: it is none, or has no time zone.
    """
    if not isinstance(value, datetime):
        raise TriggerError(f"expected a datetime of {name}, got {qualified_type_name(value)}: {repr_of(value)[:200]}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise TriggerError(f"expected a datetime with a time zone of {name}, got {repr_of(value)[:200]}")
    found = value.astimezone(UTC)
    if type(found) is datetime:
        return found
    day, moment = (found.year, found.month, found.day), (found.hour, found.minute, found.second, found.microsecond)
    return datetime(*day, *moment, tzinfo=UTC)
