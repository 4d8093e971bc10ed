"""The marks along the time: hours and days as clocks show them, and where the clocks change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from .window import Window


class Mark(StrEnum):
    """What is marked."""

    TIME = "time"
    MINOR = "minor"  # left out where there is little room
    DAY = "day"  # the first moment of a day
    CLOCK = "clock"  # a change of the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One mark: where it stands, and what the clock shows there."""

    mark: Mark
    place: float
    local: datetime
    change: timedelta = timedelta(0)  # by how much the clock goes forward


# The longest window, how often its clock is read, and its minutes between two marks and between two great ones.
_SCALES: Final = (
    (timedelta(hours=1), timedelta(minutes=1), 5, 10),
    (timedelta(hours=6), timedelta(minutes=5), 30, 60),
    (timedelta(hours=24), timedelta(minutes=15), 60 * 2, 60 * 4),
    (timedelta.max, timedelta(minutes=15), 60 * 12, 60 * 24),
)


def ticks(window: Window, zone: tzinfo) -> tuple[Tick, ...]:
    """Give the marks of a window from left to right; one moment may have two."""
    _longest, step, minor, great = next(scale for scale in _SCALES if window.span <= scale[0])
    found: list[Tick] = []
    before: datetime | None = None
    for local in _clock(window, zone, step):
        place = window.place(local)
        if before is not None and local.utcoffset() != before.utcoffset():
            found.append(Tick(mark=Mark.CLOCK, place=place, local=local, change=_change(before, local)))
        if before is not None and local.date() != before.date():
            found.append(Tick(mark=Mark.DAY, place=place, local=local))
        elif before is not None and (local.hour * 60 + local.minute) % minor == 0:
            is_great = (local.hour * 60 + local.minute) % great == 0
            found.append(Tick(mark=Mark.TIME if is_great else Mark.MINOR, place=place, local=local))
        before = local
    return tuple(found)


def _clock(window: Window, zone: tzinfo, step: timedelta) -> Iterator[datetime]:
    """Read the clock at each full step that it shows, from just before the window to its end."""
    local = window.start.astimezone(zone)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond) % step
    moment = window.start - past
    while moment < window.end:
        yield moment.astimezone(zone)
        moment += step


def _change(before: datetime, after: datetime) -> timedelta:
    return (after.utcoffset() or timedelta(0)) - (before.utcoffset() or timedelta(0))
