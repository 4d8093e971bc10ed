"""The jobs that fail: since when, how often in a row, and how they failed last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .. import conf
from ..models import FAILURES, Job, Run, Status
from ..past import COUNT, PastRun
from .course import Past

Row = tuple[int, str, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A job whose last runs failed."""

    job_id: int
    name: str
    since: datetime
    times: int  # failures in a row
    is_whole: bool  # False: there may be more, before the runs that were looked at
    run_id: int | None  # the last that failed
    status: Status | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InARow:
    """Failures without a success between them, the newest first."""

    failures: tuple[PastRun, ...]
    is_whole: bool  # the first of them was seen


def rows() -> list[Row]:
    """Read the jobs that fail: number, name and since when, the oldest failure first."""
    jobs = Job.objects.using(conf.load().database).filter(removed_at=None, failing_since__isnull=False)
    found = jobs.order_by("failing_since", "name").values_list("pk", "name", "failing_since")
    return [(pk, name, since) for pk, name, since in found if since is not None]


def failing(found: Sequence[Row], runs: Past) -> tuple[Failing, ...]:
    """Say of these jobs how they failed, in one statement."""
    rows_of = {pk: in_a_row(runs.get(pk, ()), since) for pk, _name, since in found}
    reasons = _reasons([row.failures[0].run_id for row in rows_of.values() if row.failures])
    return tuple(_failing(*row, rows_of[row[0]], reasons) for row in found)


def in_a_row(runs: Sequence[PastRun], since: datetime) -> InARow:
    """Find the failures since the first in a row; what did not run breaks no row."""
    failures: list[PastRun] = []
    for run in runs:
        if run.status == Status.SUCCEEDED or (run.finished_at is not None and run.finished_at < since):
            return InARow(failures=tuple(failures), is_whole=True)
        if run.status in FAILURES:
            failures.append(run)
    return InARow(failures=tuple(failures), is_whole=len(runs) < COUNT)


def _failing(job_id: int, name: str, since: datetime, row: InARow, reasons: Mapping[int, str]) -> Failing:
    newest = row.failures[0] if row.failures else None
    return Failing(
        job_id=job_id,
        name=name,
        since=since,
        times=len(row.failures),
        is_whole=row.is_whole,
        run_id=newest.run_id if newest else None,
        status=newest.status if newest else None,
        reason=reasons.get(newest.run_id, "") if newest else "",
    )


def _reasons(run_ids: Sequence[int]) -> dict[int, str]:
    if not run_ids:
        return {}
    rows = Run.objects.using(conf.load().database).filter(pk__in=run_ids)
    return dict(rows.values_list("pk", "reason"))
