"""The wish that a run ends before its time."""

from datetime import datetime

from django.db import transaction

from ..models import Job, Run, Status
from .hand_over import AT_ONCE
from .rows import one_line, runs, using


def cancelled(by: str) -> str:
    """Say that a run was cancelled, and by whom where that is known."""
    return f"cancelled by {by}" if by else "cancelled"


def take_out(run_id: int, by: str, now: datetime) -> bool:
    """Cancel a run that waits; False when it waits no more."""
    values: dict[str, object] = {
        "status": Status.CANCELLED,
        "finished_at": now,
        "reason": one_line(cancelled(by)),
        "cancel_by": by[:150],
        "cancel_at": now,
    }
    with transaction.atomic(using=using()):
        # The job first, as the worker does that takes a run up.
        was_handed = Job.objects.using(using()).filter(handed_run_id=run_id).update(handed_run_id=None)
        if was_handed:
            values["hand_at"] = AT_ONCE
        taken = runs().filter(pk=run_id, status=Status.QUEUED).update(**values)
        if not taken:
            transaction.set_rollback(True, using=using())
    return taken == 1


def ask_to_end(run_id: int, by: str, now: datetime) -> bool:
    """Note who wants a running run to end; the first one counts. False when it runs no more."""
    running = runs().filter(pk=run_id, status=Status.RUNNING)
    return bool(running.filter(cancel_at=None).update(cancel_by=by[:150], cancel_at=now)) or running.exists()


def to_end() -> dict[int, str]:
    """Give the running runs that somebody wants to end, and who that is."""
    rows = runs().filter(status=Status.RUNNING, cancel_at__isnull=False)
    return dict(rows.values_list("pk", "cancel_by"))


def find(run_id: int) -> Run | None:
    """Give a run with its job, without its texts."""
    return runs().select_related("job").defer("output", "warning").filter(pk=run_id).first()
