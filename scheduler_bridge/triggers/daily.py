"""Wall times of every day, and of each so many days, weeks, months or years."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta

from ..exceptions import TriggerError
from .clock import Pattern


class Daily(Pattern):
    """The same times of day on every day."""

    def __init__(self, times: Sequence[time]) -> None:
        self._times = times

    def day_from(self, day: date) -> date:
        """Return this day."""
        return day

    def time_from(self, moment: time) -> time | None:
        """Return the first listed time from this one on."""
        place = bisect_left(self._times, moment)
        return self._times[place] if place < len(self._times) else None


@dataclass
class Steps(Pattern):
    """One time of day on each n-th day, week, month or year from a first day on.

    Months and years keep the day of the month, and pass over those that have no such day; days are added then.
    """

    first: date
    months: int
    days: int
    moment: time
    last: date | None = None
    _known: list[date] = field(default_factory=list)

    def day_from(self, day: date) -> date | None:
        """Return the first of its days from this one on."""
        found = self._by_days(day) if not self.months else self._by_months(day)
        return None if found is None or (self.last is not None and found > self.last) else found

    def time_from(self, moment: time) -> time | None:
        """Return its time of day where it is not before this one."""
        return self.moment if moment <= self.moment else None

    def _by_days(self, day: date) -> date:
        if self.days < 1:
            raise TriggerError(f"expected an interval of one day or more, got {self.days} days")
        return self.first if day <= self.first else day + (self.first - day) % timedelta(days=self.days)

    def _by_months(self, day: date) -> date | None:
        known = self._known
        if not known:
            known.append(self.first)
        while known[-1] < day:
            following = self._next(known[-1])
            if following is None:
                return None
            if following <= known[-1]:
                raise TriggerError(f"expected a day later than {known[-1]} from an interval, got {following}")
            known.append(following)
        return known[bisect_left(known, day)]

    def _next(self, day: date) -> date | None:
        month = day.year * 12 + day.month - 1
        for _ in range(1, 12 * date.max.year):
            month += self.months
            if not date.min.year * 12 <= month < 12 * (date.max.year + 1):
                return None
            try:
                return date(month // 12, month % 12 + 1, day.day) + timedelta(days=self.days)
            except ValueError:
                continue  # a month without such a day
        return None
