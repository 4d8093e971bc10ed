"""Deleting old history, a little at a time, so that no other writer waits for it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from django.db.models import OuterRef, Q, Subquery

from .. import ledger
from ..models import Job, Report, Run
from .rows import runs, using

LOOKED_AT: Final = 10_000  # old runs looked at in one statement
PRUNE_BATCH: Final = 500  # runs deleted in one transaction


def prune(now: datetime, age: timedelta, keep: int) -> int:
    """Delete closed runs that are older than ``age``, but never the newest ``keep`` of a job; give their number.

    A run whose mail is not out yet stays. Of the ledger everything older goes.
    """
    oldest_kept = _oldest_kept(keep) if keep else {}
    # Of a job that is not named all runs are kept, or none when nothing is.
    doomed = (pk for pk, job_id in _old(now - age) if not keep or pk < oldest_kept.get(job_id, 0))
    deleted = 0
    while ids := list(islice(doomed, PRUNE_BATCH)):
        # Without the other columns, or the outputs would be read to be deleted.
        deleted += runs().filter(id__in=ids).only("id").delete()[1].get(Run._meta.label, 0)
    ledger.prune(now - age, using(), PRUNE_BATCH)
    return deleted


def _oldest_kept(keep: int) -> Mapping[int, int]:
    """Give the oldest run that is kept for its place among the newest of its job; a job with fewer has none."""
    newest = runs().filter(job=OuterRef("pk")).order_by("-id").values("id")
    found = Job.objects.using(using()).annotate(oldest=Subquery(newest[keep - 1 : keep])).order_by()
    return dict(found.exclude(oldest=None).values_list("pk", "oldest"))


def _old(before: datetime) -> Iterator[tuple[int, int]]:
    """Give the id and the job of each closed run that ended before this moment, from the one due first.

    They are looked for by when they were due, for which there is an index; one that was called off before it was due
    is old when that has passed, too.
    """
    rows = runs().filter(scheduled_for__lt=before, finished_at__lt=before).exclude(report=Report.DUE)
    columns = rows.order_by("scheduled_for", "id").values_list("id", "job_id", "scheduled_for")
    page = list(columns[:LOOKED_AT])
    while page:
        yield from ((pk, job_id) for pk, job_id, _due in page)
        last, _job, due = page[-1]
        further = Q(scheduled_for__gte=due) & (Q(scheduled_for__gt=due) | Q(id__gt=last))
        page = list(columns.filter(further)[:LOOKED_AT]) if len(page) == LOOKED_AT else []
