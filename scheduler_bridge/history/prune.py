"""Deleting old history."""

from datetime import datetime, timedelta
from typing import Final

from ..models import Job, Report, Run
from .rows import runs, using

PRUNE_BATCH: Final = 1000


def prune(now: datetime, age: timedelta, keep: int) -> int:
    """Delete closed runs that are older than ``age``, but never the newest ``keep`` of a job; give their number.

    A run whose mail is not out yet stays.
    """
    return sum(_prune_job(pk, now - age, keep) for pk in Job.objects.using(using()).values_list("pk", flat=True))


def _prune_job(job_id: int, before: datetime, keep: int) -> int:
    history = runs().filter(job_id=job_id)
    oldest_kept = history.order_by("-id").values_list("id", flat=True)[keep - 1 : keep].first() if keep else None
    old = history.filter(finished_at__lt=before).exclude(report=Report.DUE)
    if keep:
        if oldest_kept is None:
            return 0
        old = old.filter(id__lt=oldest_kept)
    deleted = 0
    while ids := list(old.order_by("id").values_list("id", flat=True)[:PRUNE_BATCH]):
        deleted += runs().filter(id__in=ids).delete()[1].get(Run._meta.label, 0)
    return deleted
