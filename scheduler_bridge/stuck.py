"""Jobs that are due and could start, and do not: the net under every fault that keeps a job from running in silence.

The runner records why it starts nothing: another run goes on, a hold, a run that was dispatched to a task queue. A job
that has been due for a minute without any of these is stuck, whatever the cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max, Q, QuerySet

from . import conf, holds, registry
from .models import Cause, Job, Run, Runner, Status

PATIENCE: Final = timedelta(minutes=1)
# A run that was due so much later than another one, and started nevertheless, has passed it.
MARGIN: Final = timedelta(seconds=1)
LIMIT: Final = 100  # overdue jobs that are examined, the longest overdue first


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckJob:
    """A job that should have started."""

    name: str
    due_at: datetime
    run_id: int | None = None  # the queued run; None: a fire time of its schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overdue:
    """A job that has been due for a while."""

    name: str
    due_at: datetime
    run_id: int | None
    is_dispatched: bool  # its runs go to a task queue

    def reported(self) -> StuckJob:
        return StuckJob(name=self.name, due_at=self.due_at, run_id=self.run_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """What the runner was seen to do lately."""

    since: datetime  # when it became the runner, or the last hold ended
    is_busy: bool  # a run goes on in the runner's own worker
    last_at: datetime | None  # the last start or end of a run
    dispatched_at: datetime | None  # the last run sent to a task queue
    reached: datetime | None  # the latest fire time that it has started

    def is_stuck(self, item: _Overdue, now: datetime) -> bool:
        startable_since = max(item.due_at, self.since)
        if not is_long(startable_since, now):
            return False
        if item.is_dispatched:
            return _is_over(self.dispatched_at, now)
        is_passed = self.reached is not None and self.reached > startable_since + MARGIN
        return is_passed or (not self.is_busy and _is_over(self.last_at, now))


def stuck_jobs(now: datetime, name: str | None = None) -> tuple[StuckJob, ...]:
    """Return the jobs that a living runner should have started, the longest overdue first.

    Two statements while no job is overdue; nothing is stuck while there is no runner, or on hold.

    Args:
        name: only this job.
    """
    items = sorted((*_jobs(now, name), *_runs(now, name)), key=lambda item: item.due_at)[:LIMIT]
    progress = _progress(items[0].due_at, now) if items else None
    if progress is None:
        return ()
    return tuple(item.reported() for item in items if progress.is_stuck(item, now))


def is_long(since: datetime, now: datetime) -> bool:
    """Return whether a job that has been startable since then is stuck, as far as time goes."""
    return now - since >= PATIENCE


def _is_over(moment: datetime | None, now: datetime) -> bool:
    return moment is None or is_long(moment, now)


def _jobs(now: datetime, name: str | None) -> Iterator[_Overdue]:
    """Yield the jobs with an overdue fire time of which no run is dispatched."""
    rows = Job.objects.using(conf.load().database).filter(removed_at=None, enabled=True, handed_run_id=None)
    rows = rows.filter(next_run_at__lte=now - PATIENCE, **({} if name is None else {"name": name}))
    for row in rows.only("next_run_at", *registry.ROUTING).order_by("next_run_at")[:LIMIT]:
        yield _Overdue(name=row.name, due_at=row.next_run_at, run_id=None, is_dispatched=bool(registry.queue_of(row)))


def _runs(now: datetime, name: str | None) -> Iterator[_Overdue]:
    """Yield the queued runs that are overdue, without those whose job is busy with a dispatched run."""
    rows = _all_runs().filter(status=Status.QUEUED, hand_at=None, job__handed_run_id=None)
    rows = rows.filter(scheduled_for__lte=now - PATIENCE, **({} if name is None else {"job__name": name}))
    columns = ("pk", "job__name", "scheduled_for", "queue")
    for run_id, job, due_at, queue in rows.order_by("scheduled_for").values_list(*columns)[:LIMIT]:
        yield _Overdue(name=job, due_at=due_at, run_id=run_id, is_dispatched=bool(queue))


def _progress(overdue_since: datetime, now: datetime) -> _Progress | None:
    """Return what the runner did since then; None where it has to start nothing."""
    using = conf.load().database
    runner = Runner.objects.using(using).filter(pk=Runner.ROW, held=False).exclude(token="").first()
    if runner is None or runner.since is None:
        return None
    ended = [hold.ended_at for hold in holds.between(overdue_since, now) if hold.ended_at is not None]
    own = Q(last_run__queue="")
    last = Job.objects.using(using).aggregate(
        ended=Max("last_run__finished_at", filter=own),
        begun=Max("last_run__started_at", filter=own),
        dispatched=Max("last_run__handed_at"),
    )
    passed = _all_runs().filter(scheduled_for__gt=overdue_since, started_at__isnull=False, queue="")
    # A run that stands for several fire times may have taken its place with the first of them.
    passed = passed.filter(cause=Cause.SCHEDULE, coalesced=0).order_by("-scheduled_for", "-id")
    return _Progress(
        since=max((runner.since, *ended)),
        is_busy=_all_runs().filter(status=Status.RUNNING, queue="").exists(),
        last_at=max((moment for moment in (last["ended"], last["begun"]) if moment is not None), default=None),
        dispatched_at=last["dispatched"],
        reached=passed.values_list("scheduled_for", flat=True).first(),
    )


def _all_runs() -> QuerySet[Run]:
    return Run.objects.using(conf.load().database)
