"""What the runner schedules: read in full, or only what differs from the last look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apscheduler.triggers.base import BaseTrigger
from django.db.models import QuerySet

from .. import conf, schedules
from ..models import Job
from ..plan import JobPlan
from ..triggers import Overdue, next_fire, overdue
from . import snapshot
from .effective import plan_of, settle, trigger_of
from .snapshot import Row

# With the code and the settings of this process, these columns say all of how a job is timed.
TIMING = ("enabled", "override_interval", "override_times", "override_queue", "schedule_key", "name")
BATCH = 500  # rows asked for by id in one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One job as the runner schedules it."""

    job_id: int
    name: str
    key: str  # changes when the job must be timed anew
    trigger: BaseTrigger | None
    next_run_at: datetime | None
    due: Overdue | None  # what is owed a run already
    queue: str = ""  # of the engine that its runs are handed over to


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look at the rows gave."""

    planned: tuple[Planned, ...]
    # The jobs that were planned before and are no more; None: all that is not in ``planned``.
    gone: tuple[str, ...] | None


class Reader:
    """Remembers the rows as it last saw them, so that a change costs as much as it changes.

    Rows are compared by their values, so nothing that was changed is missed, whoever changed it.
    """

    def __init__(self) -> None:
        self._seen: Mapping[int, Row] = {}
        self._planned: Mapping[int, Planned] = {}

    def read_all(self, now: datetime) -> Reading:
        """Read and plan every job."""
        # Seen first: what changes in between differs from it at the next look.
        seen = snapshot.read(_scheduled(), TIMING)
        planned = load(now)
        self._seen, self._planned = seen, {item.job_id: item for item in planned}
        return Reading(planned=planned, gone=None)

    def read_changed(self, now: datetime) -> Reading:
        """Read every job's timing and plan those that differ from the last look, or are new."""
        seen = snapshot.read(_scheduled(), TIMING)
        changed = [pk for pk, row in seen.items() if self._seen.get(pk) != row or self._is_only_owed(pk)]
        anew = [item for start in range(0, len(changed), BATCH) for item in _plan(changed[start : start + BATCH], now)]
        unchanged = seen.keys() - changed
        planned = {pk: item for pk, item in self._planned.items() if pk in unchanged}
        planned.update({item.job_id: item for item in anew})
        names = {item.name for item in planned.values()}
        gone = tuple(item.name for item in self._planned.values() if item.name not in names)
        self._seen, self._planned = seen, planned
        return Reading(planned=tuple(anew), gone=gone)

    def _is_only_owed(self, pk: int) -> bool:
        """Tell a job that has no schedule any more but a run to come; it goes as soon as that is done."""
        return pk in self._planned and self._planned[pk].trigger is None


def load(now: datetime) -> tuple[Planned, ...]:
    """Read every job that is scheduled, or was and is owed a run."""
    return _wanted(_scheduled(), now)


def peek(now: datetime) -> tuple[Planned, ...]:
    """Read what `load` reads, and change nothing: a job that was changed a moment ago may be told by its old times."""
    rows = list(_scheduled().defer("broken"))
    planned = [_as_planned(row, plan_of(row), now) for row in rows]
    return tuple(item for item in planned if item.trigger or item.due)


def due(row: Job, trigger: BaseTrigger | None, now: datetime) -> Overdue | None:
    """Give what this job owes a run at this moment; None when nothing."""
    found = overdue(trigger, row.owed_since, now) if trigger else None
    if row.next_run_at is None or row.next_run_at > min(row.owed_since, now):
        return found
    # Due under a schedule that was changed since: nobody has run it yet.
    before = max(1, row.owed_before)
    if found is None:
        return Overdue(latest=row.next_run_at, coalesced=before - 1)
    return Overdue(latest=found.latest, coalesced=found.coalesced + before)


def _scheduled() -> QuerySet[Job]:
    return Job.objects.using(conf.load().database).filter(removed_at=None)


def _plan(ids: list[int], now: datetime) -> tuple[Planned, ...]:
    return _wanted(_scheduled().filter(pk__in=ids), now)


def _wanted(rows: QuerySet[Job], now: datetime) -> tuple[Planned, ...]:
    planned = [_planned(row, now) for row in list(rows.defer("description", "broken"))]
    return tuple(item for item in planned if item.trigger or item.due)


def _planned(row: Job, now: datetime) -> Planned:
    plan = plan_of(row)
    settle(row, plan, now)
    _follow_clock(row, plan, now)
    return _as_planned(row, plan, now)


def _as_planned(row: Job, plan: JobPlan, now: datetime) -> Planned:
    trigger = trigger_of(plan, row, now) if plan.enabled.value else None
    return Planned(
        job_id=row.pk,
        name=row.name,
        # A row that was deleted and made again is another, though its schedule is the same.
        key=f"{row.pk} {row.schedule_key} {plan.queue.value}".rstrip(),
        queue=plan.queue.value,
        trigger=trigger,
        next_run_at=next_fire(trigger, max(row.owed_since, now)) if trigger else None,
        due=due(row, trigger, now),
    )


def _follow_clock(row: Job, plan: JobPlan, now: datetime) -> None:
    """Begin the grid of an interval anew when the clock was set back behind its last fire time."""
    is_interval = isinstance(plan.schedule.value, schedules.Interval)
    if not is_interval or row.last_fire_at is None or row.last_fire_at <= now:
        return
    row.last_fire_at = row.owed_since = now
    using = conf.load().database
    Job.objects.using(using).filter(pk=row.pk).update(last_fire_at=now, owed_since=now)
