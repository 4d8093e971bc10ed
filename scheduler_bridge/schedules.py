"""Value objects for *when* a job runs: parse, validate, say in words."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .exceptions import ScheduleError
from .object_text import repr_of, text_without_address

# APScheduler turns a shorter interval into one second without a word (3.11, triggers/interval.py).
SHORTEST_INTERVAL: Final = timedelta(seconds=1)
# The calendar ends with the year 9999: a longer one has no next fire time that can be written down.
LONGEST_INTERVAL: Final = timedelta(days=36525)


@dataclass(frozen=True, slots=True)
class Interval:
    """Runs every so often, on a fixed grid."""

    every: timedelta

    def __post_init__(self) -> None:
        if not isinstance(self.every, timedelta):
            raise ScheduleError(f"expected a timedelta as interval, got: {self.every!r}")
        if self.every < SHORTEST_INTERVAL:
            raise ScheduleError(_("expected an interval of one second or more, got: %(value)s") % {"value": self.every})
        if self.every > LONGEST_INTERVAL:
            raise ScheduleError(_("expected an interval of 100 years or less, got: %(value)s") % {"value": self.every})


@dataclass(frozen=True, slots=True)
class DailyTimes:
    """Runs once a local calendar day at each of these times; a time with a zone keeps its own."""

    times: tuple[time, ...]

    def __post_init__(self) -> None:
        if not self.times:
            raise ScheduleError(_("expected one time of day or several, got none"))
        for moment in self.times:
            if not isinstance(moment, time):
                raise ScheduleError(f"expected a datetime.time, got: {moment!r}")
            if moment.microsecond:
                raise ScheduleError(f"expected a time in whole seconds, got: {moment}")
        labels = [time_words(moment) for moment in self.times]
        doubles = sorted({label for label in labels if labels.count(label) > 1})
        if doubles:
            raise ScheduleError(_("expected each time once, got twice: %(value)s") % {"value": ", ".join(doubles)})


@dataclass(frozen=True, slots=True)
class Manual:
    """Runs only when asked for, by hand or by another job."""


@dataclass(frozen=True, slots=True)
class Custom:
    """Runs as a trigger object of the project's settings says."""

    trigger: Any


Schedule = Interval | DailyTimes | Manual | Custom

_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_CLOCK: Final = re.compile(r"(?:(\d+)\s*(?:d|days?),?\s+)?(\d+):(\d{2})(?::(\d{2}))?", re.ASCII)
_AMOUNT: Final = re.compile(r"([0-9]+(?:[.][0-9]+)?)\s*([^\W\d_]+)[\s,]*")
_UNITS: Final = {
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
}


def parse_time(value: object) -> time:
    """Read one time of day: a ``datetime.time`` or "HH:MM[:SS]".

    Raises:
        ScheduleError: it is neither, or no such time exists.
    """
    if isinstance(value, time):
        return value
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ScheduleError(
            _('expected a time of day such as "09:30" or time(9, 30), got: %(value)r') % {"value": value}
        )
    hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        return time(hour, minute, second)
    except ValueError as error:
        raise ScheduleError(
            _('expected a time from "00:00" to "23:59:59", got: %(value)r') % {"value": value}
        ) from error


def parse_times(value: object) -> DailyTimes:
    """Read one time of day or a collection of them.

    Raises:
        ScheduleError: there is none, one is malformed or stands there twice.
    """
    values = [value] if isinstance(value, str | time) or not isinstance(value, Iterable) else list(value)
    return DailyTimes(tuple(sorted((parse_time(item) for item in values), key=_order)))


def parse_times_text(text: str) -> DailyTimes:
    """Read times of day as a person types them: "09:30, 18:30"."""
    return parse_times([part for part in re.split(r"[\s,;]+", text.strip()) if part])


def parse_interval(value: object) -> Interval:
    """Read an interval: a ``timedelta``.

    Raises:
        ScheduleError: it is no timedelta, or shorter than a second.
    """
    if not isinstance(value, timedelta):
        raise ScheduleError(f"expected a timedelta such as timedelta(minutes=30), got: {value!r}")
    return Interval(value)


