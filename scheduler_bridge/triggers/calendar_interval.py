"""A calendar interval as a trigger that keeps its dates whenever it is asked."""

from datetime import date, datetime, time
from functools import cached_property
from typing import Final

from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger

from . import clock
from .daily import Steps
from .strict import Strict

# Where none is given, APScheduler begins on the day it is asked to make the trigger: that of the settings' import.
_LOADED: Final = date.today()


class ExactCalendarInterval(Strict, CalendarIntervalTrigger):
    """Fires at one wall time on each n-th day, week, month or year from its first day on."""

    def __init__(self, trigger: CalendarIntervalTrigger, first: date | None = None) -> None:
        for name in ("years", "months", "weeks", "days", "end_date", "timezone", "jitter", "_time"):
            setattr(self, name, getattr(trigger, name))
        self.start_date = trigger.start_date if first is None else first

    @cached_property
    def _steps(self) -> Steps:
        moment: time = self._time.replace(tzinfo=None)
        months, days = self.years * 12 + self.months, self.weeks * 7 + self.days
        return Steps(self.start_date, months, days, moment, self.end_date)

    def _following(self, after: datetime) -> datetime | None:
        return clock.following(self._steps, self.timezone, after, is_real=False)

    def weight(self, fire_time: datetime) -> int:
        """Return how many of its wall times fall on this instant."""
        return max(1, clock.weight(self._steps, self.timezone, fire_time, is_real=False))

    def _remade(self) -> "ExactCalendarInterval":
        return ExactCalendarInterval(self)


def floats(trigger: CalendarIntervalTrigger) -> bool:
    """Return whether it has no first day of its own: APScheduler lets it begin on the day it was made."""
    return bool(trigger.start_date == _LOADED)


def unanchored(trigger: CalendarIntervalTrigger) -> str:
    """Return what tells one from another that has no first day of its own."""
    every = (trigger.years, trigger.months, trigger.weeks, trigger.days)
    return f"{type(trigger).__name__}({every}, {trigger._time}, {trigger.timezone}, {trigger.end_date})"
