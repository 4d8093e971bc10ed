"""What jobs did lately: their last runs, and what can be expected from them of the next one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from django.db import connections

from . import conf, sql
from .models import FAILURES, Cause, Run, Status

COUNT: Final = 20  # runs of each job
BATCH: Final = 200  # jobs in one statement; SQLite takes 500 parts at most
COLUMNS: Final = ("id", "job_id", "status", "cause", "scheduled_for", "started_at", "finished_at", "coalesced", "queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run, without its texts."""

    run_id: int
    job_id: int
    status: Status
    cause: Cause
    scheduled_for: datetime
    started_at: datetime | None
    finished_at: datetime | None
    coalesced: int
    queue: str = ""  # empty: the runner performed it

    @property
    def took(self) -> timedelta | None:
        """How long it ran; None for one that did not, or has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(timedelta(0), self.finished_at - self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual for a job, by its last runs."""

    count: int  # runs that ended by themselves or at their timeout
    median: timedelta | None
    p95: timedelta | None
    success_rate: float | None  # from 0 to 1, of those
    skipped: float  # from 0 to 1: the share of all its runs that should_run left out


def recent(job_ids: Sequence[int], count: int = COUNT, *, upto: int | None = None) -> dict[int, tuple[PastRun, ...]]:
    """Give the last runs of each of these jobs, the newest first, in one statement for up to 200 jobs.

    Args:
        upto: the last run that is looked at; None: the last there is.
    """
    using = conf.load().database
    found: dict[int, list[PastRun]] = defaultdict(list)
    for start in range(0, len(job_ids), BATCH):
        for run in _read(job_ids[start : start + BATCH], count, upto, using):
            found[run.job_id].append(run)
    return {job_id: tuple(sorted(runs, key=_newest_first)) for job_id, runs in found.items()}


def usual(runs: Iterable[PastRun]) -> Usual:
    """Say what these runs have in common; skips are counted by themselves."""
    known = [run for run in runs if run.finished_at is not None]
    ended = [run for run in known if run.status == Status.SUCCEEDED or run.status in FAILURES]
    spans = sorted(run.took for run in ended if run.took is not None)
    skips = sum(1 + run.coalesced for run in known if run.status == Status.SKIPPED)
    good = sum(run.status == Status.SUCCEEDED for run in ended)
    return Usual(
        count=len(ended),
        median=_quantile(spans, 0.5),
        p95=_quantile(spans, 0.95),
        success_rate=good / len(ended) if ended else None,
        skipped=skips / (skips + len(ended)) if skips else 0.0,
    )


def _quantile(spans: Sequence[timedelta], share: float) -> timedelta | None:
    """Give the smallest span that this share of them does not exceed."""
    return spans[max(0, ceil(share * len(spans)) - 1)] if spans else None


def _newest_first(run: PastRun) -> int:
    return -run.run_id


def _read(job_ids: Sequence[int], count: int, upto: int | None, using: str) -> Iterable[PastRun]:
    """Read by one look into the index for each job: to number the rows of all jobs would read the whole history."""
    run = sql.table(Run, using)
    until = "" if upto is None else f"AND {run['id']} <= {int(upto)} "
    one = (
        f"SELECT * FROM (SELECT {run.names(COLUMNS)} FROM {run} WHERE {run['job_id']} = %s {until}"
        f"ORDER BY {run['id']} DESC LIMIT {int(count)}) AS last_runs"
    )
    with connections[using].cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(job_ids)), list(job_ids))
        rows = cursor.fetchall()
    moment = moments(using)
    return [_past(row, moment) for row in rows]


def _past(row: Sequence[Any], moment: Callable[[Any], Any]) -> PastRun:
    return PastRun(
        run_id=row[0],
        job_id=row[1],
        status=Status(row[2]),
        cause=Cause(row[3]),
        scheduled_for=moment(row[4]),
        started_at=moment(row[5]),
        finished_at=moment(row[6]),
        coalesced=row[7],
        queue=row[8],
    )


def moments(using: str) -> Callable[[Any], Any]:
    """Give what makes a moment of what the database gives."""
    connection = connections[using]
    column = Run._meta.get_field("scheduled_for").get_col(Run._meta.db_table)
    converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]

    def convert(value: Any) -> Any:
        for converter in converters:
            value = converter(value, column, connection)
        return value

    return convert
