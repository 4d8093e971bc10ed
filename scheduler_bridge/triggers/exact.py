"""Times of day and cron fields as triggers that are exact over every change of the clocks.

All results are in UTC, since comparisons inside one zone ignore which of two equal wall times is meant.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from apscheduler.triggers.cron import CronTrigger

TICK: Final = timedelta(microseconds=1)
# Clock changes move a wall time by less than a day, and a zone may drop one whole day (Apia, 2011-12-30).
DAYS_AHEAD: Final = 4
_BLANK: Final = CronTrigger(timezone=UTC).__getstate__()


class ExactTimes(CronTrigger):
    """Fires at listed times of day, by a table of instants."""

    def __init__(self, times: tuple[time, ...], zone: tzinfo) -> None:
        # As if by CronTrigger(timezone=UTC), whose fields are parsed from texts anew at each call.
        self.__setstate__(_BLANK)
        self.times, self.zone = times, zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = after_instant(previous_fire_time, now)
        return min((found for listed in self.times if (found := self._next(listed, after))), default=None)

    def _next(self, listed: time, after: datetime) -> datetime | None:
        # A later day never has an earlier instant, so the first that is later is the next.
        return next((instant for instant in self._days(listed, after) if instant > after), None)

    def weight(self, fire_time: datetime) -> int:
        """Count the listed times, of whatever local day, that fall on this instant."""
        return max(1, sum(fire_time == instant for listed in self.times for instant in self._days(listed, fire_time)))

    def _days(self, listed: time, moment: datetime) -> Iterator[datetime]:
        zone = listed.tzinfo or self.zone
        today, wall = moment.astimezone(zone).date(), listed.replace(tzinfo=None, fold=0)
        for offset in range(-1, DAYS_AHEAD):
            yield _instant(today + timedelta(days=offset), wall, zone)

    def __str__(self) -> str:
        return f"times[{', '.join(str(listed) for listed in self.times)}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self} {self.zone}>"


class ExactCron(CronTrigger):
    """Fires as a cron trigger's fields say, searched on the wall clock and put into the zone last."""

    def __init__(self, trigger: CronTrigger) -> None:
        super().__init__(timezone=UTC)
        self.fields = trigger.fields
        self.zone = trigger.timezone
        self.jitter = trigger.jitter
        self.first = trigger.start_date
        self.last = trigger.end_date

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = after_instant(previous_fire_time, now)
        if self.first is not None:
            after = max(after, self.first.astimezone(UTC) - TICK)
        branches = (self._earliest(after, offset) for offset in self._offsets(after))
        found = min((instant for instant in branches if instant is not None), default=None)
        if found is None or (self.last is not None and found > self.last):
            return None
        jittered: datetime = self._apply_jitter(found, self.jitter, now) if self.jitter else found
        return jittered

    def weight(self, fire_time: datetime) -> int:
        """Count the wall times that fall on this instant."""
        walls = {_wall(fire_time, offset) for offset in self._offsets(fire_time)}
        return max(1, sum(self._at(wall) == fire_time and self._search(wall) == wall for wall in walls))

    def _offsets(self, moment: datetime) -> set[timedelta]:
        """Give the offsets in force around a moment: a clock change moves the wall by up to a day."""
        near = (moment - timedelta(hours=25), moment, moment + timedelta(hours=25))
        return {time_.astimezone(self.zone).utcoffset() or timedelta(0) for time_ in near}

    def _earliest(self, after: datetime, offset: timedelta) -> datetime | None:
        """Give the earliest fire time later than this one among the wall times later than it with this offset."""
        wall = self._search(_wall(after, offset) + TICK)
        while wall is not None and self._at(wall) <= after:  # a second pass: its wall times have fired
            wall = self._search(_first(wall, lambda later: self._at(later) > after))
        if wall is None:
            return None
        instant = self._at(wall)
        if not self._in_gap(wall):
            return instant
        # Behind a gap the wall times that exist come first, up to the shifted instant of those that do not.
        following = self._search(_first(wall, lambda later: not self._in_gap(later)))
        return instant if following is None else min(instant, self._at(following))

    def _search(self, wall: datetime) -> datetime | None:
        """Give the first wall time from this one on that the fields name, as if no zone existed."""
        found: datetime | None = super().get_next_fire_time(None, wall)
        return found

    def _at(self, wall: datetime) -> datetime:
        return _instant(wall.date(), wall.time(), self.zone)

    def _in_gap(self, wall: datetime) -> bool:
        return self._at(wall).astimezone(self.zone).replace(tzinfo=UTC, fold=0) != wall

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__str__()} {self.zone} {self.first} {self.last}>"


def after_instant(previous: datetime | None, now: datetime) -> datetime:
    """Give the instant that the next fire time must be later than; a clock set back never repeats one."""
    return now.astimezone(UTC) - TICK if previous is None else previous.astimezone(UTC)


def _wall(moment: datetime, offset: timedelta) -> datetime:
    """Give the reading of a clock with this offset, written as if it were UTC."""
    return moment.astimezone(UTC) + offset


def _first(wall: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """Give the first whole second later than this wall time for which something holds, within the next 26 hours."""
    seconds = range(1, 26 * 3600)
    base = wall.replace(microsecond=0)
    return base + timedelta(
        seconds=seconds[bisect_left(seconds, True, key=lambda n: holds(base + timedelta(seconds=n)))]
    )


def _instant(day: date, moment: time, zone: tzinfo) -> datetime:
    # fold=0: the first of two; in a gap, the offset before the change, and so the shifted instant.
    return datetime.combine(day, moment.replace(fold=0), zone).astimezone(UTC)
