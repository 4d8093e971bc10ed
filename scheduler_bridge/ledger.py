"""The only writer of django-apscheduler's two tables, which mirror jobs and runs for people who know them.

``job_state`` always stays empty: nothing is pickled. A row of ``DjangoJob`` is never deleted, since its history
would go with it.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

TEXT_LIMIT: Final = 1000  # the size of the column "exception"


def register(next_runs: Mapping[str, datetime | None], using: str) -> None:
    """Make sure that each job has its row, which shows when it is due next."""
    rows = [DjangoJob(id=name, next_run_time=_stored(moment), job_state=b"") for name, moment in next_runs.items()]
    has_target = connections[using].features.supports_update_conflicts_with_target
    DjangoJob.objects.using(using).bulk_create(
        rows, update_conflicts=True, update_fields=["next_run_time"], unique_fields=["id"] if has_target else None
    )


def plan_next(name: str, next_run_at: datetime | None, using: str) -> None:
    """Show when the job is due next."""
    DjangoJob.objects.using(using).filter(pk=name).update(next_run_time=_stored(next_run_at))


def start(name: str, fire_time: datetime, using: str) -> None:
    """Record that an execution began; two of one job never share a fire time, so a second one is passed over."""
    row = DjangoJobExecution(job_id=name, run_time=_stored(fire_time), status=DjangoJobExecution.SENT)
    DjangoJobExecution.objects.using(using).bulk_create([row], ignore_conflicts=True)


def finish(name: str, fire_time: datetime, *, error: str | None, started: datetime, now: datetime, using: str) -> None:
    """Record how an execution ended; its duration counts from the real start."""
    rows = DjangoJobExecution.objects.using(using).filter(job_id=name, run_time=_stored(fire_time))
    rows.update(
        status=DjangoJobExecution.SUCCESS if error is None else DjangoJobExecution.ERROR,
        duration=Decimal(f"{max(0.0, (now - started).total_seconds()):.2f}"),
        finished=Decimal(f"{now.timestamp():.2f}"),
        exception=None if error is None else error[:TEXT_LIMIT],
    )


def _stored(moment: datetime | None) -> datetime | None:
    if moment is None or django_settings.USE_TZ:
        return moment
    return timezone.make_naive(moment, timezone.get_default_timezone())
