"""The axes of a chart: where a span of time stands on it, and what is written beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log
from typing import Final

from django.utils.translation import gettext as _

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)))
_LONG_STEPS: Final = (*(n * _HOUR for n in (1, 2, 3, 6, 12)), *(n * _DAY for n in (1, 2, 7, 14, 30, 90, 365)))
_POWERS: Final = (0.01, 0.1, 1, 10, _MINUTE, 10 * _MINUTE, _HOUR, 10 * _HOUR, 4 * _DAY, 40 * _DAY, 400 * _DAY)
TICKS: Final = 4
SPREAD: Final = 20  # how much longer than usual one may be before the scale is one of powers


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """A scale of spans of time, from 0 to 1."""

    ticks: tuple[float, ...]  # in seconds
    is_of_powers: bool

    def place(self, span: timedelta) -> float:
        """Say where a span stands."""
        return self._place(span.total_seconds())

    def marks(self) -> list[tuple[float, str]]:
        """Give where lines are drawn, and what is written beside them."""
        return [(self._place(seconds), words(seconds)) for seconds in self.ticks]

    def _place(self, seconds: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        inside = min(max(seconds, low), high)
        return log(inside / low) / log(high / low) if self.is_of_powers else (inside - low) / (high - low)


def for_spans(spans: Sequence[timedelta]) -> Spans:
    """Give a scale on which all of these can be told apart."""
    seconds = sorted(span.total_seconds() for span in spans)
    least, middle, most = seconds[0], seconds[len(seconds) // 2], seconds[-1]
    if most > SPREAD * max(middle, _POWERS[0]):
        return Spans(ticks=_powers(max(least, _POWERS[0]), most), is_of_powers=True)
    step = next((step for step in (*_STEPS, *_LONG_STEPS) if most <= TICKS * step), _LONG_STEPS[-1])
    return Spans(ticks=tuple(step * n for n in range(max(1, ceil(most / step)) + 1)), is_of_powers=False)


def words(seconds: float) -> str:
    """Say a round span in one unit."""
    if seconds < _MINUTE:
        return _("%(number)s s") % {"number": f"{seconds:.2g}"}
    if seconds < _HOUR:
        return _("%(number)s min") % {"number": f"{seconds / _MINUTE:g}"}
    if seconds < 2 * _DAY:
        return _("%(number)s h") % {"number": f"{seconds / _HOUR:g}"}
    return _("%(number)s d") % {"number": f"{seconds / _DAY:g}"}


def moments(first: datetime, last: datetime) -> list[tuple[float, datetime]]:
    """Give the moments that are written below a chart, and where, from 0 to 1."""
    if first == last:
        return [(0.5, first)]
    return [(0.0, first), (0.5, first + (last - first) / 2), (1.0, last)]


def _powers(least: float, most: float) -> tuple[float, ...]:
    """Give the powers that enclose these two."""
    low = max(power for power in _POWERS if power <= least)
    high = next((power for power in _POWERS if power >= most), _POWERS[-1])
    return tuple(power for power in _POWERS if low <= power <= high)
