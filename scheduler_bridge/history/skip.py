"""Recording that a run was not started, and why."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from .. import lease
from ..lease import Identity
from ..models import Job, Status
from .claim import cover
from .firing import Firing
from .rows import claim_key, one_line, runs, using


def skip(firing: Firing, me: Identity, reason: str, now: datetime, next_run_at: datetime | None) -> None:
    """Record that a run was not started; skips in a row for the same reason share one row that counts them.

    Raises:
        LeaseLost: another process is the runner now.
    """
    with transaction.atomic(using=using()):
        lease.confirm(me)
        skip_covered(firing, reason, now, next_run_at)


def skip_covered(firing: Firing, reason: str, now: datetime, next_run_at: datetime | None) -> None:
    """Do the work of `skip` inside the caller's transaction, for one who needs no lease."""
    reason = one_line(reason)
    if firing.run_id is not None:
        rows = runs().filter(pk=firing.run_id, status=Status.QUEUED)
        if rows.update(status=Status.SKIPPED, reason=reason, finished_at=now):
            Job.objects.using(using()).filter(pk=firing.job_id).update(last_run_id=firing.run_id)
    elif cover(firing, next_run_at) and not _fold_skip(firing, reason, now):
        run = runs().create(
            job_id=firing.job_id,
            status=Status.SKIPPED,
            cause=firing.cause,
            scheduled_for=firing.fire_time,
            coalesced=firing.coalesced,
            claim_key=claim_key(firing),
            reason=reason,
            finished_at=now,
        )
        Job.objects.using(using()).filter(pk=firing.job_id).update(last_run=run)


def _fold_skip(firing: Firing, reason: str, now: datetime) -> bool:
    last_id = Job.objects.using(using()).values_list("last_run_id", flat=True).get(pk=firing.job_id)
    rows = runs().filter(pk=last_id, status=Status.SKIPPED, cause=firing.cause, reason=reason)
    return bool(rows.update(coalesced=F("coalesced") + 1 + firing.coalesced, finished_at=now))
