"""An oracle of fire times that reads the local clock of a zone step by step, and shares no code with the package."""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

ALL_ZONES = bool(os.environ.get("ALL_ZONES"))
FIRST_YEAR = 1990 if ALL_ZONES else 2020
BEGIN, END = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
# No two changes of a clock are closer than four days.
LOOK = timedelta(days=2)

Named = Callable[[datetime], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a clock: the first instant with the new offset, and by how much the wall time jumps."""

    zone: str
    at: datetime
    shift: timedelta


def offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset()


@cache
def changes(name: str) -> tuple[Change, ...]:
    """Give every change of this zone's clock, to the second."""
    zone, found = ZoneInfo(name), []
    before = BEGIN
    while before < END:
        after = before + LOOK
        if offset(zone, before) != offset(zone, after):
            found.append(_change(name, before, after))
        before = after
    return tuple(found)


def _change(name: str, before: datetime, after: datetime) -> Change:
    zone, old = ZoneInfo(name), offset(ZoneInfo(name), before)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if offset(zone, middle) == old else (before, middle)
    return Change(name, after, offset(zone, after) - old)


@cache
def zones() -> tuple[str, ...]:
    """Give one zone of each distinct set of rules in these years."""
    found: dict[object, str] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        found.setdefault((tuple((c.at, c.shift) for c in changes(name)), offset(zone, BEGIN)), name)
    return tuple(found.values())


def all_changes() -> list[Change]:
    return [change for name in zones() for change in changes(name)]


class Walk:
    """The readings of a clock around one change, step by step."""

    def __init__(self, change: Change, step: timedelta, reach: timedelta) -> None:
        zone = ZoneInfo(change.zone)
        count = reach // step
        self.change, self.step = change, step
        self._once: list[tuple[datetime, datetime]] | None = None
        self.instants = [change.at + step * number for number in range(-count, count)]
        self.walls = [instant.astimezone(zone).replace(tzinfo=None, fold=0) for instant in self.instants]

    def near(self, reach: timedelta) -> "Walk":
        """Give the part of it that is so near the change."""
        found = copy(self)
        found._once = None
        begin, end = (bisect_left(self.instants, self.change.at + step) for step in (-reach, reach))
        left = slice(begin, end)
        found.instants, found.walls = self.instants[left], self.walls[left]
        return found

    def real(self, named: Named) -> list[datetime]:
        """Give the instants at which the clock shows a time that is named."""
        return [instant for instant, wall in zip(self.instants, self.walls, strict=True) if named(wall)]

    def once(self, named: Named) -> list[datetime]:
        """Give the instants at which each wall time that is named fires, several on one instant as often."""
        return sorted(instant for instant, wall in self._each() if named(wall))

    def _each(self) -> list[tuple[datetime, datetime]]:
        """Give each wall time once: where it is shown first, or as late as if the clock had not left it out."""
        if self._once is None:
            shown: dict[datetime, datetime] = {}
            for instant, wall in zip(self.instants, self.walls, strict=True):
                shown.setdefault(wall, instant)
            self._once = [(instant, wall) for wall, instant in shown.items()] + list(self._left_out())
        return self._once

    def _left_out(self) -> Iterator[tuple[datetime, datetime]]:
        for place, (wall, following) in enumerate(pairwise(self.walls)):
            count = max(0, (following - wall) // self.step - 1)
            steps = (self.step * number for number in range(1, count + 1))
            yield from ((self.instants[place] + step, wall + step) for step in steps)


def between(moments: list[datetime], begin: datetime, end: datetime) -> list[datetime]:
    """Give those later than the begin and not later than the end."""
    return [moment for moment in moments if begin < moment <= end]


def first_after(moments: list[datetime], after: datetime) -> datetime | None:
    place = bisect_left(moments, after + timedelta(microseconds=1))
    return moments[place] if place < len(moments) else None
