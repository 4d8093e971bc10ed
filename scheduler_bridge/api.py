"""What programs may ask of the scheduler; nothing here runs a job, the runner does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from django.db import transaction

from . import changes, conf, history, holds, registry
from .exceptions import CannotCancel, JobDisabled, NothingToSkip, UnknownJob, UnknownRun
from .history import PRIORITY, Firing
from .models import Cause, Job, Run, Status

__all__ = [
    "Pending",
    "announce_change",
    "cancel",
    "hold",
    "pending",
    "reset_failure",
    "resume",
    "run_now",
    "skip_next",
    "undo_skip_next",
]

LEAD: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A run that would start if nothing kept the runner from it."""

    job_id: int
    name: str
    cause: Cause
    due_at: datetime
    coalesced: int
    next_run_at: datetime | None
    run_id: int | None = None  # the queued run, for one asked for by hand or chained
    queue: str = ""  # of the engine that it is handed over to, instead of waiting for the runner's worker


def run_now(name: str, *, delay: timedelta | None = None, force: bool = False, requested_by: str | None = None) -> Run:
    """Queue a run of this job for the runner and give its row.

    Args:
        name: the job's name, "app.command".
        delay: how long it waits before it may start; None means not at all.
        force: run it even if it is disabled, and without asking its ``should_run``.
        requested_by: who asks, for the history.

    Raises:
        UnknownJob: no job has this name, or its command was removed.
        JobDisabled: the job is disabled and ``force`` is not given.
    """
    job = _job(name)
    if not job.enabled and not force:
        raise JobDisabled(f"{name} is disabled; enable it or force the run")
    run = history.enqueue(job, _now(), requested_by=requested_by or "", delay=delay or timedelta(0), forced=force)
    changes.announce()
    return run


def cancel(run_id: int, *, by: str = "") -> Status:
    """Take a queued run out, or let the runner end the processes of a running one.

    Gives ``CANCELLED`` when the run was queued and is taken out, ``RUNNING`` when its processes are being ended.

    Args:
        by: who asks, for the history.

    Raises:
        UnknownRun: no run has this number.
        CannotCancel: it goes on inside the runner, which cannot be interrupted, or it has ended already.
    """
    run, now = history.find(run_id), _now()
    if run is None:
        raise UnknownRun(f"expected the number of a run, got: {run_id!r}")
    if history.take_out(run_id, by, now):
        changes.announce()
        return Status.CANCELLED
    if registry.plan_of(run.job).definition.internal:
        raise CannotCancel(f"run {run_id} of {run.job.name} goes on inside the runner, where it cannot be ended")
    if not history.ask_to_end(run_id, by, now):
        raise CannotCancel(f"run {run_id} of {run.job.name} has ended already")
    changes.announce()
    return Status.RUNNING


def hold(reason: str = "", *, by: str = "", until: datetime | None = None) -> None:
    """Let the runner start nothing more until `resume`; what runs goes on.

    Args:
        until: an aware moment at which the runner resumes by itself.

    Raises:
        ValueError: ``until`` is past, or has no time zone.
    """
    now = _now()
    if until is not None and (until.tzinfo is None or until <= now):
        raise ValueError(f"expected an aware moment to come as the end of a hold, got: {until!r}")
    holds.begin(history.one_line(reason), by[:150], until, now)
    changes.announce()


def resume(pending: Literal["run", "skip"] = "run", *, skip: Collection[str] = ()) -> None:
    """End a hold: what became due meanwhile runs, once a job, or is recorded as skipped.

    Args:
        skip: the jobs whose due runs are recorded as skipped while those of the others run.

    Raises:
        ValueError: ``pending`` is neither "run" nor "skip".
    """
    if pending not in {"run", "skip"}:
        raise ValueError(f'expected pending to be "run" or "skip", got: {pending!r}')
    using, now = conf.load().database, _now()
    with transaction.atomic(using=using):
        for item in _pending(now) if pending == "skip" or skip else ():
            if pending == "skip" or item.name in skip:
                _skip(item, now)
        holds.end(now)
    changes.announce()


def pending(now: datetime) -> tuple[Pending, ...]:
    """Give what is due or queued, in the order in which the worker would take it up."""
    due = (item for item in _pending(now, registry.peek(now)) if item.due_at <= now)
    return tuple(sorted(due, key=lambda item: (PRIORITY[item.cause], item.due_at)))


def skip_next(name: str, *, by: str = "") -> datetime:
    """Leave out the next fire time of this job, which is recorded as skipped then; give that fire time.

    What is due within two seconds may have begun already, so it is the one after that.

    Raises:
        UnknownJob: no job has this name, or its command was removed.
        NothingToSkip: it has no fire time to come.
    """
    row, now = _job(name), _now()
    plan = registry.plan_of(row)
    trigger = registry.trigger_of(plan, row, now) if plan.enabled.value else None
    fire_time = registry.following(trigger, max(row.owed_since, now + LEAD))
    if fire_time is None:
        raise NothingToSkip(f"{name} has no fire time to come that could be left out")
    Job.objects.using(conf.load().database).filter(pk=row.pk).update(skip_next_at=fire_time, skip_next_by=by[:150])
    return fire_time


def undo_skip_next(name: str) -> bool:
    """Let the next fire time run after all; False when none was to be left out."""
    rows = Job.objects.using(conf.load().database).filter(name=name, skip_next_at__isnull=False)
    return rows.update(skip_next_at=None, skip_next_by="") == 1


def reset_failure(name: str) -> bool:
    """Take the failures of this job as dealt with; False when it does not fail."""
    return history.forget(name)


def announce_change() -> None:
    """Tell a running runner to look again, after a change that no signal of Django's told of."""
    changes.announce()


def _job(name: str) -> Job:
    job = Job.objects.using(conf.load().database).filter(name=name, removed_at=None).first()
    if job is None:
        raise UnknownJob(f"expected the name of a job, got: {name!r}")
    return job


def _pending(now: datetime, planned: Collection[registry.Planned] | None = None) -> list[Pending]:
    """Give what is owed by schedule, then what is queued."""
    owed = [
        Pending(
            job_id=item.job_id,
            name=item.name,
            cause=Cause.SCHEDULE,
            due_at=item.due.latest,
            coalesced=item.due.coalesced,
            next_run_at=item.next_run_at,
            queue=item.queue,
        )
        for item in (registry.load(now) if planned is None else planned)
        if item.due is not None
    ]
    return owed + [
        Pending(
            job_id=run.job_id,
            name=run.name,
            cause=run.cause,
            due_at=run.scheduled_for,
            coalesced=0,
            next_run_at=None,
            run_id=run.run_id,
            queue=run.queue,
        )
        for run in history.all_queued()
    ]


def _skip(item: Pending, now: datetime) -> None:
    firing = Firing(
        job_id=item.job_id,
        name=item.name,
        cause=item.cause,
        fire_time=item.due_at,
        coalesced=item.coalesced,
        run_id=item.run_id,
    )
    history.skip_covered(firing, "skipped when the hold ended", now, item.next_run_at)


def _now() -> datetime:
    return datetime.now(UTC)
