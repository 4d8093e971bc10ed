"""Runs that are asked for by hand or chained, until the runner takes them up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from ..models import Cause, Job, Run, Status
from ..registry import ROUTING, queue_of
from .claim import alone
from .firing import Queued
from .mending import insisted
from .rows import runs, using


def enqueue(job: Job, now: datetime, *, requested_by: str, delay: timedelta, forced: bool) -> Run:
    """Queue a run that a person or a program asks for."""

    def step() -> Run:
        with alone():
            return runs().create(
                job=job,
                status=Status.QUEUED,
                cause=Cause.MANUAL,
                requested_by=requested_by[:150],
                scheduled_for=now + delay,
                forced=forced,
                queue=queue_of(job),
            )

    return insisted(step, [job.name])


def chain(run: Run, names: Sequence[str], now: datetime) -> tuple[Queued, ...]:
    """Queue a run of each of these jobs after this run."""
    jobs = Job.objects.using(using()).filter(name__in=names, removed_at=None).only(*ROUTING)
    rows = [
        runs().create(
            job=job,
            status=Status.QUEUED,
            cause=Cause.CHAIN,
            parent=run,
            scheduled_for=now,
            claim_key=f"{job.pk}<{run.pk}",
            queue=queue_of(job),
        )
        for job in sorted(jobs, key=lambda row: names.index(row.name))
    ]
    return tuple(_queued(row.pk, row.job_id, row.job.name, row.cause, row.scheduled_for, row.queue) for row in rows)


def chained(run: Run) -> tuple[Queued, ...]:
    """Give the runs that wait because this one ended."""
    return waiting(runs().filter(parent=run))


def all_queued() -> tuple[Queued, ...]:
    """Give the runs that wait, for the runner or for a worker of an engine, the oldest first."""
    return _values(runs())


def queued() -> tuple[Queued, ...]:
    """Give the runs that wait for the runner, the oldest first; not those that are handed over already."""
    return waiting(runs())


def waiting(rows: QuerySet[Run]) -> tuple[Queued, ...]:
    """Give those of these runs that wait for the runner."""
    return _values(rows.filter(hand_at=None))


def _values(rows: QuerySet[Run]) -> tuple[Queued, ...]:
    columns = ("pk", "job_id", "job__name", "cause", "scheduled_for", "queue")
    found = rows.filter(status=Status.QUEUED).order_by("id").values_list(*columns)
    return tuple(_queued(*values) for values in found)


def _queued(run_id: int, job_id: int, name: str, cause: str, scheduled_for: datetime, queue: str) -> Queued:
    return Queued(run_id=run_id, job_id=job_id, name=name, cause=Cause(cause), scheduled_for=scheduled_for, queue=queue)
