"""The fields of a cron trigger, read once for all triggers that say the same."""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

from apscheduler.triggers.cron import CronTrigger

from .clock import Pattern

Texts = tuple[str, ...]  # as the fields say themselves, in the order of FIELD_NAMES

# The calendar repeats itself after so many years: what has no day in them has none.
YEARS: Final = 400
# In 2020, which has 53 weeks.
_STRETCHES: Final = {
    "month": (datetime(2020, 1, 15), timedelta(days=30), 12),
    "week": (datetime(2020, 1, 1), timedelta(days=1), 366),
    "day_of_week": (datetime(2020, 1, 1), timedelta(days=1), 7),
    "hour": (datetime(2020, 1, 1), timedelta(hours=1), 24),
    "minute": (datetime(2020, 1, 1), timedelta(minutes=1), 60),
    "second": (datetime(2020, 1, 1), timedelta(seconds=1), 60),
}
_MONTHS: Final = {monthrange(year, month): (year, month) for year in range(2000, 2028) for month in range(1, 13)}


class Fields(Pattern):
    """The wall times that eight fields name."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        year, month, self._day, week, day_of_week, hour, minute, second = texts
        self._year = None if year == "*" else _field("year", year)
        self._months = values("month", month)
        self._weeks = None if week == "*" else frozenset(values("week", week))
        self._weekdays = None if day_of_week == "*" else frozenset(values("day_of_week", day_of_week))
        self._hours, self._minutes, self._seconds = (
            values(name, text) for name, text in (("hour", hour), ("minute", minute), ("second", second))
        )
        # Seen on the first fields alone: a list that begins with a star counts, as cron(8) reads it.
        self.is_real = hour.startswith("*") or minute.startswith("*")

    def day_from(self, day: date) -> date | None:
        """Return the first day from this one on that the fields name."""
        for year in self._years(day.year):
            earliest = day.month if year == day.year else 1
            for month in self._months[bisect_left(self._months, earliest) :]:
                first = day.day if (year, month) == (day.year, day.month) else 1
                found = next((found for found in self._days(year, month, first)), None)
                if found is not None:
                    return found
        return None

    def _years(self, year: int) -> Iterator[int]:
        for _ in range(YEARS + 1):
            if year > date.max.year:
                return
            if self._year is not None:
                year = self._year.get_next_value(datetime(year, 1, 1))
                if year is None:
                    return
            yield year
            year += 1

    def _days(self, year: int, month: int, first: int) -> Iterator[date]:
        weekday, length = monthrange(year, month)
        days = days_of(self._day, weekday, length)
        for number in days[bisect_left(days, first) :]:
            if self._weekdays is not None and (weekday + number - 1) % 7 not in self._weekdays:
                continue
            found = date(year, month, number)
            if self._weeks is None or found.isocalendar()[1] in self._weeks:
                yield found

    def time_from(self, moment: time) -> time | None:
        """Return the first time of day from this one on that the fields name."""
        for hour in self._hours[bisect_left(self._hours, moment.hour) :]:
            if hour > moment.hour:
                return time(hour, self._minutes[0], self._seconds[0])
            for minute in self._minutes[bisect_left(self._minutes, moment.minute) :]:
                if minute > moment.minute:
                    return time(hour, minute, self._seconds[0])
                place = bisect_left(self._seconds, moment.second)
                if place < len(self._seconds):
                    return time(hour, minute, self._seconds[place])
        return None


@lru_cache(maxsize=4096)
def fields(texts: Texts) -> Fields:
    """Return the wall times of fields that say this."""
    return Fields(texts)


def texts_of(trigger: CronTrigger) -> Texts:
    """Return what the fields of a cron trigger say."""
    return tuple(str(field) for field in trigger.fields)


@lru_cache(maxsize=1024)
def values(name: str, text: str) -> tuple[int, ...]:
    """Return the values that a field has which does not depend on the month."""
    field = _field(name, text)
    found = ((field.get_value(moment), field.get_next_value(moment)) for moment in _moments(name))
    return tuple(sorted({value for value, following in found if value == following}))


def _moments(name: str) -> Iterator[datetime]:
    """Yield a moment for each value of such a field."""
    begin, step, count = _STRETCHES[name]
    return (begin + number * step for number in range(count))


@lru_cache(maxsize=4096)
def days_of(text: str, weekday: int, length: int) -> tuple[int, ...]:
    """Return the days that a field of days has in a month of this length that begins on this day of the week."""
    if text == "*":
        return tuple(range(1, length + 1))
    field, (year, month) = _field("day", text), _MONTHS[weekday, length]
    days = range(1, length + 1)
    return tuple(day for day in days if field.get_next_value(datetime(year, month, day)) == day)


def _field(name: str, text: str) -> Any:
    return CronTrigger.FIELDS_MAP[name](name, text)
