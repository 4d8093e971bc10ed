"""Runs that are handed over to an engine, as the runner sees them: recorded before, watched, and told of at the end.

``Job.handed_run_id`` is the one run of a job that is handed over and open: while it is set no other run of the job
starts, here or anywhere. ``Run.hand_at`` says when the runner looks at a run that was handed over: at one that waits to
hand it over again, at one that has ended to tell of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce

from .. import lease
from ..lease import Identity
from ..models import OPEN_STATUSES, Cause, Job, Report, Run, Status
from ..models.fields import InstantField
from .claim import cover, recorded, scheduled
from .firing import Firing, Queued
from .queue import waiting
from .rows import runs, using

AT_ONCE: Final = datetime(1970, 1, 2, tzinfo=UTC)  # past by any clock, in any zone
MOST: Final = 1000  # rows of one look


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """A run that was handed over and is to be looked at."""

    run_id: int
    job_id: int
    name: str
    cause: Cause
    fire_time: datetime
    status: Status
    reason: str
    queue: str
    tries: int  # how often it was handed over
    owes_mail: bool
    handed_at: datetime | None = None  # since when it waits for a worker
    at_once: bool = False  # somebody wants it to be looked at, whatever the engine may be about to do
    to_come: bool = False  # workers are busy with what was handed over before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """The last sign of life of the worker that performs a run."""

    run_id: int
    heartbeat_at: datetime | None
    queue: str


def hand_over(firing: Firing, me: Identity, queue: str, again_at: datetime, next_run_at: datetime | None) -> int | None:
    """Record a run that a worker is to take up; None when the job is busy, or its fire time is accounted for.

    Args:
        again_at: when it is handed over if this process ends before it has told the engine.

    Raises:
        LeaseLost: another process is the runner now.
    """

    def step() -> int | None:
        with transaction.atomic(using=using()):
            lease.confirm(me)
            run_id = _record(firing, queue, again_at, next_run_at)
            if run_id is None or not _reserve(firing.job_id, run_id):
                transaction.set_rollback(True, using=using())
                return None
            return run_id

    return recorded(step, firing, next_run_at)


def _record(firing: Firing, queue: str, again_at: datetime, next_run_at: datetime | None) -> int | None:
    handed = {"queue": queue, "hand_at": again_at, "handed_at": datetime.now(UTC)}
    if firing.run_id is not None:
        waiting = runs().filter(pk=firing.run_id, status=Status.QUEUED, hand_at=None)
        return firing.run_id if waiting.update(**handed) else None
    if not cover(firing, next_run_at, free=True):
        return None
    return runs().create(**scheduled(firing), **handed, status=Status.QUEUED).pk


def _reserve(job_id: int, run_id: int) -> bool:
    """Make this the one open run of the job; False when another goes on, here or handed over."""
    reserved = Job.objects.using(using()).filter(pk=job_id, handed_run_id=None).update(handed_run_id=run_id)
    return bool(reserved) and not runs().filter(job_id=job_id, status=Status.RUNNING).exists()


def is_busy(job_id: int) -> bool:
    """Tell whether a run of this job goes on, here or handed over."""
    reserved = Job.objects.using(using()).filter(pk=job_id, handed_run_id__isnull=False)
    return reserved.exists() or runs().filter(job_id=job_id, status=Status.RUNNING).exists()


def untaken(run_id: int) -> QuerySet[Run]:
    """Give this run while it is handed over and no worker has taken it up."""
    return runs().filter(pk=run_id, status=Status.QUEUED, hand_at__isnull=False)


def handed(run_id: int, again_at: datetime) -> None:
    """Note that the engine was told of this run, and when it is told again if no worker has taken it up."""
    since = Coalesce("handed_at", Value(datetime.now(UTC), output_field=InstantField()))
    untaken(run_id).update(hand_at=again_at, hand_tries=F("hand_tries") + 1, handed_at=since)


def postpone(run_id: int, again_at: datetime) -> None:
    """Note when the engine may have to be told again of a run that it was not told of now."""
    untaken(run_id).update(hand_at=again_at)


def keep(run_id: int) -> Queued | None:
    """Let the runner perform a waiting run itself, whose job has no queue any more; None when it waits no more."""
    with transaction.atomic(using=using()):
        Job.objects.using(using()).filter(handed_run_id=run_id).update(handed_run_id=None)
        kept = runs().filter(pk=run_id, status=Status.QUEUED).update(queue="", hand_at=None, handed_at=None)
    return next(iter(waiting(runs().filter(pk=run_id))), None) if kept else None


def redirect(run_id: int, queue: str) -> None:
    """Let a waiting run go to another queue, as its job does now."""
    runs().filter(pk=run_id, status=Status.QUEUED).update(queue=queue, handed_at=datetime.now(UTC))


def look_again(job_id: int) -> None:
    """Let the runner look at once at a run of this job that was handed over and waits."""
    runs().filter(job_id=job_id, status=Status.QUEUED, hand_at__isnull=False).update(hand_at=AT_ONCE)


def is_any_handed() -> bool:
    """Tell whether a run is handed over that has not ended, or was not told of."""
    jobs = Job.objects.using(using()).filter(handed_run_id__isnull=False)
    return jobs.exists() or runs().filter(hand_at__isnull=False).exists()


def to_look_at(now: datetime | None) -> list[Away]:
    """Give the runs that have ended and were not told of, and those that are to be handed over again.

    Args:
        now: the moment up to which runs wait to be handed over again; None: only what is to be looked at at once.
    """
    rows = runs().filter(hand_at__lte=now or AT_ONCE).select_related("job").defer("output", "warning")
    return [_away(run) for run in rows.order_by("hand_at", "pk")[:MOST]]


def _away(run: Run) -> Away:
    return Away(
        run_id=run.pk,
        job_id=run.job_id,
        name=run.job.name,
        cause=Cause(run.cause),
        fire_time=run.scheduled_for,
        status=Status(run.status),
        reason=run.reason,
        queue=run.queue,
        tries=run.hand_tries,
        owes_mail=run.report == Report.DUE,
        handed_at=run.handed_at,
        at_once=run.hand_at == AT_ONCE,
    )


def chained_after(run_ids: Collection[int]) -> dict[int, tuple[Queued, ...]]:
    """Give the runs that wait because one of these ended, by the run that ended."""
    parents = dict(runs().filter(parent__in=run_ids, status=Status.QUEUED).values_list("pk", "parent_id"))
    found: dict[int, tuple[Queued, ...]] = {}
    for item in waiting(runs().filter(pk__in=parents)):
        parent = parents[item.run_id] or 0
        found[parent] = (*found.get(parent, ()), item)
    return found


def told(run_ids: Collection[int]) -> None:
    """Note that the end of these runs was told of."""
    runs().filter(pk__in=run_ids).exclude(status__in=OPEN_STATUSES).update(hand_at=None)


def signs() -> list[Sign]:
    """Give the signs of life of the runs that workers perform."""
    rows = runs().filter(status=Status.RUNNING).exclude(queue="").values_list("pk", "heartbeat_at", "queue")
    return [Sign(run_id=pk, heartbeat_at=moment, queue=queue) for pk, moment, queue in rows]


def lost(sign: Sign) -> Run | None:
    """Give a run whose worker gave no further sign; None when it did, or when it has ended."""
    rows = runs().select_related("job").defer("output")
    return rows.filter(pk=sign.run_id, status=Status.RUNNING, heartbeat_at=sign.heartbeat_at).first()


def release(job_id: int, run_id: int) -> None:
    """Let the job go on after its handed-over run has ended, and the runner tell of it; part of the caller's record."""
    Job.objects.using(using()).filter(pk=job_id, handed_run_id=run_id).update(handed_run_id=None)
    runs().filter(pk=run_id).update(hand_at=AT_ONCE)


def release_lost() -> None:
    """Let jobs go on whose handed-over run was deleted, or closed by a statement that is not ours."""
    open_runs = runs().filter(pk=OuterRef("handed_run_id"), status__in=OPEN_STATUSES).order_by()
    lost = Job.objects.using(using()).filter(~Exists(open_runs), handed_run_id__isnull=False).order_by()
    for job_id, run_id in lost.values_list("pk", "handed_run_id"):
        release(job_id, run_id or 0)
