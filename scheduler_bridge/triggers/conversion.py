"""Schedule to trigger: each in its exact form, where it has one; every other behind a guard."""

from copy import copy
from datetime import UTC, datetime, tzinfo
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from ..schedules import Custom, DailyTimes, Interval, Schedule
from .calendar_interval import ExactCalendarInterval, floats
from .combining import ExactAnd, ExactOr
from .exact import ExactCron, ExactDate, ExactInterval, ExactTimes
from .foreign import Foreign
from .stamp import interval_floats
from .strict import Strict

_STOCK = (CronTrigger, IntervalTrigger, CalendarIntervalTrigger, DateTrigger, OrTrigger, AndTrigger)


def to_trigger(schedule: Schedule, zone: tzinfo, *, anchor: datetime | None = None) -> BaseTrigger | None:
    """Give APScheduler's trigger for a schedule, None for one without fire times.

    Args:
        zone: the zone of times of day that have none of their own.
        anchor: the last fire time of an interval; its grid hangs on it.
    """
    match schedule:
        case Interval(every=every):
            start = None if anchor is None else anchor.astimezone(UTC) + every
            return ExactInterval(IntervalTrigger(seconds=every.total_seconds(), start_date=start, timezone=UTC))
        case DailyTimes(times=times):
            return ExactTimes(times, zone)
        case Custom(trigger=trigger):
            return strict(trigger, anchor)
        case _:
            return None


def strict(trigger: Any, anchor: datetime | None = None) -> Strict:
    """Return a trigger object in its exact form, or behind a guard; what is wrong with it is said when it is asked."""
    if isinstance(trigger, Strict):
        return trigger
    try:
        return _exact(trigger, anchor)
    except Exception:  # an object that only looks like one of APScheduler's
        return Foreign(trigger)


def _exact(trigger: Any, anchor: datetime | None) -> Strict:
    match _stock(type(trigger)):
        case "CronTrigger" if all(type(field) is type_ for field, type_ in _fields(trigger)):
            return ExactCron(trigger)
        case "IntervalTrigger":
            is_anchored = anchor is not None and interval_floats(trigger)
            return ExactInterval(trigger, anchor.astimezone(UTC) + trigger.interval if anchor and is_anchored else None)
        case "CalendarIntervalTrigger":
            is_anchored = anchor is not None and floats(trigger)
            day = anchor.astimezone(trigger.timezone).date() if anchor and is_anchored else None
            return ExactCalendarInterval(trigger, day)
        case "DateTrigger":
            return ExactDate(trigger)
        case "OrTrigger":
            return ExactOr([strict(member, anchor) for member in trigger.triggers], trigger.jitter)
        case "AndTrigger":
            return ExactAnd([strict(member, anchor) for member in trigger.triggers], trigger.jitter)
    return Foreign(_anchored(trigger, anchor), trigger)


def _anchored(trigger: Any, anchor: datetime | None) -> Any:
    """Return an interval with a search of its own on the grid of its last fire time, where it has no start."""
    if anchor is None or not interval_floats(trigger):
        return trigger
    found = copy(trigger)
    found.start_date = anchor.astimezone(UTC) + trigger.interval
    return found


def _stock(type_: type) -> str:
    """Return the name of APScheduler's type whose fire times this one has; one with a search of its own has none."""
    found = (stock for stock in _STOCK if issubclass(type_, stock))
    own = getattr(type_, "get_next_fire_time", None)
    return next((stock.__name__ for stock in found if own is stock.get_next_fire_time), "")


def _fields(trigger: CronTrigger) -> list[tuple[Any, type]]:
    return [(field, CronTrigger.FIELDS_MAP[field.name]) for field in trigger.fields]
