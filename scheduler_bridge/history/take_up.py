"""Runs that are handed over to an engine, as its worker sees them: taken up once, kept alive, skipped or given back."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from .. import ledger
from ..lease import Identity
from ..models import Cause, Job, Run, Status
from .claim import cover, recorded
from .firing import Firing
from .hand_over import AT_ONCE, untaken
from .mending import insisted
from .rows import claim_key, one_line, runs, using
from .skip import fold


def waiting(run_id: int) -> Firing | None:
    """Give what a worker is to perform; None when another has taken it up, or nobody is to."""
    columns = ("job_id", "job__name", "cause", "scheduled_for", "coalesced")
    row = untaken(run_id).values_list(*columns).first()
    if row is None:
        return None
    job_id, name, cause, fire_time, coalesced = row
    return Firing(job_id=job_id, name=name, cause=Cause(cause), fire_time=fire_time, coalesced=coalesced, run_id=run_id)


def take_up(
    firing: Firing, later: Firing | None, me: Identity, now: datetime, next_run_at: datetime | None
) -> Run | None:
    """Record that this worker starts a run; None when another has taken it up.

    Args:
        later: what became due while the run waited, and is folded in.
    """
    run_id, marker = firing.run_id or 0, f"{me.token}/{firing.run_id}"

    def step(folded_in: Firing | None) -> bool:
        return _take_up(firing, folded_in, me, now, next_run_at, marker)

    # What became due is none of this run's if another covers it.
    if later is None or recorded(partial(step, later), replace(later, run_id=None), next_run_at) is None:
        insisted(partial(step, None), [firing.name])
    # After a lost connection the first try may have been committed all the same.
    return runs().select_related("job").filter(pk=run_id, marker=marker, status=Status.RUNNING).first()


def _take_up(
    firing: Firing, later: Firing | None, me: Identity, now: datetime, next_run_at: datetime | None, marker: str
) -> bool:
    run_id = firing.run_id or 0
    with transaction.atomic(using=using()):
        ours = Job.objects.using(using()).filter(pk=firing.job_id, handed_run_id=run_id).update(last_run_id=run_id)
        folded = _folded(firing, later) if ours and later and cover(later, next_run_at) else {}
        values = {"status": Status.RUNNING, "started_at": now, "heartbeat_at": now, "host": me.host, "marker": marker}
        if ours and untaken(run_id).update(hand_at=None, **values, **folded):
            ledger.start(firing.name, folded.get("scheduled_for", firing.fire_time), using())
        else:
            transaction.set_rollback(True, using=using())
    return True


def _folded(firing: Firing, later: Firing) -> dict[str, Any]:
    return {
        "scheduled_for": later.fire_time,
        "coalesced": firing.coalesced + 1 + later.coalesced,
        "claim_key": claim_key(later),
    }


def skip_away(firing: Firing, reason: str, now: datetime) -> None:
    """Record that a run which was handed over is not started; skips in a row for one reason share a row here too."""
    reason, job = one_line(reason), Job.objects.using(using()).filter(pk=firing.job_id)
    with transaction.atomic(using=using()):
        queued = runs().filter(pk=firing.run_id or 0, status=Status.QUEUED)
        if not job.filter(handed_run_id=firing.run_id).update(handed_run_id=None):
            return
        if firing.cause == Cause.SCHEDULE and fold(firing, reason, now):
            runs().filter(pk__in=job.values("last_run_id")).update(hand_at=AT_ONCE)
            taken = queued.delete()[0]
        else:
            job.update(last_run_id=firing.run_id)
            taken = queued.update(status=Status.SKIPPED, reason=reason, finished_at=now, hand_at=AT_ONCE)
        if not taken:
            transaction.set_rollback(True, using=using())


def give_back(run_id: int) -> None:
    """Let the runner hand this run over again as soon as it may start; until then it waits for no worker."""
    untaken(run_id).update(hand_at=AT_ONCE, handed_at=None)


def beat(run: Run, now: datetime) -> bool:
    """Give a sign of life for a run that goes on; False when it is not ours any more."""
    return runs().filter(pk=run.pk, marker=run.marker, status=Status.RUNNING).update(heartbeat_at=now) == 1


def wish_to_end(run_id: int) -> str | None:
    """Say who wants a running run to end, which may be nobody known; None when nobody does."""
    asked = runs().filter(pk=run_id, status=Status.RUNNING, cancel_at__isnull=False)
    return asked.values_list("cancel_by", flat=True).first()
