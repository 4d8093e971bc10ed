"""What the runner schedules: read in full, or only what differs from the last look."""

import logging
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apscheduler.triggers.base import BaseTrigger
from django.db.models import QuerySet

from .. import conf, schedules
from ..exceptions import TriggerError
from ..models import Job
from ..plan import JobPlan
from ..triggers import Overdue, next_fire, overdue
from . import snapshot
from .effective import note_broken, plan_of, settle, trigger_of
from .patience import Patience
from .snapshot import Row

logger = logging.getLogger("scheduler_bridge")

# With the code and the settings of this process, these columns say all of how a job is timed.
TIMING = ("enabled", "override_interval", "override_times", "override_queue", "schedule_key", "name", "trigger_error")
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
    is_broken: bool = False  # its row says that its trigger cannot be used
    error: TriggerError | None = None  # its trigger broke as it was planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look at the rows gave."""

    planned: tuple[Planned, ...]
    # The jobs that were planned before and are no more; None: all that is not in ``planned``.
    gone: tuple[str, ...] | None
    is_any_broken: bool = False  # a job that was looked at has a trigger that cannot be used


class Reader:
    """Remembers the rows as it last saw them, so that a change costs as much as it changes.

    Rows are compared by their values, so nothing that was changed is missed, whoever changed it.
    """

    def __init__(self) -> None:
        self._seen: Mapping[int, Row] = {}
        self._planned: Mapping[int, Planned] = {}
        self._patience = Patience()

    def read_all(self, now: datetime, *, retry: bool = True) -> Reading:
        """Read and plan every job.

        Args:
            retry: whether each trigger that broke is asked again, and not only when it is time to.
        """
        # Seen first: what changes in between differs from it at the next look.
        seen = snapshot.read(_scheduled(), TIMING)
        over = self._patience.over(now, seen)
        found = _plan_all(_scheduled(), now, seen if retry else over)
        self._seen, self._planned = seen, {item.job_id: item for item in _wanted(found)}
        return Reading(planned=_wanted(found), gone=None, is_any_broken=self._follow(found, over, now))

    def read_changed(self, now: datetime) -> Reading:
        """Read every job's timing and plan those that differ from the last look, or are new."""
        seen = snapshot.read(_scheduled(), TIMING)
        over = self._patience.over(now, seen)
        changed = [pk for pk, row in seen.items() if self._seen.get(pk) != row or pk in over or self._is_only_owed(pk)]
        found = [item for start in range(0, len(changed), BATCH) for item in _plan(changed, start, now, over)]
        anew = _wanted(found)
        unchanged = seen.keys() - changed
        planned = {pk: item for pk, item in self._planned.items() if pk in unchanged}
        planned.update({item.job_id: item for item in anew})
        names = {item.name for item in planned.values()}
        gone = tuple(item.name for item in self._planned.values() if item.name not in names)
        self._seen, self._planned = seen, planned
        return Reading(planned=anew, gone=gone, is_any_broken=self._follow(found, over, now))

    def retry_pause(self, now: datetime) -> float:
        """Return the seconds until a trigger that broke is to be asked again; endless when there is none."""
        return self._patience.pause(now)

    def _follow(self, found: Sequence[Planned], over: Container[int], now: datetime) -> bool:
        """Remember which triggers are broken; whether any of these is."""
        for item in found:
            if item.is_broken:
                self._patience.failed(item.job_id, now, again=item.job_id in over)
            else:
                self._patience.answered(item.job_id)
        return any(item.is_broken for item in found)

    def _is_only_owed(self, pk: int) -> bool:
        """Tell a job that has no schedule any more but a run to come; it goes as soon as that is done."""
        return pk in self._planned and self._planned[pk].trigger is None


def load(now: datetime) -> tuple[Planned, ...]:
    """Read every job that is scheduled, or was and is owed a run."""
    return _wanted(_plan_all(_scheduled(), now))


def peek(now: datetime) -> tuple[Planned, ...]:
    """Read what `load` reads, and change nothing: a job that was changed a moment ago may be told by its old times."""
    return _wanted(_as_planned(row, plan_of(row), now) for row in list(_scheduled().defer("broken")))


