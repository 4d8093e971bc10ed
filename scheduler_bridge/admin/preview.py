"""What a change of a job would do, before it is saved; and what the next hours bring without one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .. import coming, forecast
from ..coming import Coming
from ..models import Job
from . import changes_log

FIRES: Final = 10
WORST: Final = 10
AHEAD: Final = timedelta(hours=24)
LEAST: Final = timedelta(seconds=1)  # a job that starts later than this is named
NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the one worker will do, as it is and after a change: the jobs that wait longest, the longest first."""

    late: tuple[forecast.Shift, ...]
    busy_before: float
    busy_after: float
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do."""

    changes: tuple[str, ...]  # each as "what: old → new"
    fires: tuple[Coming, ...]
    outlook: Outlook


def of(before: Job, after: Job, now: datetime) -> Preview:
    """Say what would happen if the job were saved like this; nothing is written."""
    pair = forecast.before_and_after(now, now + AHEAD, {before.pk: after})
    return Preview(
        changes=changes_log.differing(before, after),
        fires=coming.fires(after, now, FIRES),
        outlook=_outlook(*pair),
    )


def unchanged(now: datetime) -> Outlook:
    """Say what the next hours bring as things are."""
    found = forecast.ahead(now, now + AHEAD)
    return _outlook(found, found)


def _outlook(before: forecast.Forecast, after: forecast.Forecast) -> Outlook:
    compared = forecast.compare(before, after, NOTHING)
    shifts = {shift.job_id: shift for shift in (*compared.later, *compared.earlier)}
    late = (shift for shift in shifts.values() if max(_waits(shift)) >= LEAST)
    return Outlook(
        late=tuple(sorted(late, key=_waits, reverse=True)[:WORST]),
        busy_before=compared.busy_before,
        busy_after=compared.busy_after,
        until=compared.until,
    )


def _waits(shift: forecast.Shift) -> tuple[timedelta, timedelta]:
    """Give how late a job starts at worst: after the change, and before it."""
    after, before = shift.after, shift.before
    return after.late if after else NOTHING, before.late if before else NOTHING
