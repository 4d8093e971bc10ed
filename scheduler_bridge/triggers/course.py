"""The fire times of triggers over one stretch of time, for one who asks for them again and again."""

from bisect import bisect_right
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from apscheduler.triggers.base import BaseTrigger

from ..exceptions import TriggerError
from .conversion import strict
from .exact import ExactCron, ExactInterval, ExactTimes
from .fire_times import Overdue, next_fire, whole
from .strict import Strict

# The fire times of one stretch that are held: those of each second of two weeks.
LISTED_LIMIT: Final = 1_250_000


class Course(Protocol):
    """The fire times of one trigger later than the beginning of the stretch."""

    def after(self, moment: datetime) -> datetime | None:
        """Give the first fire time later than this moment of the stretch; None when there is none."""

    def fold(self, first: datetime, moment: datetime) -> Overdue:
        """Fold the fire times from ``first``, which is one of them, up to this moment."""


class Courses:
    """Makes the courses of one stretch; triggers that name the same fire times are asked once for all of them.

    A random part of a trigger counts as none, and listed times that fall on one instant as one.
    """

    def __init__(self, since: datetime) -> None:
        self.asked = 0  # the fire times that triggers were asked for one by one
        self._since = since
        self._listed: dict[Hashable, Listed] = {}

    def course(self, trigger: BaseTrigger) -> Course:
        """Give the course of this trigger."""
        found = steady(trigger)
        if isinstance(found, ExactInterval):
            return Grid(next_fire(found, self._since), found.interval, found.end_date)
        return self._listed.setdefault(_key(found), Listed(found, self._since, self))


class Grid:
    """The fire times of an interval, which are reckoned and not asked for."""

    def __init__(self, first: datetime | None, every: timedelta, last: datetime | None) -> None:
        self._first, self._every, self._last = first, every, last

    def after(self, moment: datetime) -> datetime | None:
        if self._first is None or moment < self._first:
            return self._first
        try:
            found = moment - (moment - self._first) % self._every + self._every
        except OverflowError:
            return None
        return found if self._last is None or found <= self._last else None

    def fold(self, first: datetime, moment: datetime) -> Overdue:
        end = moment if self._last is None else min(moment, self._last)
        steps = (end - first) // self._every
        return Overdue(latest=first + steps * self._every, coalesced=steps)


class Listed:
    """The fire times of any other trigger, which is asked for each of them once."""

    def __init__(self, trigger: Strict, since: datetime, courses: Courses) -> None:
        self._known: list[datetime] = []
        self._trigger, self._last, self._courses = trigger, since.astimezone(UTC), courses
        self._ended = False

    def after(self, moment: datetime) -> datetime | None:
        self._reach(moment)
        place = bisect_right(self._known, moment)
        return self._known[place] if place < len(self._known) else None

    def fold(self, first: datetime, moment: datetime) -> Overdue:
        self._reach(moment)
        place = bisect_right(self._known, moment)
        return Overdue(latest=self._known[place - 1], coalesced=place - bisect_right(self._known, first))

    def _reach(self, moment: datetime) -> None:
        if self._last <= moment and not self._ended:
            whole(self._trigger, lambda: self._list(moment))

    def _list(self, moment: datetime) -> None:
        while self._last <= moment and not self._ended:
            found = self._trigger.later(self._last)
            self._courses.asked += 1
            self._ended = found is None
            if found is not None:
                self._known.append(found)
                self._last = found
            if len(self._known) > LISTED_LIMIT:
                raise TriggerError(f"expected at most {LISTED_LIMIT:,} fire times up to {moment}, got more")


def steady(trigger: BaseTrigger) -> Strict:
    """Give the trigger without its random part, as it is where it has none."""
    return strict(trigger).steady()


def _key(trigger: Strict) -> Hashable:
    """Give what is equal only for triggers with the same fire times."""
    if isinstance(trigger, ExactCron):
        return repr(trigger)
    if isinstance(trigger, ExactTimes):
        return (
            str(trigger.zone),
            *sorted((listed.replace(tzinfo=None), str(listed.tzinfo)) for listed in trigger.times),
        )
    return id(trigger)