def due(row: Job, trigger: BaseTrigger | None, now: datetime) -> Overdue | None:
    """Give what this job owes a run at this moment; None when nothing. A trigger that breaks adds nothing to it."""
    try:
        return owed(row, trigger, now)
    except TriggerError:
        return _known_due(row, now)


def owed(row: Job, trigger: BaseTrigger | None, now: datetime) -> Overdue | None:
    """Return what `due` does, of a trigger that can be asked.

    Raises:
        TriggerError: it cannot.
    """
    found = overdue(trigger, row.owed_since, now) if trigger else None
    if row.next_run_at is None or row.next_run_at > min(row.owed_since, now):
        return found
    # Due under a schedule that was changed since: nobody has run it yet.
    before = max(1, row.owed_before)
    if found is None:
        return Overdue(latest=row.next_run_at, coalesced=before - 1)
    return Overdue(latest=found.latest, coalesced=found.coalesced + before)


def _known_due(row: Job, now: datetime) -> Overdue | None:
    if row.next_run_at is None or row.next_run_at > now:
        return None
    before = max(1, row.owed_before) if row.next_run_at <= row.owed_since else 1
    return Overdue(latest=row.next_run_at, coalesced=before - 1)


def note(name: str, key: str, error: TriggerError, now: datetime) -> None:
    """Record that the trigger of a job broke in the loop, if it is still scheduled by it."""
    row = _scheduled().filter(name=name).first()
    if row is not None and _key(row, plan := plan_of(row)) == key:
        note_broken(row, plan, error, now)


def _scheduled() -> QuerySet[Job]:
    return Job.objects.using(conf.load().database).filter(removed_at=None)


def _plan(ids: Sequence[int], start: int, now: datetime, retry: Container[int]) -> list[Planned]:
    return _plan_all(_scheduled().filter(pk__in=ids[start : start + BATCH]), now, retry)


def _plan_all(rows: QuerySet[Job], now: datetime, retry: Container[int] = ()) -> list[Planned]:
    """Plan these jobs.

    Args:
        retry: the jobs of which a trigger that broke is asked again.
    """
    return [_planned(row, now, row.pk in retry) for row in list(rows.defer("description"))]


def _wanted(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    return tuple(item for item in planned if item.trigger or item.due)


def _planned(row: Job, now: datetime, retry: bool) -> Planned:
    plan, told = plan_of(row), row.trigger_error
    settle(row, plan, now, retry=retry)
    if told and not row.trigger_error:
        logger.info("job %s: its trigger answers again, so it is scheduled from now on", row.name)
    _follow_clock(row, plan, now)
    planned = _as_planned(row, plan, now)
    if planned.error is None:
        return planned
    note_broken(row, plan, planned.error, now)
    return _as_planned(row, plan, now)


def _as_planned(row: Job, plan: JobPlan, now: datetime) -> Planned:
    error, trigger = None, trigger_of(plan, row, now) if plan.enabled.value else None
    try:
        next_run_at = next_fire(trigger, max(row.owed_since, now)) if trigger else None
        found = owed(row, trigger, now)
    except TriggerError as refusal:
        error, trigger, next_run_at, found = refusal, None, None, _known_due(row, now)
    return Planned(
        job_id=row.pk,
        name=row.name,
        key=_key(row, plan),
        queue=plan.queue.value,
        trigger=trigger,
        next_run_at=next_run_at,
        due=found,
        is_broken=bool(row.trigger_error),
        error=error,
    )


def _key(row: Job, plan: JobPlan) -> str:
    # A row that was deleted and made again is another, though its schedule is the same.
    key = f"{row.pk} {row.schedule_key} {plan.queue.value}".rstrip()
    return f"{key} broken" if row.trigger_error else key


def _follow_clock(row: Job, plan: JobPlan, now: datetime) -> None:
    """Begin the grid of an interval anew when the clock was set back behind its last fire time."""
    is_interval = isinstance(plan.schedule.value, schedules.Interval)
    if not is_interval or row.last_fire_at is None or row.last_fire_at <= now:
        return
    row.last_fire_at = row.owed_since = now
    using = conf.load().database
    Job.objects.using(using).filter(pk=row.pk).update(last_fire_at=now, owed_since=now)
