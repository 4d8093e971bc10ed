"""What a run waited for between its fire time and its start: the runs before it, the end of a hold, or a runner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from . import conf, holds
from .models import Hold, Run, Runner, Status

LOOKED_AT: Final = 5_000  # runs that were due before the start; those that kept it waiting are among the last of them
NOTHING: Final = timedelta(0)
ON_TIME: Final = timedelta(seconds=1)  # a wait that is shorter is not worth an explanation
Span = tuple[datetime, datetime]


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
class OnHold:
    """How long a run waited while the runner was on hold."""

    took: timedelta
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How long a run waited, and for what."""

    late: timedelta
    behind: tuple[Behind, ...]  # in the order in which they ran
    without_runner: timedelta  # what passed until the runner that started it became the runner
    unknown: timedelta
    for_hand_over: timedelta = NOTHING  # until it was handed over to the engine
    for_worker: timedelta = NOTHING  # from then until a worker took it up
    on_hold: tuple[OnHold, ...] = ()  # in their order; what the worker did meanwhile is not in it


def explain(run: Run, now: datetime) -> Wait | None:
    """Say what a run waited for, or has waited for so far; None for one that was on time or never started."""
    end = run.started_at or (now if run.status == Status.QUEUED else None)
    if end is None or end - run.scheduled_for < ON_TIME:
        return None
    held = holds.between(run.scheduled_for, end)
    if run.queue:
        return handed(run.scheduled_for, run.handed_at, end, held)
    return account(run.scheduled_for, end, _busy(run, end), _runner_since(run), held)


def handed(begin: datetime, handed_at: datetime | None, end: datetime, held: Sequence[Hold] = ()) -> Wait:
    """Share out the time of a run with a queue: it waits for no other job, but for a worker of the engine."""
    moment = end if handed_at is None else min(end, max(begin, handed_at))
    on_hold, free = _on_hold([(begin, end)], held, end)
    return Wait(
        late=end - begin,
        behind=(),
        without_runner=NOTHING,
        unknown=NOTHING,
        for_hand_over=_length(_inside(free, begin, moment)),
        for_worker=_length(_inside(free, moment, end)),
        on_hold=on_hold,
    )


def account(
    begin: datetime,
    end: datetime,
    busy: Sequence[Busy],
    runner_since: datetime | None,
    held: Sequence[Hold] = (),
) -> Wait:
    """Share out the time between two moments among what filled it.

    Args:
        busy: what the worker did, in order and one at a time.
        runner_since: when the runner became one, where that is known.
        held: when the runner was on hold.
    """
    took = ((one, _length(_inside([(begin, end)], one.begin, one.end))) for one in busy)
    parts = [part for part in took if part[1] > NOTHING]
    free = [(begin, end)]
    for one in busy:
        free = _outside(free, one.begin, one.end)
    on_hold, free = _on_hold(free, held, end)
    ready = min(end, max(begin, runner_since or begin))
    return Wait(
        late=end - begin,
        behind=_by_job(parts),
        without_runner=_length(_inside(free, begin, ready)),
        unknown=_length(_inside(free, ready, end)),
        on_hold=on_hold,
    )


def _on_hold(free: list[Span], held: Sequence[Hold], end: datetime) -> tuple[tuple[OnHold, ...], list[Span]]:
    """Give what of this time the runner was on hold, and what is left of it."""
    found = []
    for hold in held:
        until = hold.ended_at or end
        if took := _length(_inside(free, hold.begun_at, until)):
            found.append(OnHold(took=took, by=hold.by, reason=hold.reason))
        free = _outside(free, hold.begun_at, until)
    return tuple(found), free


def _inside(spans: Iterable[Span], begin: datetime, end: datetime) -> list[Span]:
    """Give what of some spans lies between two moments."""
    cut = ((max(first, begin), min(last, end)) for first, last in spans)
    return [(first, last) for first, last in cut if first < last]


def _outside(spans: Iterable[Span], begin: datetime, end: datetime) -> list[Span]:
    """Give what of some spans does not lie between two moments."""
    if begin >= end:
        return list(spans)
    cut = (part for first, last in spans for part in ((first, min(last, begin)), (max(first, end), last)))
    return [(first, last) for first, last in cut if first < last]


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((last - first for first, last in spans), NOTHING)


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
