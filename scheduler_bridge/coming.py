"""The fire times to come of one job, with what is out of the ordinary about each."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

from . import expiry, forecast, registry
from .models import Job

NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """One fire time to come."""

    at: datetime
    is_left_out: bool  # a person wants this one left out
    clock_change: timedelta  # by how much the clocks are put forward on its day; negative: back


def fires(row: Job, now: datetime, count: int) -> tuple[Coming, ...]:
    """Give the next fire times of this row, saved or not, with its switch and its override returning when they end."""
    zone = registry.plan_of(row).zone
    return tuple(
        Coming(at=moment, is_left_out=moment == row.skip_next_at, clock_change=clock_change(moment, zone))
        for moment in _moments(row, now, count)
    )


def clock_change(moment: datetime, zone: tzinfo) -> timedelta:
    """Say by how much the clocks of this zone are put forward on the local day of a moment; negative: back."""
    day = moment.astimezone(zone).date()
    begin, end = (datetime.combine(day + timedelta(days=days), time(), zone).utcoffset() for days in (0, 1))
    return (end or NOTHING) - (begin or NOTHING)


def _moments(row: Job, now: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    row = copy(registry.as_saved(row, registry.plan_of(row), now))
    for end, values in _ends(row):
        if end is None or end > now:
            fires = forecast.next_fires(registry.plan_of(row), row, now, count - len(found))
            found += [moment for moment in fires if end is None or moment <= end]
        if len(found) == count or end is None:
            break
        for name, value in values.items():
            setattr(row, name, value)
        # From then on the other schedule counts, and an interval from the last run before.
        row.last_fire_at = max((*found[-1:], *_fired(row, now)), default=None)
        now, row.next_run_at = max(now, end), None
    return found


def _fired(row: Job, now: datetime) -> Iterator[datetime]:
    """Give the last fire time that a run covers, and the one that is due."""
    if row.last_fire_at is not None:
        yield row.last_fire_at
    if row.next_run_at is not None and row.next_run_at <= now:
        yield row.next_run_at


def _ends(row: Job) -> list[tuple[datetime | None, Mapping[str, object]]]:
    """Give when this row changes by itself and to what, in the order in which it does, and at last that it stays."""
    ends = ((row.disabled_until, expiry.SWITCH), (row.override_until, expiry.OVERRIDE))
    said = sorted(((end, values) for end, values in ends if end is not None), key=lambda item: item[0])
    stages: list[tuple[datetime | None, Mapping[str, object]]] = [*said, (None, {})]
    return stages