def parse_interval_text(text: str) -> Interval:
    """Read an interval as a person types it: "45 minutes", "1:30:00", "2 days 4 hours"."""
    text = text.strip().lower()
    try:
        return Interval(_clock_span(text) or _amount_span(text))
    except ScheduleError:
        raise
    except (OverflowError, ValueError) as error:  # a number of more than 4300 digits is a ValueError
        raise ScheduleError(_("expected a shorter interval, got: %(value)r") % {"value": text[:80]}) from error


def _clock_span(text: str) -> timedelta | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _amount_span(text: str) -> timedelta:
    total, end, units = timedelta(0), 0, _UNITS | _own_units()
    for match in _AMOUNT.finditer(text):
        if match.start() != end or match[2] not in units:
            break
        total, end = total + float(match[1]) * units[match[2]], match.end()
    if end == 0 or end != len(text):
        raise ScheduleError(
            _('expected an interval such as "45 minutes" or "1:30:00", got: %(value)r') % {"value": text}
        )
    return total


def _order(moment: time) -> tuple[time, str]:
    return moment.replace(tzinfo=None), str(moment.tzinfo or "")


def time_words(moment: time) -> str:
    """Say a time of day: "09:30", "09:30:15", "09:30 Europe/Oslo"."""
    plain = moment.replace(tzinfo=None)
    text = plain.strftime("%H:%M" if not plain.second else "%H:%M:%S")
    return f"{text} {moment.tzinfo}" if moment.tzinfo else text


def interval_words(every: timedelta) -> str:
    """Say a span of time in its units: "1 hour 30 minutes"."""
    seconds = int(every.total_seconds())
    amounts = (seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)
    return " ".join(text % amount for text, amount in zip(_spoken(amounts), amounts, strict=True) if amount)


def _spoken(amounts: Sequence[int]) -> tuple[str, ...]:
    """Give the words for so many days, hours, minutes and seconds."""
    return (
        ngettext("%d day", "%d days", amounts[0]),
        ngettext("%d hour", "%d hours", amounts[1]),
        ngettext("%d minute", "%d minutes", amounts[2]),
        ngettext("%d second", "%d seconds", amounts[3]),
    )


def _own_units() -> dict[str, timedelta]:
    """Give the units in the reader's language: what is said in it can be typed in it."""
    spans = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
    said = ((_spoken([number] * 4), spans) for number in (1, 2))
    return {
        text.replace("%d", "").strip().lower(): span
        for texts, spans in said
        for text, span in zip(texts, spans, strict=True)
    }


def words(schedule: Schedule) -> str:
    """Say a schedule in the reader's language."""
    match schedule:
        case Interval(every=every):
            return _("every %(interval)s") % {"interval": interval_words(every)}
        case DailyTimes(times=times):
            return _("daily at %(times)s") % {"times": ", ".join(time_words(moment) for moment in times)}
        case Custom(trigger=trigger):
            return text_without_address(trigger)
        case _:
            return _("by hand or after another job")


def fingerprint(schedule: Schedule, zone: tzinfo) -> str:
    """Give a text that changes exactly when the fire times of the schedule do; not for people."""
    match schedule:
        case Interval(every=every):
            value: dict[str, Any] = {"interval": every.total_seconds()}
        case DailyTimes(times=times):
            value = {"times": [_stamp(moment) for moment in times], "zone": str(zone)}
        case Custom(trigger=trigger):
            value = {"trigger": repr_of(trigger)}
        case _:
            value = {}
    return json.dumps(value)


def from_fingerprint(text: str) -> Schedule:
    """Read a fingerprint back, for a job whose code cannot be asked; manual where it holds no times."""
    try:
        value = json.loads(text)
        if "interval" in value:
            return Interval(timedelta(seconds=value["interval"]))
        if "times" in value:
            return DailyTimes(tuple(_from_stamp(stamp) for stamp in value["times"]))
    except (ScheduleError, ValueError, TypeError, LookupError, ArithmeticError, OSError):
        return Manual()
    return Manual()


def _stamp(moment: time) -> list[str]:
    return [moment.replace(tzinfo=None).isoformat(), str(moment.tzinfo or "")]


def _from_stamp(stamp: list[str]) -> time:
    return time.fromisoformat(stamp[0]).replace(tzinfo=ZoneInfo(stamp[1]) if stamp[1] else None)
