"""Times of day, cron fields, intervals and dates as triggers that are exact over every change of the clocks."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from ..exceptions import TriggerError
from ..object_text import repr_of
from . import clock
from .daily import Daily
from .fields import fields, texts_of
from .strict import SHORTEST_STEP, TICK, Strict, moment_of

_BLANK: Final = CronTrigger(timezone=UTC).__getstate__()


class ExactTimes(Strict, CronTrigger):
    """Fires at listed times of day."""

    def __init__(self, times: tuple[time, ...], zone: tzinfo) -> None:
        # As if by CronTrigger(timezone=UTC), whose fields are parsed from texts anew at each call.
        self.__setstate__(_BLANK)
        self.times, self.zone = times, zone
        zones: dict[tzinfo, list[time]] = {}
        for listed in times:
            zones.setdefault(listed.tzinfo or zone, []).append(listed.replace(tzinfo=None, fold=0))
        self._days = [(own, Daily(sorted(listed))) for own, listed in zones.items()]

    def _following(self, after: datetime) -> datetime | None:
        found = (clock.following(daily, zone, after, is_real=False) for zone, daily in self._days)
        return min((instant for instant in found if instant is not None), default=None)

    def weight(self, fire_time: datetime) -> int:
        """Return how many listed times, of whatever local day, fall on this instant."""
        return max(1, sum(clock.weight(daily, zone, fire_time, is_real=False) for zone, daily in self._days))

    def __str__(self) -> str:
        return f"times[{', '.join(str(listed) for listed in self.times)}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self} {self.zone}>"


class ExactCron(Strict, CronTrigger):
    """Fires as a cron trigger's fields say.

    Where the field of the minute or the hour begins with a star, one that APScheduler filled in too, it follows the
    real clock, as cron(8) does; else each wall time fires once a local day.
    """

    def __init__(self, trigger: CronTrigger) -> None:
        self.timezone, self.jitter = trigger.timezone, trigger.jitter
        self.start_date, self.end_date, self.fields = trigger.start_date, trigger.end_date, trigger.fields
        self.zone: tzinfo = trigger.timezone
        self.pattern = fields(texts_of(trigger))

    def _following(self, after: datetime) -> datetime | None:
        if self.start_date is not None:
            after = max(after, moment_of(self.start_date, self.name) - TICK)
        found = clock.following(self.pattern, self.zone, after, is_real=self.pattern.is_real)
        return None if found is None or (self.end_date is not None and found > self.end_date) else found

    def weight(self, fire_time: datetime) -> int:
        """Return how many wall times fall on this instant."""
        return max(1, clock.weight(self.pattern, self.zone, fire_time, is_real=self.pattern.is_real))

    def _remade(self) -> "ExactCron":
        return ExactCron(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__str__()} {self.zone} {self.start_date} {self.end_date}>"


class ExactInterval(Strict, IntervalTrigger):
    """Fires on the grid of an interval, in whole microseconds however far its start is."""

    def __init__(self, trigger: IntervalTrigger, start: datetime | None = None) -> None:
        self.timezone, self.jitter = trigger.timezone, trigger.jitter
        self.interval, self.interval_length = trigger.interval, trigger.interval_length
        self.start_date, self.end_date = trigger.start_date if start is None else start, trigger.end_date

    def _following(self, after: datetime) -> datetime | None:
        every: timedelta = self.interval
        if every < SHORTEST_STEP:
            raise TriggerError(f"expected an interval of 10 milliseconds or more, got {repr_of(every)}")
        start = moment_of(self.start_date, self.name)
        found = start if after < start else after - (after - start) % every + every
        return None if self.end_date is not None and found > self.end_date else found

    def _remade(self) -> "ExactInterval":
        return ExactInterval(self)


class ExactDate(Strict, DateTrigger):
    """Fires once."""

    def __init__(self, trigger: DateTrigger) -> None:
        self.run_date = trigger.run_date

    def _following(self, after: datetime) -> datetime | None:
        found = moment_of(self.run_date, self.name)
        return found if found > after else None
