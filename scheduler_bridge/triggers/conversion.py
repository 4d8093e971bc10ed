"""Schedule to trigger, and what tells one schedule from another."""

import json
from copy import copy
from datetime import UTC, datetime, tzinfo
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import AndTrigger, BaseCombiningTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from .. import schedules
from ..schedules import Custom, DailyTimes, Interval, Schedule
from .exact import ExactCron, ExactTimes
from .fire_times import ExactOr


def to_trigger(schedule: Schedule, zone: tzinfo, *, anchor: datetime | None = None) -> BaseTrigger | None:
    """Give APScheduler's trigger for a schedule, None for one without fire times.

    Args:
        zone: the zone of times of day that have none of their own.
        anchor: the last fire time of an interval; its grid hangs on it.
    """
    match schedule:
        case Interval(every=every):
            start = None if anchor is None else anchor.astimezone(UTC) + every
            return IntervalTrigger(seconds=every.total_seconds(), start_date=start, timezone=UTC)
        case DailyTimes(times=times):
            return ExactTimes(times, zone)
        case Custom(trigger=trigger):
            return _exact(trigger, anchor)
        case _:
            return None


def fingerprint(schedule: Schedule, zone: tzinfo) -> str:
    """Give a text that is the same in every process, and changes exactly when the fire times do."""
    if isinstance(schedule, Custom):
        return json.dumps({"trigger": _stamp(schedule.trigger)})
    return schedules.fingerprint(schedule, zone)


def _stamp(trigger: Any) -> str:
    if isinstance(trigger, BaseCombiningTrigger):
        return f"{type(trigger).__name__}({', '.join(_stamp(member) for member in trigger.triggers)})"
    if _floats(trigger):
        return f"{type(trigger).__name__}({trigger.interval})"
    return repr(trigger)


def _floats(trigger: Any) -> bool:
    """Tell an interval trigger without a start of its own: APScheduler lets it begin at the moment it was made.

    Nobody writes a start with microseconds, and that moment has them.
    """
    return isinstance(trigger, IntervalTrigger) and bool((trigger.start_date - trigger.interval).microsecond)


def _exact(trigger: Any, anchor: datetime | None) -> BaseTrigger:
    """Give a trigger object of the project's settings in its exact form, where it has one."""
    if isinstance(trigger, ExactTimes | ExactCron | ExactOr):
        return trigger
    if isinstance(trigger, CronTrigger):
        return ExactCron(trigger)
    if isinstance(trigger, OrTrigger):
        return ExactOr([_exact(member, anchor) for member in trigger.triggers], trigger.jitter)
    exact: BaseTrigger = copy(trigger)
    if isinstance(trigger, AndTrigger):
        exact.triggers = [_exact(member, anchor) for member in trigger.triggers]
    elif _floats(trigger) and anchor is not None:
        exact.start_date = anchor.astimezone(UTC) + trigger.interval
    return exact
