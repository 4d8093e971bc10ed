"""Recording a run before it starts, once for each fire time."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from .. import lease, ledger
from ..lease import Identity
from ..models import Job, MomentField, Run, Status
from .firing import Firing
from .rows import claim_key, runs, using


def claim(firing: Firing, me: Identity, now: datetime, next_run_at: datetime | None) -> Run | None:
    """Record a run before it starts; None when its fire time is accounted for already.

    Raises:
        LeaseLost: another process is the runner now.
    """
    marker = f"{me.token}/{firing.run_id or claim_key(firing)}"
    values = {"status": Status.RUNNING, "started_at": now, "host": me.host, "marker": marker[:100]}
    try:
        with transaction.atomic(using=using()):
            lease.confirm(me)
            run = _take(firing, values, next_run_at)
            if run is not None:
                Job.objects.using(using()).filter(pk=firing.job_id).update(last_run=run)
                ledger.start(firing.name, run.scheduled_for, using())
    except IntegrityError:
        run = None
    # After a lost connection the first try may have been committed all the same.
    return run or runs().filter(marker=values["marker"], status=Status.RUNNING).first()


def _take(firing: Firing, values: dict[str, object], next_run_at: datetime | None) -> Run | None:
    if firing.run_id is not None:
        taken = runs().filter(pk=firing.run_id, status=Status.QUEUED).update(**values)
        return runs().select_related("parent").get(pk=firing.run_id) if taken else None
    if not cover(firing, next_run_at):
        return None
    return runs().create(
        job_id=firing.job_id,
        cause=firing.cause,
        scheduled_for=firing.fire_time,
        coalesced=firing.coalesced,
        claim_key=claim_key(firing),
        **values,
    )


def cover(firing: Firing, next_run_at: datetime | None) -> bool:
    """Mark the fire time as accounted for; False when it was."""
    open_ = Q(last_fire_at=None) | Q(last_fire_at__lt=firing.fire_time)
    rows = Job.objects.using(using()).filter(open_, pk=firing.job_id)
    covered = rows.update(
        last_fire_at=firing.fire_time,
        owed_since=Greatest(F("owed_since"), Value(firing.fire_time, output_field=MomentField())),
        next_run_at=next_run_at,
    )
    if covered:
        ledger.plan_next(firing.name, next_run_at, using())
    return bool(covered)
