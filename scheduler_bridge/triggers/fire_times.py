"""Asking any trigger for its fire times: the next, those that have passed, how many listed times one stands for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeVar

from apscheduler.triggers.base import BaseTrigger

from .conversion import strict
from .exact import ExactInterval
from .guard import ALL_WITHIN, asking, bounded
from .strict import Strict

T = TypeVar("T")

# How many fire times are counted one by one; downtime beyond that is counted as this many.
COUNT_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Fire times that have passed: the latest, and how many more it stands for."""

    latest: datetime
    coalesced: int


def next_fire(trigger: BaseTrigger, after: datetime) -> datetime | None:
    """Give the first fire time later than this moment, in UTC; None when there is none."""
    return strict(trigger).get_next_fire_time(after, after)


def overdue(trigger: BaseTrigger, since: datetime, now: datetime) -> Overdue | None:
    """Fold the fire times later than ``since``, up to ``now``; None when there are none."""
    found = strict(trigger)
    return whole(found, lambda: _overdue(found, since.astimezone(UTC), now))


def _overdue(trigger: Strict, since: datetime, now: datetime) -> Overdue | None:
    first = trigger.later(since)
    if first is None or first > now:
        return None
    if isinstance(trigger, ExactInterval) and not trigger.jitter:
        end = now if trigger.end_date is None else min(now, trigger.end_date)
        steps = (end - first) // trigger.interval
        return Overdue(latest=first + steps * trigger.interval, coalesced=steps)
    return _count(trigger, first, now)


def _count(trigger: Strict, first: datetime, now: datetime) -> Overdue:
    latest, total = first, trigger.weight(first)
    for _ in range(COUNT_LIMIT):
        found = trigger.later(latest)
        if found is None or found > now:
            break
        latest, total = found, total + trigger.weight(found)
    return Overdue(latest=latest, coalesced=total - 1)


def weight(trigger: BaseTrigger, fire_time: datetime) -> int:
    """Say how many listed times fall on this fire time; one for a trigger that lists none."""
    found = strict(trigger)
    return whole(found, lambda: found.weight(fire_time))


def upcoming(trigger: BaseTrigger, after: datetime, count: int) -> list[datetime]:
    """Give the next so many fire times later than this moment."""
    found = strict(trigger)
    return whole(found, lambda: list(islice(_course(found, after.astimezone(UTC)), count)))


def _course(trigger: Strict, after: datetime) -> Iterator[datetime]:
    while (found := trigger.later(after)) is not None:
        yield found
        after = found


def whole(trigger: Strict, call: Callable[[], T]) -> T:
    """Return what a call returns that asks this trigger many times, or asks its members."""
    if trigger.is_foreign:
        return bounded(trigger, call, ALL_WITHIN)
    with asking(trigger):
        return call()
