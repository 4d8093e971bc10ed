"""What a run waited for between its fire time and its start: the runs before it, or a runner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from . import conf
from .models import Run, Runner, Status

LOOKED_AT: Final = 5_000  # runs that were due before the start; those that kept it waiting are among the last of them
NOTHING: Final = timedelta(0)
ON_TIME: Final = timedelta(seconds=1)  # a wait that is shorter is not worth an explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A run that the worker was busy with, and from when to when."""

    run_id: int
    job_id: int
    name: str
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How long a run waited while one other job ran."""

    job_id: int
    name: str
    took: timedelta
    run_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How long a run waited, and for what."""

    late: timedelta
    behind: tuple[Behind, ...]  # in the order in which they ran
    without_runner: timedelta  # what passed until the runner that started it became the runner
    unknown: timedelta
    for_hand_over: timedelta = NOTHING  # until it was handed over to the engine
    for_worker: timedelta = NOTHING  # from then until a worker took it up


def explain(run: Run, now: datetime) -> Wait | None:
    """Say what a run waited for, or has waited for so far; None for one that was on time or never started."""
    end = run.started_at or (now if run.status == Status.QUEUED else None)
    if end is None or end - run.scheduled_for < ON_TIME:
        return None
    if run.queue:
        return handed(run.scheduled_for, run.handed_at, end)
    return account(run.scheduled_for, end, _busy(run, end), _runner_since(run))


def handed(begin: datetime, handed_at: datetime | None, end: datetime) -> Wait:
    """Share out the time of a run with a queue: it waits for no other job, but for a worker of the engine."""
    late = end - begin
    before = late if handed_at is None else min(late, max(NOTHING, handed_at - begin))
    return Wait(
        late=late, behind=(), without_runner=NOTHING, unknown=NOTHING, for_hand_over=before, for_worker=late - before
    )


def account(begin: datetime, end: datetime, busy: Sequence[Busy], runner_since: datetime | None) -> Wait:
    """Share out the time between two moments among what filled it.

    Args:
        busy: what the worker did, in order and one at a time.
        runner_since: when the runner became one, where that is known.
    """
    parts = [part for part in (_part(one, begin, end) for one in busy) if part[1] > timedelta(0)]
    free = end - begin - sum((took for _one, took in parts), timedelta(0))
    ready = min(end, max(begin, runner_since or begin))
    before = sum((_part(one, begin, ready)[1] for one, _took in parts), timedelta(0))
    without_runner = max(timedelta(0), ready - begin - before)
    return Wait(
        late=end - begin,
        behind=_by_job(parts),
        without_runner=without_runner,
        unknown=max(timedelta(0), free - without_runner),
    )


def _part(one: Busy, begin: datetime, end: datetime) -> tuple[Busy, timedelta]:
    """Give how much of a run lies between two moments."""
    return one, max(timedelta(0), min(one.end, end) - max(one.begin, begin))


def _by_job(parts: Iterable[tuple[Busy, timedelta]]) -> tuple[Behind, ...]:
    found: dict[int, Behind] = {}
    for one, took in parts:
        known = found.get(one.job_id)
        found[one.job_id] = Behind(
            job_id=one.job_id,
            name=one.name,
            took=took + (known.took if known else timedelta(0)),
            run_ids=(*(known.run_ids if known else ()), one.run_id),
        )
    return tuple(found.values())


def _busy(run: Run, end: datetime) -> tuple[Busy, ...]:
    """Give the runs that the worker executed while this one waited, of those that were due last before its start.

    The end of an abandoned run is not known, only when that was noticed.
    """
    executed = Q(finished_at__gt=run.scheduled_for) | Q(status=Status.RUNNING)
    rows = _lately(end).filter(executed, started_at__lt=end).exclude(pk=run.pk)
    rows = rows.exclude(status=Status.ABANDONED).filter(queue="")  # what is handed over keeps nothing waiting
    columns = ("pk", "job_id", "job__name", "started_at", "finished_at")
    return tuple(
        Busy(run_id=pk, job_id=job_id, name=name, begin=begin, end=finished or end)
        for pk, job_id, name, begin, finished in rows.order_by("started_at", "pk").values_list(*columns)
    )


def _lately(end: datetime) -> QuerySet[Run]:
    """Give the runs due last before a moment, which an index leads to."""
    rows = Run.objects.using(conf.load().database).filter(scheduled_for__lte=end)
    moments = rows.order_by("-scheduled_for", "-id").values_list("scheduled_for", flat=True)
    oldest = moments[LOOKED_AT - 1 : LOOKED_AT].first()
    return rows if oldest is None else rows.filter(scheduled_for__gte=oldest)


def _runner_since(run: Run) -> datetime | None:
    """Give since when the runner that started this run is one, if it still is; for a queued run, that of now."""
    row = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW).exclude(token="").first()
    if row is None or (run.status != Status.QUEUED and not run.marker.startswith(f"{row.token}/")):
        return None
    since: datetime | None = row.since
    return since
