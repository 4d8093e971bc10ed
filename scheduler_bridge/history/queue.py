"""Runs that are asked for by hand or chained, until the runner takes them up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..models import Cause, Job, Run, Status
from .firing import Queued
from .rows import runs, using


def enqueue(job: Job, now: datetime, *, requested_by: str, delay: timedelta, forced: bool) -> Run:
    """Queue a run that a person or a program asks for."""
    return runs().create(
        job=job,
        status=Status.QUEUED,
        cause=Cause.MANUAL,
        requested_by=requested_by[:150],
        scheduled_for=now + delay,
        forced=forced,
    )


def chain(run: Run, names: Sequence[str], now: datetime) -> None:
    jobs = Job.objects.using(using()).filter(name__in=names, removed_at=None)
    order = {name: place for place, name in enumerate(names)}
    for job in sorted(jobs, key=lambda row: order[row.name]):
        runs().create(
            job=job,
            status=Status.QUEUED,
            cause=Cause.CHAIN,
            parent=run,
            scheduled_for=now,
            claim_key=f"{job.pk}<{run.pk}",
        )


def queued() -> tuple[Queued, ...]:
    """Give the runs that wait, the oldest first."""
    rows = runs().filter(status=Status.QUEUED).order_by("id").only("job__name", "cause", "scheduled_for", "job_id")
    return tuple(as_queued(row) for row in rows.select_related("job"))


def as_queued(row: Run) -> Queued:
    return Queued(
        run_id=row.pk,
        job_id=row.job_id,
        name=row.job.name,
        cause=Cause(row.cause),
        scheduled_for=row.scheduled_for,
    )
