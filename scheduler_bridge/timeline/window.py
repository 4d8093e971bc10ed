"""The window of time that is looked at: half of it past, half to come when the present is its middle."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

SPANS: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
USUAL: Final = "6h"
COLUMNS: Final = 500  # runs of one job that are due within one column are told together
# Nothing was due outside these years, and moments near the ends of the calendar cannot be told.
FIRST: Final = datetime(1970, 1, 8, tzinfo=UTC)
LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From when to when, and what the time is."""

    start: datetime
    end: datetime
    now: datetime

    @classmethod
    def around(cls, middle: datetime, span: timedelta, now: datetime) -> "Window":
        """Give the window of this span around a moment, which is moved to years that can be told."""
        middle = min(max(middle, FIRST), LAST)
        return cls(start=middle - span / 2, end=middle + span / 2, now=now)

    @property
    def span(self) -> timedelta:
        return self.end - self.start

    @property
    def column(self) -> timedelta:
        """Give the width of a column."""
        return self.span / COLUMNS

    @property
    def present(self) -> datetime:
        """Give the moment up to which things have happened in this window."""
        return min(max(self.now, self.start), self.end)

    @property
    def is_past(self) -> bool:
        return self.end <= self.now

    def place(self, moment: datetime) -> float:
        """Give the place of a moment, from 0 at the start to 1 at the end; what lies outside is at the nearer end."""
        return min(1.0, max(0.0, (moment - self.start) / self.span))
