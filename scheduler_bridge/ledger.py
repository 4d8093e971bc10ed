"""The only writer of django-apscheduler's two tables, which mirror jobs and runs for people who know them.

``job_state`` always stays empty: nothing is pickled. A row of ``DjangoJob`` is never deleted, since its history
would go with it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from django.conf import settings as django_settings
from django.db import connections
from django.db.models.constants import OnConflict
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from . import sql, storable

TEXT_LIMIT: Final = 1000  # the size of the column "exception"


def register(next_runs: Mapping[str, datetime | None], using: str) -> None:
    """Make sure that each job has its row, which shows when it is due next."""
    rows = [DjangoJob(id=name, next_run_time=_stored(moment), job_state=b"") for name, moment in next_runs.items()]
    has_target = connections[using].features.supports_update_conflicts_with_target
    DjangoJob.objects.using(using).bulk_create(
        rows, update_conflicts=True, update_fields=["next_run_time"], unique_fields=["id"] if has_target else None
    )


def missing(names: Collection[str], using: str) -> tuple[str, ...]:
    """Return those of these jobs that have no row."""
    found = set(DjangoJob.objects.using(using).filter(id__in=names).values_list("id", flat=True))
    return tuple(name for name in names if name not in found)


def plan_next(name: str, next_run_at: datetime | None, using: str) -> None:
    """Show when the job is due next; a row that somebody deleted is made anew."""
    if not sql.change(using, planning(using), planned(name, next_run_at, using)):
        register({name: next_run_at}, using)


@cache
def planning(using: str) -> str:
    """Give the statement that shows when a job is due next, for `planned` to fill in."""
    job = sql.table(DjangoJob, using)
    return f"UPDATE {job} SET {job['next_run_time']} = %s WHERE {job['id']} = %s"


def planned(name: str, next_run_at: datetime | None, using: str) -> list[Any]:
    return sql.table(DjangoJob, using).values({"next_run_time": _stored(next_run_at), "id": name})


def start(name: str, fire_time: datetime, using: str) -> None:
    """Record that an execution began; two of one job never share a fire time, so a second one is passed over."""
    statement, values = starting(using, "VALUES (%s, %s, %s)"), started(name, fire_time, using)
    # MySQL passes over one whose job has no row, too.
    if not sql.change(using, statement, values) and missing([name], using):
        register({name: None}, using)
        sql.change(using, statement, values)


@cache
def starting(using: str, source: str) -> str:
    """Give the statement that records that an execution began, for `started` to fill in.

    Args:
        source: where the three values come from: VALUES or SELECT.
    """
    ignore, operations = OnConflict.IGNORE, connections[using].ops
    row = sql.table(DjangoJobExecution, using)
    head = operations.insert_statement(on_conflict=ignore)
    tail = operations.on_conflict_suffix_sql((), ignore, (), ())
    if connections[using].vendor == "postgresql":
        # A number that was given before is no second execution: it must not be passed over.
        tail = f"ON CONFLICT ({row.names(('job_id', 'run_time'))}) DO NOTHING"
    return f"{head} {row} ({row.names(('job_id', 'run_time', 'status'))}) {source} {tail}"


def started(name: str, fire_time: datetime, using: str) -> list[Any]:
    table = sql.table(DjangoJobExecution, using)
    return table.values({"job_id": name, "run_time": _stored(fire_time), "status": DjangoJobExecution.SENT})


def finish(name: str, fire_time: datetime, *, error: str | None, started: datetime, now: datetime, using: str) -> None:
    """Record how an execution ended; its duration counts from the real start."""
    values = finished(name, fire_time, error=error, started=started, now=now, using=using)
    sql.change(using, finishing(using), values)


@cache
def finishing(using: str) -> str:
    """Give the statement that records how an execution ended, for `finished` to fill in."""
    row = sql.table(DjangoJobExecution, using)
    columns = ", ".join(f"{row[name]} = %s" for name in ("status", "duration", "finished", "exception"))
    return f"UPDATE {row} SET {columns} WHERE {row['job_id']} = %s AND {row['run_time']} = %s"


def finished(
    name: str, fire_time: datetime, *, error: str | None, started: datetime, now: datetime, using: str
) -> list[Any]:
    return sql.table(DjangoJobExecution, using).values(
        {
            "status": DjangoJobExecution.SUCCESS if error is None else DjangoJobExecution.ERROR,
            "duration": Decimal(f"{max(0.0, (now - started).total_seconds()):.2f}"),
            "finished": Decimal(f"{now.timestamp():.2f}"),
            "exception": None if error is None else _text(error, using),
            "job_id": name,
            "run_time": _stored(fire_time),
        }
    )


def _text(error: str, using: str) -> str:
    return storable.fit(error, using, DjangoJobExecution._meta.db_table, "exception", TEXT_LIMIT)


def prune(before: datetime, using: str, batch: int) -> None:
    """Delete the executions that were due before this moment, so many in one transaction."""
    rows = DjangoJobExecution.objects.using(using).filter(run_time__lt=_stored(before)).order_by("run_time")
    while ids := list(rows.values_list("id", flat=True)[:batch]):
        DjangoJobExecution.objects.using(using).filter(id__in=ids).delete()


def _stored(moment: datetime | None) -> datetime | None:
    if moment is None or django_settings.USE_TZ:
        return moment
    return timezone.make_naive(moment, timezone.get_default_timezone())
