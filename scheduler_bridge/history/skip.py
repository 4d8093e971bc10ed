"""Recording that a run was not started, and why."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from .. import lease, ledger, sql
from ..exceptions import LeaseLost
from ..lease import Identity
from ..models import Job, Status
from . import statements
from .claim import alone, cover, insert, is_covered, recorded, scheduled
from .firing import Firing
from .hand_over import release
from .mending import insisted
from .rows import one_line, runs, using


def skip(firing: Firing, me: Identity, reason: str, now: datetime, next_run_at: datetime | None) -> None:
    """Record that a run was not started; skips in a row for the same reason share one row that counts them.

    Raises:
        LeaseLost: another process is the runner now.
    """

    def step() -> None:
        if firing.run_id is None and sql.is_one_journey(using()):
            _skip_at_once(firing, me, one_line(reason), now, next_run_at)
        else:
            with transaction.atomic(using=using()):
                lease.confirm(me)
                skip_covered(firing, reason, now, next_run_at)

    recorded(step, firing, next_run_at)


def skip_covered(firing: Firing, reason: str, now: datetime, next_run_at: datetime | None) -> None:
    """Do the work of `skip` inside the caller's transaction, for one who needs no lease."""
    reason = one_line(reason)
    if firing.run_id is not None:
        rows = runs().filter(pk=firing.run_id, status=Status.QUEUED)
        if rows.update(status=Status.SKIPPED, reason=reason, finished_at=now):
            Job.objects.using(using()).filter(pk=firing.job_id).update(last_run_id=firing.run_id)
            if Job.objects.using(using()).filter(pk=firing.job_id, handed_run_id=firing.run_id).exists():
                release(firing.job_id, firing.run_id)
    elif cover(firing, next_run_at) and not fold(firing, reason, now):
        _insert(firing, _skipped(firing, reason, now))


def _insert(firing: Firing, values: dict[str, Any]) -> None:
    """Add the run, unless one covers the fire time already, though the job did not know of that."""

    def step() -> int:
        with alone():
            return insert(firing, values)

    try:
        insisted(step, [firing.name])
    except IntegrityError:
        if not is_covered(firing):
            raise


def _skipped(firing: Firing, reason: str, now: datetime) -> dict[str, Any]:
    return {**scheduled(firing), "status": Status.SKIPPED, "reason": reason, "finished_at": now}


def _folded(firing: Firing, reason: str, now: datetime) -> tuple[list[Any], list[Any]]:
    """Give what is counted and when, and by what the job's last run is known as one skipped alike."""
    run = statements.run_values({"finished_at": now}, using())
    return [1 + firing.coalesced, *run], statements.run_values({"cause": firing.cause, "reason": reason}, using())


def fold(firing: Firing, reason: str, now: datetime) -> bool:
    """Count a skip in the job's last run, if that was one for the same reason; False when it was not."""
    counted, alike = _folded(firing, reason, now)
    return bool(sql.change(using(), statements.folding(using()), [*counted, firing.job_id, *alike]))


def _skip_at_once(firing: Firing, me: Identity, reason: str, now: datetime, next_run_at: datetime | None) -> None:
    counted, alike = _folded(firing, reason, now)
    parts = (
        lease.confirmed(me),
        [firing.job_id, *statements.fire_time(firing, using())],
        [*counted, *alike],
        statements.inserted(_skipped(firing, reason, now), using()),
        statements.moved(firing, next_run_at, using()),
        ledger.planned(firing.name, next_run_at, using()),
    )
    with alone():
        row = sql.fetch(using(), statements.skipping(using()), [one for part in parts for one in part])
    if row is None or not row[0]:
        raise LeaseLost("another process is the runner now")
