"""Moments as people type them as an end: "Monday 08:00", "18:30", "2026-12-01 08:00", "2 hours"."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from . import schedules
from .exceptions import ScheduleError

# From a day's place in the week to the words for it: those everybody knows, and those of the reader's language.
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOMENT: Final = re.compile(r"(?:(?P<day>.*\S)[\sT,]+)?(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)", re.ASCII | re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Read an end as a person types it, in this zone; a day or a time of day means the next one.

    A time that the clocks leave out is the shifted one, a time that comes twice the first of them that is to come.

    Raises:
        ScheduleError: it is no such text, or the moment is not to come.
    """
    words = " ".join(text.split())
    found = _spelled(words, now, zone) or _spanned(words, now)
    if found is None:
        raise ScheduleError(
            _('expected a moment such as "Monday 08:00", "18:30" or "2026-12-01 08:00", got: "%(text)s"')
            % {"text": words[:80]}
        )
    if found <= now:
        raise ScheduleError(_('expected a moment to come, got: "%(text)s"') % {"text": words[:80]})
    return found


def typed(moment: datetime, zone: tzinfo) -> str:
    """Give a moment as a person would type it."""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def _spelled(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Read a day, a time of day, or both; None for another text."""
    match = _MOMENT.fullmatch(words)
    day, clock = (match["day"] or "", schedules.parse_time(match["clock"])) if match else (words, time())
    days = list(_days(day.strip(" ,").lower(), now.astimezone(zone).date(), bool(match)))
    if not days:
        return None
    try:
        instants = [instant for one in days for instant in _instants(one, clock, zone)]
    except OverflowError as error:  # the calendar ends with the year 9999
        raise ScheduleError(_("expected a moment within the calendar")) from error
    return next((instant for instant in instants if instant > now), instants[0])


def _days(word: str, today: date, has_clock: bool) -> Iterator[date]:
    """Give the days that a word may mean, the earliest first; none for one that is no day."""
    if not word:
        yield from (today, today + timedelta(days=1)) if has_clock else ()
    elif _DATE.fullmatch(word):
        try:
            yield date.fromisoformat(word)
        except ValueError as error:
            raise ScheduleError(_('expected a date of the calendar, got: "%(date)s"') % {"date": word}) from error
    elif word in ("today", _("today").lower()):
        yield today
    elif word in ("tomorrow", _("tomorrow").lower()):
        yield today + timedelta(days=1)
    elif (number := _weekday(word)) is not None:
        ahead = (number - today.weekday()) % 7
        yield from (today + timedelta(days=ahead), today + timedelta(days=ahead + 7))


def _weekday(word: str) -> int | None:
    """Give a day's place in the week; its first letters are enough, from the third on."""
    for number, name in enumerate(_DAYS):
        if word in (str(WEEKDAYS[number]).lower(), str(WEEKDAYS_ABBR[number]).lower().rstrip(".")):
            return number
        if len(word.rstrip(".")) >= 3 and name.startswith(word.rstrip(".")):
            return number
    return None


def _instants(day: date, clock: time, zone: tzinfo) -> list[datetime]:
    """Give the moments at which the clocks show this: two where they are set back over it."""
    first, second = (datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    # In a gap the first is the shifted one, and the second lies before it.
    return [first, second] if second > first else [first]


def _spanned(words: str, now: datetime) -> datetime | None:
    """Read a span from now on, such as "2 hours"; None for another text."""
    if ":" in words:
        return None
    try:
        return now + schedules.parse_interval_text(re.sub(r"^(?:in|for)\s+", "", words.lower())).every
    except (ScheduleError, OverflowError):
        return None
