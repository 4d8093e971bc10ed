"""How much of the time the one worker was busy: today and this week, in the time zone of the scheduler.

Summed by the database over a range of the index on ``scheduled_for``; what it costs grows with the runs of the week.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Final

from django.db import connections

from .. import conf, sql
from ..models import Run

# A run that was due before the span, no longer than this, may have run inside it.
EARLIER: Final = timedelta(hours=6)
# What is summed of a run, and seconds of that sum, by database.
SPAN: Final = {
    "sqlite": "MAX(0.0, julianday({end}) - julianday({start}))",
    "postgresql": "GREATEST(INTERVAL '0', {end} - {start})",
    "mysql": "GREATEST(0, TIMESTAMPDIFF(MICROSECOND, {start}, {end}))",
}
SECONDS: Final = {
    "sqlite": "{total} * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM {total})",
    "mysql": "{total} / 1000000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a span of days was used for, up to now."""

    first: date
    last: date
    busy: timedelta
    elapsed: timedelta
    runs: int  # that were due in it, those that were skipped or handed over among them

    @property
    def share(self) -> float:
        """How much of the time the worker was busy, from 0 to 1."""
        return min(1.0, self.busy / self.elapsed) if self.elapsed else 0.0


def shares(now: datetime) -> tuple[Share, Share]:
    """Read how busy the worker was today and in this week, which begins on Monday, in one statement."""
    using = conf.load().database
    today = conf.load().local(now).date()
    monday = today - timedelta(days=today.weekday())
    found = sql.fetch(using, _statement(using), _values(today, monday, now, using))
    sums = found or (0, 0, 0, 0)
    return _share(today, today, now, *sums[:2]), _share(monday, today, now, *sums[2:])


def midnight(day: date) -> datetime:
    """Give the moment at which a day begins in the time zone of the scheduler."""
    return datetime.combine(day, time(), conf.load().time_zone).astimezone(UTC)


def _share(first: date, last: date, now: datetime, seconds: Any, runs: Any) -> Share:
    return Share(
        first=first,
        last=last,
        busy=timedelta(seconds=round(float(seconds or 0), 3)),  # no finer than SQLite counts
        elapsed=max(timedelta(0), now - midnight(first)),
        runs=int(runs or 0),
    )


@cache
def _statement(using: str) -> str:
    """Give what sums both spans in one look at the runs of the longer one."""
    run, vendor = sql.table(Run, using), connections[using].vendor
    least, greatest = ("MIN", "MAX") if vendor == "sqlite" else ("LEAST", "GREATEST")
    due = run["scheduled_for"]
    end = f"{least}(COALESCE({run['finished_at']}, %s), %s)"
    span = SPAN[vendor].format(start=f"{greatest}({run['started_at']}, %s)", end=end)
    # One that did not run is left out by name: PostgreSQL's GREATEST passes over an empty value.
    # What was handed over does not keep the worker busy.
    did_run = f"{due} >= %s AND {run['started_at']} IS NOT NULL AND {run['queue']} = ''"
    total = SECONDS[vendor].format(total=f"SUM(CASE WHEN {did_run} THEN {span} END)")
    sums = f"{total}, COUNT(CASE WHEN {due} >= %s THEN 1 END)"
    return f"SELECT {sums}, {sums} FROM {run} WHERE {due} >= %s AND {due} < %s"


def _values(today: date, monday: date, now: datetime, using: str) -> list[Any]:
    run, is_mysql = sql.table(Run, using), connections[using].vendor == "mysql"
    moments: list[datetime] = []
    for start in map(midnight, (today, monday)):
        moments += [start - EARLIER, *((start, now, now) if is_mysql else (now, now, start)), start]
    moments += [midnight(monday) - EARLIER, midnight(today + timedelta(days=1))]
    return [run.values({"scheduled_for": moment})[0] for moment in moments]
