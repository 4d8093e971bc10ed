"""Asking any trigger for its fire times: the next, those that have passed, how many listed times one stands for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.interval import IntervalTrigger

from ..exceptions import TriggerError
from .exact import TICK, ExactCron, ExactTimes, after_instant
from .resumed import Resumed

# How many fire times are counted one by one; downtime beyond that is counted as this many.
COUNT_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Fire times that have passed: the latest, and how many more it stands for."""

    latest: datetime
    coalesced: int


class ExactOr(OrTrigger):
    """Fires when the earliest of its members does; each is asked by instants, so none can hide another."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = after_instant(previous_fire_time, now)
        return min((found for member in self.triggers if (found := next_fire(member, after))), default=None)

    def weight(self, fire_time: datetime) -> int:
        """Add up the members that fire at this instant."""
        due = (member for member in self.triggers if next_fire(member, fire_time - TICK) == fire_time)
        return max(1, sum(weight(member, fire_time) for member in due))


def next_fire(trigger: BaseTrigger, after: datetime) -> datetime | None:
    """Give the first fire time later than this moment, in UTC; None when there is none."""
    try:
        found: datetime | None = trigger.get_next_fire_time(None, after + TICK)
    except TriggerError:
        raise
    except Exception as error:
        raise TriggerError(f"expected a fire time of {type(trigger).__name__}, got {type(error).__name__}") from error
    # A date trigger gives its date whatever the time is.
    if found is None or found <= after:
        return None
    return found.astimezone(UTC)


def overdue(trigger: BaseTrigger, since: datetime, now: datetime) -> Overdue | None:
    """Fold the fire times later than ``since``, up to ``now``; None when there are none."""
    first = next_fire(trigger, since)
    if first is None or first > now:
        return None
    if isinstance(trigger, IntervalTrigger) and not trigger.jitter:
        end = now if trigger.end_date is None else min(now, trigger.end_date)
        steps = (end - first) // trigger.interval
        return Overdue(latest=first + steps * trigger.interval, coalesced=steps)
    return _count(trigger, first, now)


def _count(trigger: BaseTrigger, first: datetime, now: datetime) -> Overdue:
    latest, total = first, weight(trigger, first)
    for _ in range(COUNT_LIMIT):
        found = next_fire(trigger, latest)
        if found is None or found > now:
            break
        latest, total = found, total + weight(trigger, found)
    return Overdue(latest=latest, coalesced=total - 1)


def weight(trigger: BaseTrigger, fire_time: datetime) -> int:
    """Say how many listed times fall on this fire time; one for a trigger that lists none."""
    if isinstance(trigger, Resumed):
        trigger = trigger.trigger
    if isinstance(trigger, ExactTimes | ExactCron | ExactOr):
        return trigger.weight(fire_time)
    return 1


def upcoming(trigger: BaseTrigger, after: datetime, count: int) -> list[datetime]:
    """Give the next so many fire times later than this moment."""
    found: list[datetime] = []
    while len(found) < count and (moment := next_fire(trigger, found[-1] if found else after)):
        found.append(moment)
    return found
