"""Wall times on the clock of a zone: the one place that says what becomes of them at a change of the clocks.

A wall time fires once a local day: at its first occurrence, and where the clock leaves it out, as late as if it had not
been changed. What follows the real clock fires whenever the clock shows the time: twice where it is repeated, never
where it is left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Final

from ..exceptions import TriggerError
from .strict import TICK

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
# No change moves a clock by more (Kiritimati left out a day and 40 minutes), and none comes so soon after another.
REACH: Final = timedelta(hours=26)
SPAN: Final = 2 * REACH
# Each moves on by days: a trigger may name nothing but wall times that its clock leaves out.
STEPS: Final = 1000
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_ZERO: Final = timedelta(0)


class Pattern(ABC):
    """Wall times as if no zone existed."""

    @abstractmethod
    def day_from(self, day: date) -> date | None:
        """Return the first day from this one on that has wall times."""

    @abstractmethod
    def time_from(self, moment: time) -> time | None:
        """Return the first time of such a day from this one on."""

    def search(self, wall: datetime) -> datetime | None:
        """Return the first wall time from this one on."""
        if wall.microsecond:
            wall = wall.replace(microsecond=0) + SECOND
        today = wall.date()
        day = self.day_from(today)
        if day == today:
            moment = self.time_from(wall.time())
            if moment is not None:
                return datetime.combine(today, moment)
            day = self.day_from(today + DAY)
        first = self.time_from(time.min)
        return None if day is None or first is None else datetime.combine(day, first)


@dataclass(frozen=True, slots=True)
class Branch:
    """The instants at which the wall times fire that are read with one offset."""

    offset: timedelta
    begin: datetime
    end: datetime  # the first instant that is no more one of them


def following(pattern: Pattern, zone: tzinfo, after: datetime, *, is_real: bool) -> datetime | None:
    """Return the first instant later than this one at which a wall time of the pattern fires.

    Args:
        is_real: whether it follows the real clock.

    Raises:
        TriggerError: there is none within so many steps.
    """
    moment = after + TICK
    for _ in range(STEPS):
        end = moment + SPAN
        found, wall = _within(pattern, branches(zone, moment, is_real=is_real), moment, end)
        if found is not None or wall is None:
            return found
        # Up to that wall time there is none, whatever the offset then.
        moment = max(end, wall.replace(tzinfo=UTC) - REACH)
    raise TriggerError(f"expected wall times that the clock of {zone} shows, got none within {STEPS} steps")


def weight(pattern: Pattern, zone: tzinfo, instant: datetime, *, is_real: bool) -> int:
    """Return how many wall times of the pattern fire at this instant."""
    found = 0
    for branch in branches(zone, instant, is_real=is_real):
        if branch.begin <= instant < branch.end:
            wall = _wall(instant, branch.offset)
            found += pattern.search(wall) == wall
    return found


def _within(
    pattern: Pattern, branches: list[Branch], begin: datetime, end: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the first instant of this stretch, and the first wall time from its begin on."""
    best: datetime | None = None
    first: datetime | None = None
    is_first = True
    for branch in branches:
        start, stop = max(begin, branch.begin), min(end if best is None else best, branch.end)
        if start >= stop:
            continue
        reading = _wall(start, branch.offset)
        wall = pattern.search(reading)
        if is_first:
            first, is_first = wall, False
        if wall is not None and wall - reading < stop - start:
            best = start + (wall - reading)
    return best, first


def branches(zone: tzinfo, moment: datetime, *, is_real: bool) -> list[Branch]:
    """Return the branches around a moment, in order.

    Where wall times that are left out still fire, a branch goes on for so long; where they do not fire again, the next
    one begins so much later.
    """
    try:
        return _known(zone, moment.toordinal(), is_real)
    except TypeError:  # a zone that has no hash, as some of dateutil
        return _branches(zone, moment.toordinal(), is_real)


def _branches(zone: tzinfo, day: int, is_real: bool) -> list[Branch]:
    found, begin = [], _FIRST
    looks = _looks(zone, datetime.fromordinal(day).replace(tzinfo=UTC))
    for change, before, offset in _changes(zone, looks):
        shift = _ZERO if is_real else offset - before
        found.append(Branch(before, begin, change + max(_ZERO, shift)))
        begin = change + max(_ZERO, -shift)
    return [*found, Branch(looks[-1][1], begin, _LAST)]


_known = lru_cache(maxsize=8192)(_branches)


def _looks(zone: tzinfo, day: datetime) -> list[tuple[datetime, timedelta]]:
    """Look at the clock often enough to see each change that matters for a stretch that begins on this day of UTC."""
    looks = (day + number * REACH for number in range(-1, 4))
    return [(look, _offset(zone, look)) for look in looks]


def _changes(zone: tzinfo, looks: list[tuple[datetime, timedelta]]) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """Yield the changes of the clock between these looks at it: when, and the offsets before and after."""
    for (before, old), (after, new) in pairwise(looks):
        if old == new:
            continue
        while after - before > SECOND:
            middle = before + (after - before) // SECOND // 2 * SECOND
            if _offset(zone, middle) == old:
                before = middle
            else:
                after = middle
        yield after, old, new


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or _ZERO


def _wall(moment: datetime, offset: timedelta) -> datetime:
    """Return the reading of a clock with this offset."""
    return (moment + offset).replace(tzinfo=None)
