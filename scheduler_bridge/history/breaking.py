"""Reporting a job whose trigger broke: once each time, as a failed run that never started."""

import logging
from datetime import datetime
from functools import partial

from django.db import transaction

from ..models import Cause, Job, Run, Status
from . import failing
from .mending import insisted
from .rows import report_columns, runs, using

logger = logging.getLogger("scheduler_bridge")


def report_broken(now: datetime) -> tuple[Run, ...]:
    """Record a failed run for each job whose trigger broke and of which that was not reported yet; they owe a mail."""
    jobs = Job.objects.using(using()).filter(removed_at=None, broken="").exclude(trigger_error="")
    found = (insisted(partial(_report, row, now), [row.name]) for row in jobs.only("name", "trigger_error"))
    return tuple(run for run in found if run is not None)


def _report(row: Job, now: datetime) -> Run | None:
    """Record it; None when another process did, or the trigger answers again."""
    job = Job.objects.using(using()).filter(pk=row.pk)
    with transaction.atomic(using=using()):
        # One update that must touch the row: whoever does it is the one who reports.
        if not job.filter(broken="", trigger_error=row.trigger_error).update(broken=row.trigger_error):
            return None
        run = runs().create(
            job_id=row.pk,
            status=Status.FAILED,
            cause=Cause.SCHEDULE,
            scheduled_for=now,
            finished_at=now,
            reason=row.trigger_error,
            # No fire time: nothing else is ever claimed by such a key.
            claim_key=f"{row.pk}!broken@{now:%Y%m%dT%H%M%S.%f}",
            **report_columns(True, now),
        )
        job.update(last_run=run)
        failing.follow(row.pk, Status.FAILED, now)
    logger.error("job %s run %s is broken: %s", row.name, run.pk, row.trigger_error)
    return run
